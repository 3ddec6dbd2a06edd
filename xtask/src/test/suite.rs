//! `cargo test` over the whole workspace, doctests included.

use std::io::{BufRead, BufReader, IsTerminal, pipe, stdout};
use std::process::Command;

use super::totals::Totals;
use crate::Result;
use crate::cargo::{cargo, describe, run as run_command, without_settings};

const EVERYTHING: [&str; 5] = [
    "test",
    "--workspace",
    "--all-features",
    "--locked",
    "--no-fail-fast",
];

/// Builds every test program.
pub(super) fn build() -> Result<()> {
    run_command(cargo(EVERYTHING).arg("--no-run"))
}

/// Runs every test and adds its outcome to the totals.
pub(super) fn run(for_tests: &[&str], totals: &mut Totals) -> Result<()> {
    show(cargo(EVERYTHING), for_tests, &[], totals)
}

/// Runs what [`run`] has ignored: what takes long, and what cannot be run, which fails and says why.
pub(super) fn run_ignored(for_tests: &[&str], operations: Option<u64>, totals: &mut Totals) -> Result<()> {
    let mut command = cargo(EVERYTHING);
    command.arg("--tests"); // No examples in the documentation: each would be compiled to find nothing.
    let words: Vec<&str> = ["--ignored"].iter().chain(for_tests).copied().collect();
    let mut ignored = Totals::default();
    let bounds: Vec<(&str, u64)> = operations.map_or_else(Vec::new, |operations| {
        vec![
            ("CONFORMANCE_OPERATIONS", operations),
            ("CONFORMANCE_ROUNDS", operations.div_ceil(100)),
        ]
    });
    let outcome = show(command, &words, &bounds, &mut ignored);
    totals.catch_up(ignored);
    outcome
}

/// Runs test programs, shows cargo's output as it comes and adds their summary lines to the totals.
fn show(mut command: Command, for_tests: &[&str], bounds: &[(&str, u64)], totals: &mut Totals) -> Result<()> {
    if stdout().is_terminal() {
        command.arg("--color=always");
    }
    command.arg("--").args(for_tests);
    without_settings(&mut command);
    for (name, bound) in bounds {
        command.env(name, bound.to_string());
    }
    println!("{}", describe(&command));

    // One pipe for both streams: cargo names a test program on one, and the program answers on the other.
    let (reader, writer) = pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    drop(command); // It holds the pipe's writing end, and reading would never end.

    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        totals.read_line(&line);
    }
    let status = child.wait()?;
    match (status.success(), totals.failed()) {
        (true, _) => Ok(()),
        (false, 0) => Err(format!("cargo test ended with {status}, though no test that ran failed").into()),
        (false, failed) => Err(format!("{failed} tests failed").into()),
    }
}
