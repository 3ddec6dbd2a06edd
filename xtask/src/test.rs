//! `cargo xtask test`: the one command that says whether this clone works.

mod factory;
mod lanes;
mod outside;
mod programs;
mod suite;
mod totals;

use std::process::ExitCode;

use self::programs::Program;
use self::totals::Totals;
use crate::docs;
use crate::metadata::Metadata;
use crate::report::Report;
use crate::servers::Servers;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan<'a> {
    /// Also what takes long.
    deep: bool,
    /// How many random operations each deep case of the model plays, and a hundredth of it how often lanes of processes go round.
    operations: Option<u64>,
    /// The arguments of the test programs.
    for_tests: &'a [&'a str],
}

impl<'a> Plan<'a> {
    /// `[--deep [--operations N]] [-- args]`.
    pub(crate) fn read(words: &'a [&'a str]) -> Option<Self> {
        let (deep, words) = match words {
            ["--deep", rest @ ..] => (true, rest),
            _ => (false, words),
        };
        let (operations, words) = match words {
            ["--operations", number, rest @ ..] if deep => (Some(number.parse().ok()?), rest),
            _ => (None, words),
        };
        let for_tests = match words {
            [] => words,
            ["--", rest @ ..] => rest,
            _ => return None,
        };
        Some(Self {
            deep,
            operations,
            for_tests,
        })
    }
}

pub(crate) fn run(plan: &Plan<'_>) -> ExitCode {
    let mut report = Report::default();
    let mut totals = Totals::default();
    match Metadata::read() {
        Ok(metadata) => all(plan, &metadata, &mut report, &mut totals),
        Err(error) => report.step("read the workspace", || Err(error)),
    }
    let exit = report.finish();
    totals.print();
    exit
}

fn all(plan: &Plan<'_>, metadata: &Metadata, report: &mut Report, totals: &mut Totals) {
    let (programs, servers) = programs_and_servers(plan.deep, metadata, report);
    if let Some(programs) = programs {
        report.step("tests", || suite::run(&programs, plan.for_tests, totals));
        if plan.deep {
            report.step("tests that take long", || {
                suite::run_ignored(&programs, plan.for_tests, plan.operations, totals)
            });
        }
    }
    report.step("examples in the documentation", || {
        suite::run_examples(plan.for_tests, totals)
    });
    factory::steps(metadata, report);
    report.step("a crate outside the workspace", || outside::run(metadata));
    report.step("generated documents", || docs::update(docs::Mode::Check));
    if let Some(servers) = servers {
        report.step("servers at the end", || {
            let shown = servers.print();
            servers.end().and(shown)
        });
    }
}

/// Installs and starts the servers while the test programs are built. Tests that need one that is missing say so.
fn programs_and_servers(
    deep: bool,
    metadata: &Metadata,
    report: &mut Report,
) -> (Option<Vec<Program>>, Option<Servers>) {
    let (mut programs, mut starting, mut servers) = (None, None, None);
    report.step("servers, from here on beside the compiler", || {
        starting = Some(Servers::start(deep)?);
        Ok(())
    });
    report.step("test programs", || {
        programs = Some(suite::build(metadata)?);
        Ok(())
    });
    if let Some(starting) = starting {
        report.step("servers", || {
            let (started, outcome) = starting.finish();
            servers = Some(started);
            outcome
        });
    }
    (programs, servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_make_a_plan() {
        let plan = |deep, for_tests| {
            Some(Plan {
                deep,
                operations: None,
                for_tests,
            })
        };
        assert_eq!(Plan::read(&[]), plan(false, &[]));
        assert_eq!(Plan::read(&["--deep"]), plan(true, &[]));
        assert_eq!(Plan::read(&["--", "name"]), plan(false, &["name"]));
        assert_eq!(Plan::read(&["--deep", "--", "--deep"]), plan(true, &["--deep"]));
        let bounded = Plan::read(&["--deep", "--operations", "500", "--", "name"]).unwrap();
        assert_eq!(
            (bounded.operations, bounded.for_tests),
            (Some(500), ["name"].as_slice())
        );
        for wrong in [
            &["--operations", "500"][..],
            &["--deep", "--operations"],
            &["--deep", "--operations", "x"],
        ] {
            assert_eq!(Plan::read(wrong), None);
        }
        assert_eq!(Plan::read(&["--deeper"]), None);
        assert_eq!(Plan::read(&["name"]), None);
    }
}
