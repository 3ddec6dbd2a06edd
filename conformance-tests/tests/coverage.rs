//! What the contract has, the suite asks for: every operation given up, every limit tried; and what the design named is a case, or was
//! struck for a reason. What is added to the contract without a case fails here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;

use conformance_tests::{Suite, struck};
use storage_core::{Memory, StorageBackend};

/// Each operation of the contract, and the case that drops it at every poll.
const GIVEN_UP: &[(&str, &str)] = &[
    ("append", "concurrency.cancel-append-at-every-poll"),
    ("close", "concurrency.cancel-close-at-every-poll"),
    ("close_log", "concurrency.cancel-end-of-log-at-every-poll"),
    ("collections", "concurrency.cancel-reads-at-every-poll"),
    ("commit", "concurrency.cancel-batch-at-every-poll"),
    ("copy", "concurrency.cancel-copy-at-every-poll"),
    ("count", "concurrency.cancel-reads-at-every-poll"),
    ("delete", "concurrency.cancel-objects-at-every-poll"),
    ("delete_document", "concurrency.cancel-documents-at-every-poll"),
    ("delete_log", "concurrency.cancel-end-of-log-at-every-poll"),
    ("delete_many", "concurrency.cancel-deletions-at-every-poll"),
    ("drop_index", "concurrency.cancel-index-at-every-poll"),
    ("ensure_index", "concurrency.cancel-index-at-every-poll"),
    ("explain", "concurrency.cancel-reads-at-every-poll"),
    ("find", "concurrency.cancel-reads-at-every-poll"),
    ("get", "concurrency.cancel-reads-at-every-poll"),
    ("get_many", "concurrency.cancel-reads-at-every-poll"),
    ("health", "concurrency.cancel-reads-at-every-poll"),
    ("index_stats", "concurrency.cancel-reads-at-every-poll"),
    ("indexes", "concurrency.cancel-reads-at-every-poll"),
    ("list", "concurrency.cancel-reads-at-every-poll"),
    ("logs", "concurrency.cancel-reads-at-every-poll"),
    ("open_writer", "concurrency.cancel-upload-at-every-poll"),
    ("put", "concurrency.cancel-documents-at-every-poll"),
    ("put_many", "concurrency.cancel-many-at-every-poll"),
    ("read", "concurrency.cancel-reads-at-every-poll"),
    ("read_log", "concurrency.cancel-reads-at-every-poll"),
    ("rebuild_index", "concurrency.cancel-index-at-every-poll"),
    ("stat", "concurrency.cancel-reads-at-every-poll"),
    ("sweep", "concurrency.cancel-sweep-at-every-poll"),
    ("watch", "watch.giving-up-a-wait-loses-nothing"),
    ("write", "concurrency.cancel-objects-at-every-poll"),
    // Of a writer.
    ("abort", "concurrency.cancel-upload-at-every-poll"),
    ("finish", "concurrency.cancel-upload-at-every-poll"),
];

/// It signs a text and asks nobody, so there is nothing to drop.
const NEVER_WAITS: &[&str] = &["presign"];

/// Each limit, and the case that tries it at its end and beyond.
const TRIED: &[(&str, &str)] = &[
    ("documents.max_batch_operations", "limits.commit-at-and-over"),
    ("documents.max_document_bytes", "limits.document-size-at-and-over"),
    ("documents.max_id_bytes", "limits.document-id-at-and-over"),
    ("documents.max_index_key_bytes", "limits.index-key-at-and-over"),
    ("documents.max_name_bytes", "limits.collection-name-at-and-over"),
    ("documents.max_page_documents", "limits.page-within"),
    ("logs.max_append_bytes", "limits.append-bytes-at-and-over"),
    ("logs.max_entries", "limits.append-entries-at-and-over"),
    ("logs.max_name_bytes", "limits.log-name-at-and-over"),
    ("objects.max_key_bytes", "limits.object-key-at-and-over"),
    ("objects.max_object_bytes", "limits.object-size-at-and-over"),
];

