use serde_json::{Value, json};

use super::shell::{Shell, URLS};

fn line(printed: &str) -> Value {
    serde_json::from_str(printed.lines().next().unwrap()).unwrap()
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn values_are_set_read_listed_touched_and_deleted() {
    for url in URLS {
        let shell = Shell::on(url);
        shell.ok(&["kv", "set", "user/ada", r#"{"age": 36}"#, "--permanent"]);
        shell.ok(&["kv", "set", "user/bob", "plain text", "--ttl", "3600"]);
        let set = shell.run_with_input(&["kv", "set", "bytes", "--file", "-"], &[0, 255, 10]);
        assert_eq!(set.code, 0, "{}", set.err);
        assert_eq!(shell.ok(&["kv", "get", "user/ada"]).trim(), r#"{"age":36}"#);
        assert_eq!(shell.ok(&["kv", "get", "user/bob"]).trim(), r#""plain text""#);
        assert_eq!(shell.ok(&["kv", "ls"]), "bytes\nuser/ada\nuser/bob\n");
        assert_eq!(shell.ok(&["kv", "ls", "user/"]), "user/ada\nuser/bob\n");
        let bob = line(&shell.ok(&["kv", "info", "user/bob"]));
        assert_eq!(
            (&bob["permanent"], bob["expires_at"].is_null()),
            (&json!(false), false),
            "{bob}"
        );
        shell.ok(&["kv", "touch", "user/bob", "--forever"]);
        assert!(line(&shell.ok(&["kv", "info", "user/bob"]))["expires_at"].is_null());

        let again = shell.run(&["kv", "set", "bytes", "1", "--if-absent"]);
        assert_ne!(again.code, 0);
        assert_eq!(line(&shell.ok(&["kv", "stats"]))["entries"], 3);
        assert_eq!(line(&shell.ok(&["kv", "clear"]))["permanent"], 1);
        assert_eq!(shell.ok(&["kv", "ls"]), "user/ada\n");
        shell.ok(&["kv", "rm", "user/ada", "absent"]);
        for absent in [
            &["kv", "get", "user/ada"][..],
            &["kv", "info", "x"],
            &["kv", "touch", "x"],
        ] {
            let ended = shell.run(absent);
            assert_eq!(ended.code, 3, "{}", ended.err);
        }
    }
}

#[test]
fn a_namespace_is_exported_aligned_verified_and_erased() {
    for url in URLS {
        let shell = Shell::on(url)
            .with("KV_STORAGE_SIZE_LIMIT", "1 KiB")
            .with("KV_CACHE_EVICTION_POLICY", "lru");
        for key in ["a", "b"] {
            shell.ok(&["kv", "--namespace", "ada", "set", key, "1"]);
        }
        shell.ok(&["kv", "set", "other", "1"]);
        assert_eq!(shell.ok(&["kv", "namespaces"]), "ada\ndefault\n");
        let exported = shell.ok(&["kv", "--namespace", "ada", "export"]);
        let lines: Vec<Value> = exported
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            (lines.len(), &lines[1]["key"], &lines[1]["json"]),
            (2, &json!("b"), &json!(1))
        );
        let large = shell.run(&["kv", "set", "large", &"x".repeat(2000)]);
        assert_ne!(large.code, 0);
        assert!(large.err.contains("the limit is 1024"), "{}", large.err);
        assert_eq!(line(&shell.ok(&["kv", "align"]))["recounted"], true);
        assert_eq!(line(&shell.ok(&["kv", "cleanup"]))["expired"], 0);
        assert_eq!(
            line(&shell.ok(&["kv", "--namespace", "ada", "verify"]))["sound"],
            2
        );

        let unsure = shell.run(&["kv", "--namespace", "ada", "erase"]);
        assert_eq!(unsure.code, 2, "{}", unsure.err);
        let receipt = line(&shell.ok(&["kv", "--namespace", "ada", "erase", "--yes"]));
        assert_eq!(
            (&receipt["namespace"], &receipt["entries"]),
            (&json!("ada"), &json!(2))
        );
        assert_eq!(shell.ok(&["kv", "namespaces"]), "default\n");
    }
}

#[test]
fn an_encrypted_namespace_needs_its_key() {
    for url in URLS {
        let shell = Shell::on(url)
            .with("KV_STORAGE_ENCRYPTION", "env:THE_KEY")
            .with("THE_KEY", KEY);
        shell.ok(&["kv", "set", "secret", "1"]);
        assert_eq!(shell.ok(&["kv", "get", "secret"]).trim(), "1");
        assert_eq!(line(&shell.ok(&["kv", "rotate"]))["sealed"], 1);
        let wrong = shell.with("THE_KEY", &KEY.replace('0', "1"));
        let ended = wrong.run(&["kv", "get", "secret"]);
        assert_ne!(ended.code, 0);
        assert!(ended.err.contains("give the key"), "{}", ended.err);
        let without = wrong
            .with("KV_STORAGE_ENCRYPTION", "none")
            .run(&["kv", "get", "secret"]);
        assert!(without.err.contains("no key was given"), "{}", without.err);
    }
}

#[test]
fn a_setting_that_cannot_be_is_an_error_that_names_it() {
    let shell = Shell::on(URLS[0]).with("KV_CACHE_SIZE", "1");
    let ended = shell.run(&["kv", "ls"]);
    assert!(
        ended.err.contains("KV_CACHE_SIZE is not a setting"),
        "{}",
        ended.err
    );
    assert!(
        !shell.path().join("data").exists(),
        "what cannot be said creates nothing"
    );
}
