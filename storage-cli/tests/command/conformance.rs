use serde_json::Value;

use super::shell::Shell;

#[test]
fn every_backend_passes_a_case_and_is_left_as_it_was() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path().join("there")).unwrap();
    std::fs::write(shell.path().join("there/mine.txt"), "mine").unwrap();
    for url in ["memory:", "fs:./there", "sqlite:./there/app.db"] {
        let ended = shell.run(&[
            "conformance",
            url,
            "--only",
            "objects.*",
            "--tier",
            "smoke",
            "--jobs",
            "2",
            "--json",
        ]);
        assert_eq!(ended.code, 0, "{url}: {}", ended.err);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(report["schema"], "conformance-tests/1");
        assert!(!report["cases"].as_array().unwrap().is_empty());
        assert!(
            ended.err.contains("objects."),
            "progress is for people: {}",
            ended.err
        );
        let left: Vec<_> = std::fs::read_dir(shell.path().join("there"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["mine.txt"], "{url}");
    }
}

#[test]
fn directories_that_a_run_needed_go_with_it() {
    let shell = Shell::new();
    for url in ["fs:./new/data", "sqlite:./new/data/app.db"] {
        shell.ok(&["conformance", url, "--only", "objects.put-*", "--tier", "smoke"]);
        assert!(!shell.path().join("new").exists(), "{url}");
    }
}

#[test]
fn cases_are_listed_without_a_storage() {
    let shell = Shell::new();
    let list = shell.ok(&["conformance", "--list", "--only", "objects.*"]);
    assert!(
        list.lines().count() > 1 && list.lines().all(|line| line.starts_with("objects.")),
        "{list}"
    );
    assert_eq!(
        shell
            .run(&["conformance", "memory:", "--only", "no-such-case"])
            .code,
        2
    );
    assert_eq!(shell.run(&["conformance"]).code, 2);
    assert_eq!(shell.run(&["conformance", "sqlite::memory:"]).code, 2);
}

#[test]
fn reports_are_written_in_every_form_and_put_side_by_side() {
    let shell = Shell::new();
    for (url, file) in [("memory:", "memory.json"), ("fs:./files", "files.json")] {
        let json = format!("json={file}");
        shell.ok(&[
            "conformance",
            url,
            "--only",
            "batch.*",
            "--tier",
            "smoke",
            "--report",
            &json,
            "--report",
            "junit=report.xml",
            "--report",
            "md=report.md",
        ]);
    }
    let read = |name: &str| std::fs::read_to_string(shell.path().join(name)).unwrap();
    assert!(read("report.xml").contains(r#"classname="batch""#));
    assert!(read("report.md").contains("| `batch.commit-applies-all` | refused |"));
    let matrix = shell.ok(&["conformance", "matrix", "memory.json", "files.json"]);
    assert!(matrix.contains("| `atomic-batch` | ✔ | – |"), "{matrix}");
    assert!(matrix.contains("| batches | ✔ | – |"), "{matrix}");
    std::fs::write(shell.path().join("other.json"), "{}").unwrap();
    let refused = shell.run(&["conformance", "matrix", "other.json"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("other.json is no report"), "{}", refused.err);
    let unknown = shell.run(&["conformance", "memory:", "--report", "pdf=a"]);
    assert!(
        unknown.err.contains("json, junit, md and text"),
        "{}",
        unknown.err
    );
}

#[test]
fn what_is_required_must_be_declared() {
    let shell = Shell::new();
    let run = |url: &str| {
        shell.run(&[
            "conformance",
            url,
            "--only",
            "batch.commit-*",
            "--require",
            "atomic-batch",
        ])
    };
    assert_eq!(run("memory:").code, 0);
    let refused = run("fs:./files");
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("required and not there: atomic-batch"),
        "{}",
        refused.err
    );
}
