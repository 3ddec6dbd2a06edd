use serde_json::Value;

use super::shell::{Shell, URLS};

fn put(shell: &Shell, id: &str, text: &str) {
    shell.run_with_input(&["doc", "put", "users", id], text.as_bytes());
}

#[test]
fn a_backup_is_made_listed_verified_restored_and_deleted() {
    for url in URLS {
        let shell = Shell::on(url);
        put(&shell, "ada", r#"{ "n": 1 }"#);
        let made: Value = serde_json::from_str(&shell.ok(&["backup", "create", "first"])).unwrap();
        assert_eq!((&made["name"], &made["documents"]), (&"first".into(), &1.into()));
        put(&shell, "ada", r#"{ "n": 2 }"#);
        put(&shell, "bob", "{}");

        let listed: Value = serde_json::from_str(&shell.ok(&["backup", "list"])).unwrap();
        assert_eq!(listed, made);
        assert_eq!(
            serde_json::from_str::<Value>(&shell.ok(&["backup", "verify", "first"])).unwrap(),
            made
        );
        let report: Value = serde_json::from_str(&shell.ok(&["backup", "restore", "first"])).unwrap();
        assert_eq!((&report["written"], &report["deleted"]), (&1.into(), &1.into()));
        let ada: Value = serde_json::from_str(&shell.ok(&["doc", "get", "users", "ada"])).unwrap();
        assert_eq!(ada["n"], 1);
        assert_eq!(shell.run(&["doc", "get", "users", "bob"]).code, 3);
        assert_eq!(
            shell.ok(&["backup", "list"]).lines().count(),
            2,
            "what was there before is one, too"
        );

        shell.ok(&["backup", "rm", "first", "none"]);
        let ended = shell.run(&["backup", "restore", "first"]);
        assert_eq!(ended.code, 3);
        assert!(
            ended.err.contains("Backup not found: first") && ended.err.contains("before-restore"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn backups_move_data_from_one_backend_to_another() {
    let shell = Shell::new();
    shell.run_with_input(
        &["--url", "fs:./data", "doc", "put", "users", "ada"],
        br#"{ "n": 1 }"#,
    );
    shell.ok(&["--url", "fs:./data", "backup", "create", "moving"]);
    shell.ok(&[
        "--url",
        "sqlite:./app.db",
        "backup",
        "restore",
        "moving",
        "--on",
        "fs:./data",
    ]);
    let ada = shell.ok(&["--url", "sqlite:./app.db", "doc", "get", "users", "ada"]);
    assert!(ada.contains("\"n\""), "{ada}");
}

#[test]
fn objects_and_logs_are_in_a_backup_unless_documents_are_all_that_is_asked_for() {
    for url in URLS {
        let shell = Shell::on(url);
        shell.run_with_input(&["put", "notes/a.txt"], b"before");
        shell.run_with_input(&["log", "append", "events", "one"], b"");
        let made: Value = serde_json::from_str(&shell.ok(&["backup", "create", "all"])).unwrap();
        assert_eq!((&made["objects"], &made["logs"]), (&1.into(), &1.into()));
        let made = shell.ok(&["backup", "create", "documents", "--documents-only"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        assert_eq!((&made["objects"], &made["logs"]), (&Value::Null, &Value::Null));

        shell.run_with_input(&["put", "notes/a.txt"], b"after");
        shell.ok(&["backup", "restore", "documents"]);
        assert_eq!(shell.ok(&["get", "notes/a.txt"]), "after");
        shell.ok(&["backup", "restore", "all"]);
        assert_eq!(shell.ok(&["get", "notes/a.txt"]), "before");
    }
}
