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
