//! The public suite on every server that speaks MongoDB's protocol and can be had here: a database for each place.

use std::process::ExitCode;

use conformance_tests::Suite;
use test_servers::{Kind, suites};

fn main() -> ExitCode {
    suites(&[Suite::Adapter], &[Kind::Mongo])
}
