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

#[test]
fn files_are_looked_at_and_processes_killed_where_both_are_on_this_machine() {
    let shell = Shell::new().with("CONFORMANCE_ROUNDS", "3");
    std::fs::create_dir(shell.path().join("there")).unwrap();
    let run = |url: &str| {
        shell.run(&[
            "conformance",
            url,
            "--only",
            "processes.*",
            "--only",
            "raw.deletions-*",
            "--require",
            "processes",
            "--require",
            "raw",
            "--budget-ops",
            "100",
            "--json",
        ])
    };
    for url in ["fs:./there", "sqlite:./there/app.db"] {
        let ended = run(url);
        assert_eq!(ended.code, 0, "{url}: {}{}", ended.out, ended.err);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        let cases = report["cases"].as_array().unwrap();
        let passed = |id: &str| {
            let case = cases.iter().find(|case| case["id"] == id).unwrap();
            assert_eq!(case["outcome"], "pass", "{url}: {case}");
        };
        passed("processes.kill-9-loses-nothing-acknowledged");
        passed("processes.two-processes-lose-no-update");
        passed("processes.what-three-processes-did-has-an-order");
        passed("processes.sequences-with-crashes");
        passed("raw.deletions-free-their-room");
        let left = std::fs::read_dir(shell.path().join("there")).unwrap().count();
        assert_eq!(left, 0, "{url}");
    }
    let refused = run("memory:");
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("required and not there: processes"),
        "{}",
        refused.err
    );
}

#[test]
fn the_help_says_what_is_offered() {
    let help = Shell::new().ok(&["conformance", "--help"]);
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    assert!(
        help.contains("Of fs and sqlite the files are looked at too"),
        "{help}"
    );
    assert!(
        !help.contains("a case starts it"),
        "the other processes are nobody's command: {help}"
    );
}

#[test]
fn a_sequence_with_crashes_is_played_again_where_processes_can_be_killed() {
    let shell = Shell::new();
    let sequence = r#"{ "found": "by hand", "steps": [
        { "client": 0, "do": { "crash-restart": { "moment": "answered", "during":
            { "write": { "key": "a", "content": { "seed": 1, "length": 5 }, "when": "always" } } } } },
        { "client": 1, "do": { "read": { "key": "a", "range": null } } }
    ] }"#;
    std::fs::write(shell.path().join("crash.json"), sequence).unwrap();
    for url in ["fs:./data", "sqlite:./app.db"] {
        let played = shell.ok(&["conformance", url, "--replay", "crash.json"]);
        assert!(
            played.contains("2 operations gave what the model says"),
            "{played}"
        );
    }
    let refused = shell.run(&["conformance", "memory:", "--replay", "crash.json"]);
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("the harness offers none"), "{}", refused.out);
}
