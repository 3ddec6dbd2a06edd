use serde_json::Value;

use super::shell::Shell;

#[test]
fn config_show_says_who_decided_and_opens_nothing() {
    let shell = Shell::new();
    assert_eq!(
        shell.ok(&["config", "show"]),
        "storage:     fs:./data\ndecided by:  default (no variable is set)\n"
    );
    let shown = shell.ok(&["config", "show", "--url", "sqlite:./app.db"]);
    assert_eq!(shown, "storage:     sqlite:./app.db\ndecided by:  --url\n");

    let shell = shell
        .with("STORAGE_DATA_DIR", "./elsewhere")
        .with("STORAGE_URL", "memory:");
    let shown = shell.ok(&["config", "show"]);
    assert_eq!(
        shown,
        "storage:     memory:\ndecided by:  STORAGE_URL\nignored:     STORAGE_DATA_DIR\n"
    );

    let shell = Shell::new()
        .with("STORAGE_OBJECTS_URL", "fs:./o")
        .with("STORAGE_DOCUMENTS_URL", "sqlite:./d.db");
    let shown = shell.ok(&["config", "show"]);
    assert!(
        shown.contains("objects:     fs:./o\ndocuments:   sqlite:./d.db\n"),
        "{shown}"
    );
    assert_eq!(std::fs::read_dir(shell.path()).unwrap().count(), 0);
}

#[test]
fn settings_that_contradict_each_other_are_named_and_secrets_are_not() {
    let mongo = "mongodb://ada:hunter2@host/db";
    for (shell, code, names) in [
        (
            Shell::new().with("MONGODB_URL", "sqlite:./ada:hunter2@host"),
            2,
            &["MONGODB_URL", "mongodb://"][..],
        ),
        (
            Shell::new()
                .with("MONGODB_URL", mongo)
                .with("STORAGE_DATA_DIR", "x"),
            2,
            &["MONGODB_URL", "STORAGE_DATA_DIR"],
        ),
        (
            Shell::new().with("STORAGE_OBJECTS_URL", "fs:./o"),
            2,
            &["STORAGE_OBJECTS_URL", "STORAGE_DOCUMENTS_URL"],
        ),
        (Shell::new().with("STORAGE_URL", ""), 2, &["STORAGE_URL", "empty"]),
        (
            Shell::new().with("STORAGE_URL", "mongodb://ada:hunter2@host/db#"),
            // Without the feature it is that which is missing.
            if cfg!(feature = "mongo") { 2 } else { 1 },
            &["ada:***@host"],
        ),
        (
            Shell::new().with("STORAGE_URL", "fs:./data?durability=none"),
            2,
            &["power-loss, process-crash"],
        ),
    ] {
        for arguments in [&["config", "show"][..], &["ls"]] {
            let ended = shell.run(arguments);
            assert_eq!(ended.code, code, "{}", ended.err);
            for name in names {
                assert!(ended.err.contains(name), "{name}: {}", ended.err);
            }
            assert!(!ended.err.contains("hunter2"), "{}", ended.err);
        }
        assert!(!shell.path().join("data").exists());
    }
}

#[test]
fn the_url_argument_wins_over_the_environment() {
    let shell = Shell::on("sqlite:./app.db");
    shell.ok(&["--url", "fs:./files", "put", "a.txt"]);
    assert!(shell.path().join("files/a.txt").exists());
    assert!(!shell.path().join("app.db").exists());
}

#[test]
fn backends_declare_themselves_and_leave_nothing_behind() {
    let shell = Shell::new();
    let declarations: Value = serde_json::from_str(&shell.ok(&["backends", "--json"])).unwrap();
    for backend in ["fs", "memory", "sqlite"] {
        assert_eq!(declarations[backend]["backend"], backend);
    }
    let table = shell.ok(&["backends", "--format", "markdown"]);
    assert!(
        table.starts_with("|  | `fs` | `memory` | `sqlite` |\n|---|---|---|---|\n"),
        "{table}"
    );
    assert!(table.contains("(`atomic-batch`) | no | yes | yes |"), "{table}");
    assert_eq!(
        shell.ok(&["backends", "--format", "markdown"]),
        table,
        "what is generated must not vary"
    );
    let one = shell.ok(&["backends", "--url", "memory:"]);
    assert!(!one.contains("sqlite"), "{one}");
    assert_eq!(std::fs::read_dir(shell.path()).unwrap().count(), 0);
}

#[test]
fn reference_tables_name_every_variable_option_and_code() {
    let shell = Shell::new();
    let variables = shell.ok(&["reference", "variables", "--format", "markdown"]);
    assert_eq!(variables.lines().count(), 2 + storage_factory::VARIABLES.len());
    let options = shell.ok(&["reference", "options", "--format", "markdown"]);
    assert!(
        options.contains("| `sqlite:` | `busy_timeout_ms` | milliseconds | 5000 |"),
        "{options}"
    );
    let codes = shell.ok(&["reference", "exit-codes"]);
    let help = shell.ok(&["--help"]);
    for code in 0..=5 {
        assert!(
            codes.contains(&format!("\n{code} ")) && help.contains(&format!("\n  {code}  ")),
            "{codes}{help}"
        );
    }
}

#[test]
fn leases_and_sweeping_answer_on_an_empty_storage() {
    for url in super::shell::URLS {
        let shell = Shell::on(url);
        assert_eq!(shell.ok(&["lease", "ls"]), "");
        assert_eq!(shell.run(&["lease", "break", "none"]).code, 3);
        let report: Value = serde_json::from_str(&shell.ok(&["sweep"])).unwrap();
        assert_eq!(report["purged_documents"], 0);
    }
}

#[tokio::test]
async fn a_lease_that_is_held_is_listed_and_can_be_broken() {
    for url in super::shell::URLS {
        let shell = Shell::on(url);
        let absolute = url.replace("./", &format!("{}/", shell.path().display()));
        let storage = storage_factory::open(&absolute).await.unwrap();
        let lease = storage
            .lease("job", std::time::Duration::from_secs(60))
            .acquire()
            .await
            .unwrap();
        let line: Value = serde_json::from_str(&shell.ok(&["lease", "ls"])).unwrap();
        assert_eq!((&line["name"], &line["held"]), (&"job".into(), &true.into()));
        shell.ok(&["lease", "break", "job"]);
        assert!(lease.renew().await.is_err());
        assert_eq!(shell.run(&["lease", "break", "job"]).code, 3);
        storage.close().await.unwrap();
    }
}
