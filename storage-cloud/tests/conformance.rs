//! The public suite on every server of objects that can be had here: a prefix for each place.

use std::process::ExitCode;

use conformance_tests::Suite;
use test_servers::{Kind, suites};

fn main() -> ExitCode {
    suites(&[Suite::Adapter], &[Kind::S3, Kind::Gcs, Kind::Azure])
}
