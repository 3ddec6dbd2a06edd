//! `docs/requirements.md` states facts about tests; here they are held to them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A row of a table: its id, whether the claim holds, and its proofs.
struct Row {
    id: String,
    verdict: String,
    proofs: Vec<String>,
}

/// The rows whose id begins with this: `C` for claims, `B` for what goes beyond them, `F` for faults that are gone.
fn rows(kind: char) -> Vec<Row> {
    let text = fs::read_to_string(workspace().join("docs/requirements.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with(&format!("| {kind}")));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (id, verdict, proof) = match cells[..] {
            [id, _, verdict, _, proof] if kind == 'C' => (id, verdict, proof),
            [id, _, verdict, proof] if kind == 'B' => (id, verdict, proof),
            [id, _, proof] if kind == 'F' => (id, "**better**", proof),
            _ => panic!("too few or too many cells: {line}"),
        };
        Row {
            id: id.to_owned(),
            verdict: verdict.to_owned(),
            proofs: proof.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        }
    })
    .collect()
}

/// Every Rust file below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether the text has a function of this name.
fn has_function(source: &str, name: &str) -> bool {
    source.match_indices(&format!("fn {name}")).any(|(at, found)| {
        let after = source[at + found.len()..].chars().next();
        matches!(after, Some('(' | '<'))
    })
}

/// Whether the suite has a case of this id, `group.name`, as its registration block says.
fn has_case(suite: &[String], id: &str) -> bool {
    let Some((group, name)) = id.split_once('.') else {
        return false;
    };
    let (group, name) = (
        group.replace('-', "_"),
        format!(" {} = \"", name.replace('-', "_")),
    );
    suite.iter().any(|source| {
        let Some((_, block)) = source.split_once(&format!("cases! {{ {group}:")) else {
            return false;
        };
        block
            .split_once("\n}")
            .is_some_and(|(block, _)| block.contains(&name))
    })
}

#[test]
fn every_claim_has_a_row_and_every_proof_is_there() {
    let suite = sources(&workspace().join("conformance-tests/src"));
    let suite: Vec<String> = suite
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut problems = Vec::new();
    for Row { id, verdict, proofs } in ['C', 'B', 'F'].into_iter().flat_map(rows) {
        match verdict.as_str() {
            "**held**" | "**better**" if proofs.is_empty() => problems.push(format!("{id} has no proof")),
            "**held**" | "**better**" | "**not**" => {}
            other => problems.push(format!("{id}: {other:?} is no verdict")),
        }
        for proof in proofs {
            let there = match proof.split_once("::") {
                Some((file, test)) => {
                    fs::read_to_string(workspace().join(file)).is_ok_and(|source| has_function(&source, test))
                }
                None => has_case(&suite, &proof),
            };
            if !there {
                problems.push(format!("{id}: there is no {proof}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_claim_has_exactly_one_row() {
    let executions = (1..=71).map(|claim| format!("C5.{claim:02}"));
    let volumes = (1..=75).map(|claim| format!("C4.{claim:02}"));
    let chunks = (1..=67).map(|claim| format!("C1.{claim:02}"));
    let collections = (1..=94).map(|claim| format!("C2.{claim:02}"));
    let kv = (1..=99).map(|claim| format!("C3.{claim:02}"));
    let expected: Vec<String> = executions
        .chain(volumes)
        .chain(chunks)
        .chain(collections)
        .chain(kv)
        .collect();
    let claims: Vec<String> = rows('C').into_iter().map(|row| row.id).collect();
    assert_eq!(claims, expected);
}

#[test]
fn the_licences_are_there() {
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let text = fs::read_to_string(workspace().join(name)).unwrap();
        assert!(text.len() > 500, "{name}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    assert!(has_function("async fn a_law(place: &Place)", "a_law"));
    assert!(!has_function("fn a_law_of_old()", "a_law") && !has_function("// a_law", "a_law"));
    let suite = ["cases! { some_group:\n    smoke [] a_name = \"…\";\n}\nfn other_name() {}".to_owned()];
    assert!(has_case(&suite, "some-group.a-name"));
    assert!(!has_case(&suite, "some-group.other-name") && !has_case(&suite, "group.a-name"));
}
