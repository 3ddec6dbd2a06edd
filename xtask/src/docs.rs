//! `cargo xtask docs`: the sections of the documents that the `storage` command writes about itself.
//!
//! A section begins with a line `<!-- generated: storage backends --format markdown -->` and ends with a line
//! `<!-- end generated -->`; between them stands what that command prints.

mod difference;
mod document;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::Result;
use crate::cargo::{built, output, program, root, without_settings};
use crate::report::Report;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Writes what is out of date.
    Write,
    /// Shows what is out of date, and fails.
    Check,
}

pub(crate) fn run(mode: Mode) -> ExitCode {
    let mut report = Report::default();
    report.step("generated documents", || update(mode));
    report.finish()
}

pub(crate) fn update(mode: Mode) -> Result<()> {
    let mut storage = StorageCommand::default();
    let mut different = Vec::new();
    for path in documents()? {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let before = fs::read_to_string(&path)?;
        let count = storage.runs;
        let after = document::regenerate(&before, |line| storage.print(line))
            .map_err(|error| format!("{name}: {error}"))?;
        println!("{name}: {} generated sections", storage.runs - count);
        if before != after {
            match mode {
                Mode::Write => fs::write(&path, after)?,
                Mode::Check => print!("{}", difference::between(&before, &after)),
            }
            different.push(name);
        }
    }
    match mode {
        Mode::Check if !different.is_empty() => Err(format!(
            "{} out of date; `cargo xtask docs` writes them",
            different.join(", ")
        )
        .into()),
        _ => Ok(()),
    }
}

fn documents() -> Result<Vec<PathBuf>> {
    let mut documents: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md"]
        .map(|name| root().join(name))
        .into();
    let directory = root().join("docs");
    if directory.is_dir() {
        for entry in fs::read_dir(directory)? {
            documents.push(entry?.path());
        }
    }
    documents.retain(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "md"));
    documents.sort();
    Ok(documents)
}

/// The `storage` command with every feature, built before its first run.
#[derive(Default)]
struct StorageCommand {
    executable: Option<PathBuf>,
    runs: usize,
}

impl StorageCommand {
    /// What a line such as `storage backends --format markdown` prints.
    fn print(&mut self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        if words.next() != Some("storage") {
            return Err(format!("`{line}` is not a `storage` command").into());
        }
        let executable = match self.executable.take() {
            Some(executable) => executable,
            None => built("storage", [])?,
        };
        self.runs += 1;

        let mut command = program(self.executable.insert(executable));
        command.args(words);
        // The same words on every machine: help shows the environment and fits the terminal.
        command.env_remove("COLUMNS").env("NO_COLOR", "1");
        output(without_settings(&mut command))
    }
}
