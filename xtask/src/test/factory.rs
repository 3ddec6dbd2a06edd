//! Does the factory build with each of its features alone, and with none?

use crate::cargo::{cargo, run};
use crate::metadata::Metadata;
use crate::report::Report;

const FACTORY: &str = "storage-factory";

pub(super) fn steps(metadata: &Metadata, report: &mut Report) {
    let factory = match metadata.member(FACTORY) {
        Ok(factory) => factory,
        Err(error) => return report.step(format!("the features of {FACTORY}"), || Err(error)),
    };
    let check = ["check", "--locked", "--package", FACTORY, "--no-default-features"];
    report.step(format!("{FACTORY} without features"), || run(&mut cargo(check)));
    for feature in factory.features.keys() {
        report.step(format!("{FACTORY} with only `{feature}`"), || {
            run(cargo(check).args(["--features", feature]))
        });
    }
}