/// It bounds the clocks of machines and no call: expiry is decided by the caller's own clock, which every case of expiry moves.
const BOUNDS_NO_CALL: &[&str] = &["documents.max_clock_skew"];

fn assert_is_case(id: &str) {
    let there = Suite::Adapter.cases().any(|case| case.id == id);
    assert!(there, "there is no case {id:?}");
}

#[test]
fn every_operation_is_given_up_at_every_poll() {
    let core = concat!(env!("CARGO_MANIFEST_DIR"), "/../storage-core/src");
    let mut operations = BTreeSet::new();
    for file in ["adapter.rs", "backend.rs"] {
        let text = std::fs::read_to_string(format!("{core}/{file}")).unwrap();
        let methods = text.lines().filter_map(|line| line.strip_prefix("    async fn "));
        operations.extend(methods.map(|rest| rest.split('(').next().unwrap().to_owned()));
    }
    let listed = GIVEN_UP
        .iter()
        .map(|(operation, _)| *operation)
        .chain(NEVER_WAITS.iter().copied());
    let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
    assert_eq!(operations, listed, "left: the contract, right: what is given up");
    for (_, case) in GIVEN_UP {
        assert_is_case(case);
    }
}

#[test]
fn every_limit_is_tried_at_its_end_and_beyond() {
    // Memory declares everything, so every section is there.
    let declaration = serde_json::to_value(Memory::new().declaration()).unwrap();
    let mut limits = BTreeSet::new();
    for section in ["objects", "documents", "logs"] {
        let fields = declaration[section].as_object().unwrap().keys();
        let of_section = fields.filter(|name| name.starts_with("max_"));
        limits.extend(of_section.map(|name| format!("{section}.{name}")));
    }
    let listed = TRIED
        .iter()
        .map(|(limit, _)| *limit)
        .chain(BOUNDS_NO_CALL.iter().copied());
    let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
    assert_eq!(limits, listed, "left: the declaration, right: what is tried");
    for (_, case) in TRIED {
        assert_is_case(case);
    }
}

/// Each name of the design's catalogue and the case that came of it, or `struck`.
const DESIGN: &str = include_str!("design.txt");

/// The twin of every capability, which stands for a case wherever one is not declared.
const TWIN: &str = "declaration.absent-is-refused";

#[test]
fn every_name_of_the_design_is_a_case_or_was_struck() {
    assert_eq!(DESIGN.lines().count(), 207);
    let is_struck = |name: &str| struck().iter().any(|struck| struck.name == name);
    for line in DESIGN.lines() {
        let (name, case) = line.split_once(' ').unwrap();
        match case {
            "struck" => assert!(is_struck(name), "{name} is nowhere"),
            TWIN => {}
            case => {
                assert_is_case(case);
                assert!(!is_struck(name), "{name} is {case}, and struck too");
            }
        }
    }
}

#[test]
fn every_test_that_a_reason_names_is_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for struck in struck() {
        for quoted in struck.why.split('`').skip(1).step_by(2) {
            let Some((file, test)) = quoted.split_once("::") else {
                if quoted.contains('/') {
                    assert!(std::path::Path::new(root).join(quoted).exists(), "{quoted}");
                } else {
                    assert_is_case(quoted);
                }
                continue;
            };
            let text = std::fs::read_to_string(format!("{root}/{file}")).unwrap_or_default();
            assert!(
                text.contains(&format!("fn {test}(")),
                "{}: there is no {quoted}",
                struck.name
            );
        }
    }
}

#[test]
fn a_backend_takes_the_suite_up_in_25_lines() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/redb/tests/conformance.rs"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !line.starts_with("use ")
    };
    let lines = text.lines().filter(is_code).count();
    assert!(lines <= 25, "{lines} lines");
}
