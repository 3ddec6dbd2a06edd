//! `cargo xtask servers`: hands its words to the program of the crate test-servers.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::Result;
use crate::cargo::{cargo, program, run as run_command};
use crate::metadata::Metadata;

const PROGRAM: &str = "storage-test-servers";

pub(crate) fn run(words: &[&str]) -> ExitCode {
    let ended = command(words).and_then(|mut command| Ok(command.status()?));
    match ended {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The program with these words, built if need be.
pub(crate) fn command(words: &[&str]) -> Result<Command> {
    let mut command = program(build()?);
    command.args(words);
    Ok(command)
}

/// Builds the program and says where it is. With the whole workspace and every feature, as the tests are: what is compiled for it
/// is not compiled again for them.
fn build() -> Result<PathBuf> {
    let everything = [
        "build",
        "--workspace",
        "--all-features",
        "--locked",
        "--bin",
        PROGRAM,
    ];
    run_command(cargo(everything).arg("--quiet"))?;
    let metadata = Metadata::read()?;
    Ok(metadata.target_directory.join("debug").join(PROGRAM))
}
