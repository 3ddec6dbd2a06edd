//! The suites of the stores on every server there is.

use std::process::ExitCode;

use conformance_tests::Suite;
use test_servers::{Kind, suites};

fn main() -> ExitCode {
    suites(
        &[Suite::Chunks, Suite::Collections, Suite::Kv, Suite::Volumes],
        &Kind::ALL,
    )
}
