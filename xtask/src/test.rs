//! `cargo xtask test`: the one command that says whether this clone works.

mod factory;
mod outside;
mod suite;
mod totals;

use std::process::ExitCode;

use crate::docs;
use crate::metadata::Metadata;
use crate::report::Report;
use crate::servers::Servers;

pub(crate) fn run(for_tests: &[&str]) -> ExitCode {
    let mut report = Report::default();
    let mut totals = totals::Totals::default();
    let servers = with_servers(&mut report);
    report.step("tests", || suite::run(for_tests, &mut totals));
    match Metadata::read() {
        Ok(metadata) => {
            factory::steps(&metadata, &mut report);
            report.step("a crate outside the workspace", || outside::run(&metadata));
        }
        Err(error) => report.step("read the workspace", || Err(error)),
    }
    report.step("generated documents", || docs::update(docs::Mode::Check));
    if let Some(servers) = servers {
        report.step("servers at the end", || {
            let shown = servers.print();
            servers.end().and(shown)
        });
    }
    let exit = report.finish();
    totals.print();
    exit
}

/// Installs and starts the servers while the test programs are built. Tests that need one that is missing say so.
fn with_servers(report: &mut Report) -> Option<Servers> {
    let mut starting = None;
    report.step("servers, from here on beside the compiler", || {
        starting = Some(Servers::start()?);
        Ok(())
    });
    report.step("test programs", suite::build);
    let mut servers = None;
    if let Some(starting) = starting {
        report.step("servers", || {
            let (started, outcome) = starting.finish();
            servers = Some(started);
            outcome
        });
    }
    servers
}
