//! Running cargo, and other programs, from the workspace root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::metadata::Metadata;

/// The workspace root.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// `cargo` with these arguments, in the workspace root, with nothing to read on its standard input.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Any program, run the same way.
pub(crate) fn program(path: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(path);
    command.current_dir(root()).stdin(Stdio::null());
    // What `cargo run` told xtask about itself. Some build scripts watch these and would run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Builds a program of the workspace and says where it is. With the whole workspace and every feature, as the tests are: what is
/// compiled for it is not compiled again for them.
pub(crate) fn built<'a>(name: &'a str, options: impl IntoIterator<Item = &'a str>) -> Result<PathBuf> {
    let everything = [
        "build",
        "--workspace",
        "--all-features",
        "--locked",
        "--bin",
        name,
    ];
    run(cargo(everything).args(options))?;
    let target = Metadata::read()?.target_directory;
    Ok(target.join("debug").join(name))
}

/// The variables that choose where data lies; README lists them.
const SETTINGS: [&str; 6] = [
    "MONGODB_URI",
    "MONGODB_URL",
    "STORAGE_DATA_DIR",
    "STORAGE_DOCUMENTS_URL",
    "STORAGE_OBJECTS_URL",
    "STORAGE_URL",
];

/// Takes the library's own variables away, so that the command finds its defaults and no developer's data.
pub(crate) fn without_settings(command: &mut Command) -> &mut Command {
    for name in SETTINGS {
        command.env_remove(name);
    }
    command
}

/// Runs the command with its output shown; an exit code other than zero is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", describe(command)).into())
    }
}

/// Runs the command and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{} ended with {}\n{}",
            describe(command),
            output.status,
            errors.trim_end()
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("{} did not start: {error}", describe(command))
}
