//! What a backend is expected to be asked, as a list that is checked in: a case that is lost, or refused from now on, shows as a
//! difference.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use storage_core::Declaration;

use crate::context::Ctx;
use crate::facility::Facility;
use crate::harness::{Harness, Waiver};
use crate::plan::Plan;
use crate::suite::Suite;

/// Set to write the list instead of comparing it.
const UPDATE: &str = "UPDATE_EXPECTED";

/// Compares the list at `path` with what this harness's adapter is asked: every case of the suite, and whether it runs, is refused,
/// is waived or needs what the harness does not offer. `UPDATE_EXPECTED=1` writes it. The body of the test [`expected!`](crate::expected!) makes.
///
/// # Panics
/// When they differ, with the lines that do.
pub async fn check_expected(harness: impl Harness, suite: Suite, path: &Path) {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let ctx = Ctx::open(Arc::clone(&harness), Plan::new().settings()).await;
    let ctx = ctx.unwrap_or_else(|error| panic!("the harness cannot open a place: failed to {error}"));
    let list = expected(suite, ctx.declaration(), harness.waivers(), harness.facilities());
    if let Err(error) = ctx.clean_up().await {
        panic!("the harness cannot clean up: failed to {error}");
    }
    if std::env::var_os(UPDATE).is_some() {
        let written = std::fs::write(path, &list);
        written.unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    if let Some(difference) = difference(&there, &list) {
        panic!(
            "{} is not what the suite asks; {UPDATE}=1 writes it, if that is meant:\n{difference}",
            path.display()
        );
    }
}

/// A line for each case.
fn expected(suite: Suite, declaration: &Declaration, waivers: &[Waiver], facilities: &[Facility]) -> String {
    let mut text = String::new();
    for case in suite.cases() {
        let absent: Vec<&str> = case
            .capabilities
            .iter()
            .filter(|capability| !declaration.support(**capability).is_present())
            .map(|capability| capability.as_str())
            .collect();
        let expectation = if waivers.iter().any(|waiver| waiver.case == case.id) {
            "waived".to_owned()
        } else if let Some(facility) = case.facility.filter(|facility| !facilities.contains(facility)) {
            format!("not available: {facility}")
        } else if absent.is_empty() {
            "runs".to_owned()
        } else {
            format!("refused: {}", absent.join(", "))
        };
        text.push_str(&format!("{} {} {expectation}\n", case.id, case.tier.as_str()));
    }
    text
}

/// The lines that only one of them has; `None` if there are none.
fn difference(before: &str, now: &str) -> Option<String> {
    let only = |sign: char, these: &str, others: &str| -> String {
        let others: HashSet<&str> = others.lines().collect();
        let lines = these.lines().filter(|line| !others.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect()
    };
    let lines = only('-', before, now) + &only('+', now, before);
    (!lines.is_empty()).then_some(lines)
}

/// Makes a test that compares a checked-in list with what the suite asks this harness's adapter:
/// `expected!(MyHarness::new(), "tests/conformance.txt")`, the path from the crate's root. `UPDATE_EXPECTED=1 cargo test` writes it.
#[macro_export]
macro_rules! expected {
    ($harness:expr, $path:literal) => {
        #[test]
        fn what_the_suite_asks_is_what_the_list_says() {
            $crate::run_on_a_runtime(async {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/", $path);
                $crate::check_expected($harness, $crate::Suite::Adapter, path.as_ref()).await;
            });
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_is_lost_or_refused_from_now_on_is_seen() {
        let now = expected(Suite::Adapter, &Declaration::new("mine"), &[], &[]);
        assert!(now.contains("objects.put-get-roundtrip smoke runs\n"), "{now}");
        assert!(now.contains("refused: atomic-batch\n"), "{now}");
        assert_eq!(difference(&now, &now), None);
        let lost = now.replacen("objects.put-get-roundtrip smoke runs\n", "", 1);
        assert_eq!(
            difference(&now, &lost).as_deref(),
            Some("- objects.put-get-roundtrip smoke runs\n")
        );
        let waiver = Waiver {
            case: "objects.put-get-roundtrip",
            reason: "known",
            issue: "#1",
            expires: "2999-01-01",
        };
        let waived = expected(Suite::Adapter, &Declaration::new("mine"), &[waiver], &[]);
        assert!(waived.contains("objects.put-get-roundtrip smoke waived\n"));
    }
}
