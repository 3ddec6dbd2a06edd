//! Every test of the workspace: its test programs, and the examples in the documentation.

use std::io::{BufRead, BufReader, IsTerminal, pipe, stdout};
use std::process::Command;

use super::lanes::{self, Ended, Event, Lane};
use super::programs::Program;
use super::totals::Totals;
use crate::Result;
use crate::cargo::{cargo, describe, without_settings};
use crate::metadata::Metadata;

const EVERYTHING: [&str; 4] = ["test", "--workspace", "--all-features", "--locked"];

/// The test programs that ask the servers, and wait for them most of the time.
const ON_SERVERS: [(&str, &str); 10] = [
    ("storage-cli", "servers"),
    ("storage-cloud", "conformance"),
    ("storage-cloud", "killed"),
    ("storage-factory", "servers"),
    ("storage-mongo", "conformance"),
    ("storage-mongo", "killed"),
    ("storage-mongo", "servers"),
    ("storage-opendal", "s3"),
    ("storage-stores", "executions-on-servers"),
    ("storage-stores", "suites-on-servers"),
];

/// Builds every test program.
pub(super) fn build(metadata: &Metadata) -> Result<Vec<Program>> {
    Program::build_all(&EVERYTHING, metadata)
}

/// Runs every test program and adds its outcome to the totals.
pub(super) fn run(programs: &[Program], for_tests: &[&str], totals: &mut Totals) -> Result<()> {
    let command = |program: &Program| {
        let mut command = program.command();
        command.args(for_tests);
        command
    };
    side_by_side(programs, command, totals)
}

/// Runs what [`run`] has ignored: what takes long, and what cannot be run, which fails and says why.
pub(super) fn run_ignored(
    programs: &[Program],
    for_tests: &[&str],
    operations: Option<u64>,
    totals: &mut Totals,
) -> Result<()> {
    let command = |program: &Program| {
        let mut command = program.command();
        command.arg("--ignored").args(for_tests);
        if let Some(operations) = operations {
            let rounds = operations.div_ceil(100);
            command.env("CONFORMANCE_OPERATIONS", operations.to_string());
            command.env("CONFORMANCE_ROUNDS", rounds.to_string());
        }
        command
    };
    let mut ignored = Totals::default();
    let outcome = side_by_side(programs, command, &mut ignored);
    totals.catch_up(ignored);
    outcome
}

/// Runs the examples in the documentation.
pub(super) fn run_examples(for_tests: &[&str], totals: &mut Totals) -> Result<()> {
    let mut command = cargo(EVERYTHING);
    command.args(["--no-fail-fast", "--doc"]);
    if stdout().is_terminal() {
        command.arg("--color=always");
    }
    command.arg("--").args(for_tests);
    without_settings(&mut command);
    println!("{}", describe(&command));

    // One pipe for both streams: cargo names a crate on one, and its tests answer on the other.
    let (reader, writer) = pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    drop(command); // It holds the pipe's writing end, and reading would never end.

    let failed = totals.failed();
    for line in BufReader::new(reader).split(b'\n') {
        say(&String::from_utf8_lossy(&line?), totals);
    }
    let status = child.wait()?;
    match (status.success(), totals.failed() - failed) {
        (true, _) => Ok(()),
        (false, 0) => Err(format!("cargo test ended with {status}, though no test that ran failed").into()),
        (false, failed) => Err(format!("{failed} tests failed").into()),
    }
}

/// Runs test programs in two lanes and shows what each has said when it ends.
///
/// Those on servers go one after the other: a server can be asked too much.
fn side_by_side(
    programs: &[Program],
    command: impl Fn(&Program) -> Command + Sync,
    totals: &mut Totals,
) -> Result<()> {
    let is_on_servers =
        |program: &&Program| ON_SERVERS.contains(&(program.package.as_str(), program.target.as_str()));
    let (on_servers, others): (Vec<&Program>, Vec<&Program>) = programs.iter().partition(is_on_servers);
    if on_servers.len() != ON_SERVERS.len() {
        return Err("the workspace has not all test programs of ON_SERVERS (xtask/src/test/suite.rs)".into());
    }
    let lane = |programs| Lane { programs, at_once: 1 };
    let mut wrong = Vec::new();
    lanes::run(
        vec![lane(on_servers), lane(others)],
        command,
        |event| match event {
            Event::Began(program) => println!("       Began {}", program.heading()),
            Event::Ended(program, ended) => {
                if let Err(error) = show(program, ended, totals) {
                    let error = format!("{error} (cargo test --all-features {})", program.options());
                    println!("error: {error}\n");
                    wrong.push(error);
                }
            }
        },
    );
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} test programs failed\n{}", wrong.len(), wrong.join("\n")).into())
    }
}

/// Shows what a program said and adds it to the totals.
fn show(program: &Program, ended: Ended, totals: &mut Totals) -> Result<()> {
    say(&format!("     Running {}", program.heading()), totals);
    let (status, said) = ended?;
    let (failed, summaries) = (totals.failed(), totals.summaries());
    for line in String::from_utf8_lossy(&said).lines() {
        say(line, totals);
    }
    match (
        status.success(),
        totals.failed() - failed,
        totals.summaries() - summaries,
    ) {
        (true, _, 0) => Err("it ended without saying how its tests went".into()),
        (true, ..) => Ok(()),
        (false, 0, _) => Err(format!("it ended with {status}, though no test that ran failed").into()),
        (false, failed, _) => Err(format!("{failed} tests failed").into()),
    }
}

fn say(line: &str, totals: &mut Totals) {
    println!("{line}");
    totals.read_line(line);
}
