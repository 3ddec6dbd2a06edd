//! [`OpenDal`]: OpenDAL's SQLite service, in a process of its own.
//!
//! It brings another version of SQLite's C library than ours, and one program can be linked with one only. So it is a program of its own
//! (`storage-bench/opendal-sqlite`), built when it is first needed, which takes its turn when it is told and says what it took.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::OPENDAL;
use crate::run::Outcome;
use crate::table::{Share, Table};

pub(super) struct OpenDal {
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    /// Ends with this.
    _child: Child,
}

impl OpenDal {
    /// Builds and starts it, and has it write so many values.
    ///
    /// # Errors
    /// Why it does not take part.
    pub(super) async fn start(database: &Path, values: u64, quick: bool) -> Outcome<Arc<Self>> {
        if quick {
            return Err("not in a quick run, which builds nothing".into());
        }
        let connection = rusqlite::Connection::open(database)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch("CREATE TABLE bench (key TEXT PRIMARY KEY, value BLOB NOT NULL)")?;
        drop(connection);
        let program = build().await?;
        let mut child = Command::new(program)
            .arg(database)
            .arg(values.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err("it has no standard input and output".into());
        };
        let opened = Self {
            talk: Mutex::new((input, BufReader::new(output))),
            _child: child,
        };
        opened.answer("ready").await?;
        Ok(Arc::new(opened))
    }

    /// Adds its reads to a table.
    pub(super) fn reads(self: &Arc<Self>, table: Table) -> Table {
        let this = Arc::clone(self);
        table
            .measured(OPENDAL, move |share| Arc::clone(&this).round("read", share))
            .note(NOTE)
    }

    /// Adds its writes to a table.
    pub(super) fn writes(self: &Arc<Self>, table: Table) -> Table {
        let this = Arc::clone(self);
        table
            .measured(OPENDAL, move |share| Arc::clone(&this).round("write", share))
            .note(NOTE)
    }

    async fn round(self: Arc<Self>, what: &'static str, share: Share) -> Outcome<f64> {
        let Share { numbers, at_once } = share;
        let count = numbers.end - numbers.start;
        let seconds = self
            .answer(&format!("{what} {} {count} {at_once}", numbers.start))
            .await?;
        Ok(seconds.parse::<f64>()? / count as f64)
    }

    /// Sends a line and gives the one that comes back.
    async fn answer(&self, line: &str) -> Outcome<String> {
        let mut talk = self.talk.lock().await;
        talk.0.write_all(format!("{line}\n").as_bytes()).await?;
        talk.0.flush().await?;
        let mut answer = String::new();
        talk.1.read_line(&mut answer).await?;
        let answer = answer.trim().to_owned();
        if answer.is_empty() {
            return Err("it ended; what it wrote to standard error says why".into());
        }
        Ok(answer)
    }
}

const NOTE: &str = "OpenDAL's service has bytes by key and no index. It is in a process of its own, which measures itself in its turn: \
                    its SQLite is another version, and one program has one. Its database was put into WAL mode for it.";

/// The program, optimized as this one is. Beside this one's, so that it is built once.
async fn build() -> Outcome<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("opendal-sqlite");
    let target = std::env::current_exe()?
        .ancestors()
        .nth(2)
        .ok_or("this program is in no directory")?
        .join("opendal-sqlite");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--locked"])
        .arg("--manifest-path")
        .arg(source.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .await?;
    if !built.success() {
        return Err(format!("it cannot be built: {built}").into());
    }
    Ok(target.join(format!("release/opendal-sqlite{}", std::env::consts::EXE_SUFFIX)))
}
