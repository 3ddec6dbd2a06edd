use serde_json::Value;

use super::shell::{Shell, URLS};

fn report(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap()
}

fn entries(report: &Value, kind: &str) -> Vec<String> {
    let findings = report[kind].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["entry"].as_str().unwrap().to_owned())
        .collect()
}

/// Something of everything.
fn filled(url: &str) -> Shell {
    let shell = Shell::on(url);
    shell.run_with_input(&["put", "notes/a.txt"], b"hello");
    shell.run_with_input(&["doc", "put", "users", "ada"], br#"{"age": 36}"#);
    shell.run_with_input(&["doc", "put", "users", "bob"], br#"{"age": 40}"#);
    shell.ok(&["doc", "index", "ensure", "users", "by_age", "age"]);
    shell.run_with_input(&["log", "append", "events"], b"started");
    shell.ok(&["volume", "key", "my.key"]);
    for name in ["a", "b"] {
        let put = ["volume", "put", "--key", "my.key", "--directory", "vault", name];
        assert_eq!(shell.run_with_input(&put, name.as_bytes()).code, 0);
    }
    shell
}

#[test]
fn a_sound_storage_is_counted_and_left_as_it_is() {
    for url in URLS {
        let shell = filled(url);
        let before = shell.ok(&["ls", "-r"]);
        let found = report(&shell.ok(&["fsck", "--json"]));
        assert_eq!(found["objects"], 6, "{found}");
        assert_eq!(
            (&found["documents"], &found["indexes"]),
            (&2.into(), &1.into()),
            "{found}"
        );
        assert_eq!(
            (&found["logs"], &found["entries"]),
            (&1.into(), &1.into()),
            "{found}"
        );
        assert_eq!(found["stores"], Value::from(vec!["volumes in vault"]), "{found}");
        for kind in ["damaged", "orphaned", "foreign"] {
            assert_eq!(entries(&found, kind), Vec::<String>::new(), "{found}");
        }
        assert_eq!(report(&shell.ok(&["fsck", url, "--json", "--repair"])), found);
        assert_eq!(shell.ok(&["ls", "-r"]), before);
        let printed = shell.ok(&["fsck"]);
        assert!(printed.contains("recognised volumes in vault"), "{printed}");
        assert!(printed.contains("nothing is damaged"), "{printed}");
    }
}

#[test]
fn damage_on_the_disk_is_named_and_goes_to_quarantine_only_when_told_to() {
    let shell = filled("fs:./data");
    let blocks = shell.path().join("data/vault/blocks");
    let block = std::fs::read_dir(&blocks)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&block, "?").unwrap();
    std::fs::write(blocks.join("conflicted copy.bin"), "a").unwrap();
    let user = find(&shell.path().join("data"), "ada.json");
    let document = std::fs::read_to_string(&user).unwrap();
    std::fs::write(&user, &document[..document.len() / 2]).unwrap();

    let ended = shell.run(&["fsck", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found = report(&ended.out);
    let name = format!("vault/blocks/{}", block.file_name().unwrap().to_str().unwrap());
    let damaged = entries(&found, "damaged");
    assert!(damaged.contains(&name), "{found}");
    assert!(damaged.iter().any(|entry| entry.contains("ada")), "{found}");
    assert_eq!(entries(&found, "foreign"), ["vault/blocks/conflicted copy.bin"]);
    assert_eq!(found["repaired"], 0);
    assert!(block.exists() && !shell.path().join("data/vault/quarantine").exists());

    let ended = shell.run(&["fsck", "--repair", "--json"]);
    assert_eq!(
        (ended.code, &report(&ended.out)["repaired"]),
        (1, &1.into()),
        "{}",
        ended.out
    );
    assert!(!block.exists() && shell.path().join("data/vault/quarantine").is_dir());
    assert!(
        blocks.join("conflicted copy.bin").exists(),
        "what is foreign stays"
    );
    assert!(user.exists(), "a document has no quarantine, and stays");
    let found = report(&shell.run(&["fsck", "--json"]).out);
    assert!(!entries(&found, "damaged").contains(&name), "{found}");

    let printed = shell.run(&["fsck"]);
    assert_eq!(printed.code, 1);
    assert!(
        printed.out.contains("damaged document") && printed.out.contains("foreign volumes"),
        "{}",
        printed.out
    );
}

#[test]
fn a_store_of_a_newer_format_is_told_and_hides_nothing() {
    let shell = filled("fs:./data");
    std::fs::create_dir_all(shell.path().join("data/new")).unwrap();
    std::fs::write(shell.path().join("data/new/volumes.json"), "{\"format\":9}").unwrap();
    let ended = shell.run(&["fsck", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found = report(&ended.out);
    assert_eq!(entries(&found, "damaged"), ["new/volumes.json"], "{found}");
    assert_eq!(found["stores"], Value::from(vec!["volumes in vault"]), "{found}");
}

fn find(directory: &std::path::Path, name: &str) -> std::path::PathBuf {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            let found = find(&path, name);
            if found.as_os_str() != "" {
                return found;
            }
        } else if path.file_name().is_some_and(|found| found == name) {
            return path;
        }
    }
    std::path::PathBuf::new()
}
