//! `cargo xtask test`: the one command that says whether this clone works.

mod factory;
mod outside;
mod suite;
mod totals;

use std::process::ExitCode;

use crate::docs;
use crate::metadata::Metadata;
use crate::report::Report;

pub(crate) fn run(for_tests: &[&str]) -> ExitCode {
    let mut report = Report::default();
    let mut totals = totals::Totals::default();
    report.step("tests", || suite::run(for_tests, &mut totals));
    match Metadata::read() {
        Ok(metadata) => {
            factory::steps(&metadata, &mut report);
            report.step("a crate outside the workspace", || outside::run(&metadata));
        }
        Err(error) => report.step("read the workspace", || Err(error)),
    }
    report.step("generated documents", || docs::update(docs::Mode::Check));
    let exit = report.finish();
    totals.print();
    exit
}
