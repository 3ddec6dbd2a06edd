//! The public suite on every server of objects that can be had here: a prefix for each place.

use std::process::ExitCode;

use test_servers::{Kind, suite};

fn main() -> ExitCode {
    suite(&[Kind::S3, Kind::Gcs, Kind::Azure])
}
