//! The public suite on servers.

use std::process::ExitCode;

use conformance_tests::{Waiver, absent, trials};

use crate::{Kind, Places, Server, run};

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
