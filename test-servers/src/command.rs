//! Commands that install: their output goes to a file, and the end of it is the error.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::Result;

/// No install has taken a tenth of this; one that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How much of a log is shown.
const TAIL_BYTES: u64 = 4096;

/// Runs the command and appends what it says to the log.
pub(crate) async fn run(command: &mut Command, log: &Path) -> Result<()> {
    run_within(PATIENCE, command, log).await
}

/// The same for a command that is known to take its time.
pub(crate) async fn run_within(patience: Duration, command: &mut Command, log: &Path) -> Result<()> {
    let output = OpenOptions::new().create(true).append(true).open(log)?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true);
    let name = describe(command);
    let ended = timeout(patience, command.status()).await;
    let status = ended
        .map_err(|_| format!("`{name}` has not ended after {} minutes", patience.as_secs() / 60))?
        .map_err(|error| format!("`{name}` did not start: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{name}` ended with {status}\n{}", tail(log)).into())
}

/// What the command printed.
pub(crate) async fn output(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let name = describe(command);
    let ended = timeout(PATIENCE, command.output()).await;
    let output = ended
        .map_err(|_| format!("`{name}` has not ended after {} minutes", PATIENCE.as_secs() / 60))?
        .map_err(|error| format!("`{name}` did not start: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{name}` ended with {}: {}", output.status, said.trim_end()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The end of a log.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let begin = fs::metadata(log)?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.is_empty() => format!("{} is empty", log.display()),
        Ok(bytes) => format!(
            "the end of {}:\n{}",
            log.display(),
            String::from_utf8_lossy(&bytes).trim_end()
        ),
        Err(error) => format!("{} cannot be read: {error}", log.display()),
    }
}

fn describe(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
