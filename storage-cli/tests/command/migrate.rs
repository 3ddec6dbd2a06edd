use std::path::Path;

use serde_json::Value;

use super::shell::{Shell, URLS};

fn write(shell: &Shell, directory: &str, file: &str, text: &str) {
    let path = shell.path().join(directory);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join(file), text).unwrap();
}

const ROLES: &str = r#"{
    "version": "1.1.0", "description": "users have a role",
    "up": [{ "add_field": { "collection": "users", "field": "role", "value": "member" } }]
}"#;
const NAMES: &str = r#"{
    "version": "1.10.0", "description": "names are indexed",
    "up": [
        { "rename_field": { "collection": "users", "from": "name", "to": "full_name" } },
        { "add_index": { "collection": "users", "index": { "name": "by_name", "fields": ["full_name"], "kind": "btree" } } }
    ]
}"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn states(shell: &Shell) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines(&shell.ok(&["migrate", "status"]))
        .iter()
        .map(|line| (text(&line["version"]), text(&line["state"])))
        .collect()
}

fn state(version: &str, state: &str) -> (String, String) {
    (version.to_owned(), state.to_owned())
}

fn ada(shell: &Shell) -> Value {
    serde_json::from_str(&shell.ok(&["doc", "get", "users", "ada"])).unwrap()
}

fn prepared(url: &str) -> Shell {
    let shell = Shell::on(url);
    shell.run_with_input(&["doc", "put", "users", "ada"], br#"{ "name": "Ada" }"#);
    // The order of the files is not that of the versions.
    write(&shell, "migrations", "1-names.json", NAMES);
    write(&shell, "migrations", "2-roles.json", ROLES);
    shell
}

#[test]
fn files_are_planned_applied_and_rolled_back() {
    for url in URLS {
        let shell = prepared(url);
        assert_eq!(
            states(&shell),
            [state("1.1.0", "pending"), state("1.10.0", "pending")]
        );
        let plan = lines(&shell.ok(&["migrate", "plan"]));
        let planned: Vec<_> = plan
            .iter()
            .map(|line| (&line["version"], &line["documents"]))
            .collect();
        assert_eq!(
            planned,
            [
                (&"1.1.0".into(), &1.into()),
                (&"1.10.0".into(), &1.into()),
                (&"1.10.0".into(), &Value::Null)
            ]
        );
        assert_eq!(ada(&shell)["role"], Value::Null, "a plan changes nothing");

        let report: Value = serde_json::from_str(&shell.ok(&["migrate", "up"])).unwrap();
        assert_eq!(report["applied"], serde_json::json!(["1.1.0", "1.10.0"]));
        assert_eq!(
            (&ada(&shell)["role"], &ada(&shell)["full_name"]),
            (&"member".into(), &"Ada".into())
        );
        assert_eq!(
            states(&shell),
            [state("1.1.0", "applied"), state("1.10.0", "applied")]
        );

        shell.ok(&["migrate", "down"]);
        assert_eq!(
            states(&shell),
            [state("1.1.0", "applied"), state("1.10.0", "pending")]
        );
        assert_eq!(ada(&shell)["name"], "Ada");
        shell.ok(&["migrate", "down", "--to", "0.0.0", "--no-backup"]);
        assert_eq!(
            states(&shell),
            [state("1.1.0", "pending"), state("1.10.0", "pending")]
        );
        assert_eq!(ada(&shell)["role"], Value::Null);
        assert_eq!(
            shell.run(&["migrate", "down"]).code,
            3,
            "nothing is left to roll back"
        );

        shell.ok(&["migrate", "up", "--to", "1.1.0"]);
        assert_eq!(
            states(&shell),
            [state("1.1.0", "applied"), state("1.10.0", "pending")]
        );
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let shell = prepared("sqlite:./app.db");
    shell.ok(&["migrate", "up"]);
    let late = ROLES.replace("1.1.0", "1.2.0");
    write(&shell, "migrations", "3-late.json", &late);
    let ended = shell.run(&["migrate", "up"]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(
        ended.err.contains("1.2.0") && ended.err.contains("storage migrate down"),
        "{}",
        ended.err
    );

    let changed = ROLES.replace("member", "guest");
    write(&shell, "changed", "roles.json", &changed);
    write(&shell, "changed", "names.json", NAMES);
    let ended = shell.run(&["migrate", "up", "--from", "changed"]);
    assert!(ended.err.contains("1.1.0 was changed"), "{}", ended.err);

    write(
        &shell,
        "wrong",
        "a.json",
        r#"{ "version": "1.0.0", "description": "", "up": [{ "explode": {} }] }"#,
    );
    let ended = shell.run(&["migrate", "status", "--from", "wrong"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    let file = Path::new("wrong").join("a.json");
    assert!(
        ended.err.contains(file.to_str().unwrap()),
        "it names the file: {}",
        ended.err
    );
    assert_eq!(shell.run(&["migrate", "status", "--from", "nowhere"]).code, 3);
}
