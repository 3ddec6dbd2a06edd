//! The program runs from end to end and writes what it says. Its figures are of no interest here; servers are not asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_table_is_written_with_its_figures_and_its_plot() {
    let out = tempfile::tempdir().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_storage-bench"))
        .args(["--quick", "--only", "fs,sqlite,kv,layers,memory,growth", "--out"])
        .arg(out.path())
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(
        done.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );

    let page = std::fs::read_to_string(out.path().join("tables.md")).unwrap();
    let tables: BTreeSet<String> = files(out.path(), "json");
    assert_eq!(tables, files(out.path(), "svg"));
    assert_eq!(tables.len(), page.matches("\n### ").count());
    for name in [
        "fs-hot-read-c1",
        "sqlite-put-c128",
        "kv-hit-c1",
        "compress-zstd",
        "growth-page-hot",
        "contention",
    ] {
        assert!(tables.contains(name), "{name} is not in {tables:?}");
    }
    for name in &tables {
        let table: Value =
            serde_json::from_slice(&std::fs::read(out.path().join(format!("{name}.json"))).unwrap()).unwrap();
        check(name, &table, &page);
        let plot = std::fs::read_to_string(out.path().join(format!("{name}.svg"))).unwrap();
        // A background, and a bar for everybody but the control.
        assert_eq!(
            plot.matches("<rect").count(),
            table["rows"].as_array().unwrap().len(),
            "{name}"
        );
        assert!(
            plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"),
            "{name}"
        );
        assert!(!plot.contains("NaN") && !plot.contains("inf"), "{name}");
    }
    assert!(
        std::fs::read_dir(out.path())
            .unwrap()
            .all(|entry| entry.unwrap().path().is_file()),
        "the data is gone"
    );
}

fn check(name: &str, table: &Value, page: &str) {
    assert!(page.contains(table["title"].as_str().unwrap()), "{name}");
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() >= 3, "{name}: ours, a peer and the control");
    assert_eq!(rows.last().unwrap()["name"], "control", "{name}");
    for row in rows {
        let [lower, median, upper] = ["lower", "median", "upper"].map(|figure| row[figure].as_f64().unwrap());
        assert!(
            0.0 <= lower && lower <= median && median <= upper,
            "{name}: {row}"
        );
        assert!(table["unit"] == "memory" || lower > 0.0, "{name}: {row}");
        assert_eq!(
            row["samples"].as_array().unwrap().len() as u64,
            table["rounds"].as_u64().unwrap()
        );
    }
    for goal in table["goals"].as_array().unwrap() {
        let kept = goal["share"].as_f64() <= goal["most"].as_f64();
        assert_eq!(goal["reached"].as_bool().unwrap(), kept, "{name}: {goal}");
    }
}

/// The names, without the extension, of the files with this one.
fn files(directory: &Path, extension: &str) -> BTreeSet<String> {
    let paths = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}
