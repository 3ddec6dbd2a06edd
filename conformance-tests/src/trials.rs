//! The cases as tests made at run time, for what is not known when the test program is built: which servers there are.

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::case::{Case, Tier};
use crate::harness::Harness;
use crate::runner::run_test;
use crate::suite::Suite;

/// A test of each case of a suite against this harness, named `prefix::group::case` as [`suite!`](crate::suite!) names them. Deep
/// ones are ignored unless asked for. `open` is called once for each test, in its runtime.
pub fn trials<H, Opening>(
    suite: Suite,
    prefix: &str,
    open: impl Fn() -> Opening + Clone + Send + Sync + 'static,
) -> Vec<Trial>
where
    H: Harness,
    Opening: Future<Output = H>,
{
    let open = Arc::new(open);
    let trial = |case: &'static Case| {
        let (open, id) = (Arc::clone(&open), case.id);
        let test = move || {
            run_test(open(), id);
            Ok(())
        };
        Trial::test(name(prefix, id), test).with_ignored_flag(case.tier == Tier::Deep)
    };
    suite
        .cases()
        .filter(|case| case.facility.is_none())
        .map(trial)
        .collect()
}

/// Every case of a suite as an ignored test that says why it cannot be run: what is absent never counts as passed.
///
/// Asked to run all the same, with `--ignored`, each fails with the reason.
pub fn absent(suite: Suite, prefix: &str, reason: &str) -> Vec<Trial> {
    let trial = |case: &'static Case| {
        let failure = reason.to_owned();
        Trial::test(name(prefix, case.id), move || Err(failure.into()))
            .with_kind("not available")
            .with_ignored_flag(true)
    };
    suite
        .cases()
        .filter(|case| case.facility.is_none())
        .map(trial)
        .collect()
}

fn name(prefix: &str, id: &str) -> String {
    format!("{prefix}::{}", id.replace('.', "::").replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_never_run_and_never_passes() {
        let tests = absent(Suite::Adapter, "server", "it is not here");
        assert!(tests.len() > 300);
        assert!(tests.iter().all(Trial::has_ignored_flag));
        assert!(tests.iter().all(|test| test.kind() == "not available"));
        assert!(
            tests
                .iter()
                .any(|test| test.name().starts_with("server::objects::"))
        );
    }
}
