//! The server is killed and started again under load.

use std::process::ExitCode;

use test_servers::{Native, killed, run_natives, trial};

fn main() -> ExitCode {
    run_natives(&[Native::Secantus, Native::SecantusRs], |native| {
        let name = format!("{}::what_was_acknowledged_survives_the_kill", native.name());
        vec![trial(name.to_lowercase(), move || killed(native))]
    })
}
