//! The public suites on servers.

use std::process::ExitCode;

use conformance_tests::{Case, Suite, Tier, absent, case, trials};
use libtest_mimic::Trial;

use crate::waivers::is_unsteady;
use crate::{Kind, Native, Places, Server, run, waivers};

/// Runs public suites on every server of these kinds. Tests of a server that is not there are ignored and say why.
///
/// # Panics
/// When the servers cannot be asked for, or one is not there and `STORAGE_REQUIRE` names its kind.
pub fn suites(suites: &'static [Suite], kinds: &[Kind]) -> ExitCode {
    let on_server = |server: Server| {
        let (waivers, tier) = (waivers(&server), tier(&server));
        let prefix = server.name.to_lowercase();
        let places = Places::new(server.clone()).waive(waivers);
        let all = suites.iter().flat_map(|suite| {
            let places = places.clone();
            trials(*suite, &prefix, move || {
                let places = places.clone();
                async move { places }
            })
        });
        steady(&server, &prefix, up_to(tier, &prefix, all.collect()))
    };
    run(kinds, on_server, |name, reason| {
        let absent = |suite: &Suite| absent(*suite, &name.to_lowercase(), reason);
        suites.iter().flat_map(absent).collect()
    })
}

/// How much of the suite is run on a server every time. The rest is there and ignored; `-- --include-ignored` runs it.
///
/// The servers that are slow beside the others of their kind, or in the way of what runs beside them, are asked the least.
pub fn tier(server: &Server) -> Tier {
    const SLOW: [Native; 4] = [Native::Secantus, Native::FerretDb, Native::Moto, Native::Azurite];
    if SLOW.iter().any(|slow| server.is(*slow)) {
        Tier::Smoke
    } else {
        Tier::Standard
    }
}

/// Ignores the tests of cases above a tier.
pub fn up_to(tier: Tier, prefix: &str, tests: Vec<Trial>) -> Vec<Trial> {
    on_demand(tests, |test| {
        of_test(prefix, test.name()).is_none_or(|case| case.tier > tier)
    })
}

/// Ignores the tests of cases that the server fails now and then.
pub fn steady(server: &Server, prefix: &str, tests: Vec<Trial>) -> Vec<Trial> {
    on_demand(tests, |test| {
        of_test(prefix, test.name()).is_some_and(|case| is_unsteady(server, case.id))
    })
}

/// Ignores these tests; `-- --include-ignored` runs them.
pub fn on_demand(tests: Vec<Trial>, which: impl Fn(&Trial) -> bool) -> Vec<Trial> {
    tests
        .into_iter()
        .map(|test| {
            let ignored = test.has_ignored_flag() || which(&test);
            test.with_ignored_flag(ignored)
        })
        .collect()
}

/// The case a test stands for.
fn of_test(prefix: &str, name: &str) -> Option<&'static Case> {
    let id = name.strip_prefix(prefix)?;
    case(&id.trim_start_matches("::").replace("::", "."))
}
