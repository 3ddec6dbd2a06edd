//! Test programs over servers: tests are made when it is known which servers there are.

use std::process::ExitCode;

use conformance_tests::{Waiver, absent, trials};
use libtest_mimic::{Arguments, Trial};

use crate::{Kind, Places, Server, Servers};

/// Runs the public suite on every server of these kinds. Tests of a server that is not there are ignored and say why.
///
/// # Panics
/// When the servers cannot be asked for, or one is not there and `STORAGE_REQUIRE` names its kind.
pub fn suite(kinds: &[Kind], waivers: impl Fn(&Server) -> &'static [Waiver]) -> ExitCode {
    let on_server = |server: Server| {
        let waivers = waivers(&server);
        let prefix = server.name.to_lowercase();
        let places = Places::new(server).waive(waivers);
        trials(&prefix, move || {
            let places = places.clone();
            async move { places }
        })
    };
    run(kinds, on_server, |name, reason| {
        absent(&name.to_lowercase(), reason)
    })
}

/// Runs the tests that are made for each server of these kinds, and those that stand for a server that is not there.
///
/// # Panics
/// As [`suite`].
pub fn run(
    kinds: &[Kind],
    on_server: impl Fn(Server) -> Vec<Trial>,
    absent: impl Fn(&str, &str) -> Vec<Trial>,
) -> ExitCode {
    let servers = Servers::load().unwrap_or_else(|error| panic!("the servers of the tests: {error}"));
    let mut tests = Vec::new();
    for kind in kinds {
        tests.extend(servers.of(*kind).into_iter().flat_map(&on_server));
        for missing in servers.missing(*kind) {
            tests.extend(absent(&missing.name, &missing.reason));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
