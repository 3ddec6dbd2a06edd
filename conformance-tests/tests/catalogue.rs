//! The registry: ids that stay, a document that says what it says, and a positive case for every capability.

use std::collections::HashSet;
use std::path::Path;

use conformance_tests::{Case, Suite, catalogue};
use storage_core::Capability;

fn cases() -> impl Iterator<Item = &'static Case> {
    Suite::ALL.iter().flat_map(|suite| suite.cases())
}

#[test]
#[cfg_attr(
    not(all(
        feature = "chunks",
        feature = "collections",
        feature = "kv",
        feature = "volumes"
    )),
    ignore = "it lists every suite: --all-features"
)]
fn the_catalogue_is_what_the_registry_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CATALOGUE.md");
    let expected = catalogue();
    if std::env::var_os("UPDATE_CATALOGUE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == expected,
        "CATALOGUE.md is out of date: UPDATE_CATALOGUE=1 cargo test -p conformance-tests --all-features --test catalogue writes it"
    );
}

#[test]
fn ids_are_unique_and_in_kebab_case() {
    let mut seen = HashSet::new();
    for case in cases() {
        assert!(seen.insert(case.id), "{} is there twice", case.id);
        let (group, name) = case.id.split_once('.').unwrap();
        for part in [group, name] {
            let allowed = part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            assert!(
                allowed && !part.is_empty() && !part.starts_with('-'),
                "{}",
                case.id
            );
        }
    }
}

#[test]
fn every_case_says_what_it_proves() {
    for case in cases() {
        assert!(
            case.proves.len() > 15 && !case.proves.ends_with('.') && !case.proves.contains('\n'),
            "{}",
            case.id
        );
    }
}

#[test]
fn every_capability_has_a_case_so_its_absence_has_a_twin() {
    for capability in Capability::ALL {
        let needed = Suite::Adapter
            .cases()
            .any(|case| case.capabilities.contains(capability));
        assert!(needed, "no case needs {capability}");
    }
}
