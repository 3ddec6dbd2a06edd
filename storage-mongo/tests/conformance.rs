//! The public suite on every server that speaks MongoDB's protocol and can be had here: a database for each place.

use std::process::ExitCode;

use test_servers::{Kind, suite};

fn main() -> ExitCode {
    suite(&[Kind::Mongo])
}
