use std::path::PathBuf;

use serde_json::Value;

use super::shell::{Shell, URLS};

fn lines(printed: &str) -> Vec<Value> {
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn names(printed: &str) -> Vec<String> {
    lines(printed)
        .iter()
        .map(|line| line["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A shell with a key file, and the public key.
fn with_key(url: &str) -> (Shell, String) {
    let shell = Shell::on(url);
    let public = shell.ok(&["volume", "key", "my.key"]).trim().to_owned();
    assert_eq!(public.len(), 64);
    (shell, public)
}

/// Where the block of a name lies on files.
fn block(shell: &Shell, hash: &str) -> PathBuf {
    shell.path().join(format!("data/blocks/{}.bin", hash.trim()))
}

#[test]
fn a_volume_is_written_listed_read_and_collected() {
    for url in URLS {
        let (shell, public) = with_key(url);
        let volume = |arguments: &[&str]| shell.ok(&[&["volume", "--key", "my.key"], arguments].concat());
        assert_eq!(volume(&["init"]), "hash sha256, grace 86400 s\n");
        std::fs::write(shell.path().join("a.txt"), "hello").unwrap();
        let hash = volume(&["put", "notes/a.txt", "a.txt"]);
        assert_eq!(
            hash,
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
        );
        let put = ["volume", "put", "--key", "my.key", "b"];
        let ended = shell.run_with_input(&put, b"from standard input");
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert_eq!(volume(&["get", "notes/a.txt"]), "hello");
        assert_eq!(names(&volume(&["ls"])), ["b", "notes/a.txt"]);
        assert_eq!(names(&volume(&["ls", "notes/"])), ["notes/a.txt"]);
        assert_eq!(volume(&["channels"]).trim(), public);

        // Whoever has the public key reads, and does not write.
        let read = shell.ok(&["volume", "get", "b", "--channel", &public]);
        assert_eq!(read, "from standard input");
        let ended = shell.run(&["volume", "rm", "b", "--channel", &public]);
        assert_eq!(ended.code, 2, "{}", ended.err);
        assert!(ended.err.contains("--key"), "{}", ended.err);

        volume(&["snapshot", "monday"]);
        volume(&["rm", "b", "none"]);
        assert_eq!(names(&volume(&["ls"])), ["notes/a.txt"]);
        assert_eq!(
            names(&volume(&["ls", "--snapshot", "monday"])),
            ["b", "notes/a.txt"]
        );
        assert_eq!(
            volume(&["get", "b", "--snapshot", "monday"]),
            "from standard input"
        );
        let log = lines(&volume(&["log"]));
        let changes: Vec<_> = log.iter().map(|line| line["change"].as_str().unwrap()).collect();
        assert_eq!(changes, ["put", "put", "snapshot", "delete"]);

        let report = lines(&volume(&["verify"])).remove(0);
        assert_eq!(
            (&report["sound"], &report["damaged"]),
            (&7.into(), &Value::Array(vec![]))
        );
        let report = lines(&volume(&["gc"])).remove(0);
        assert_eq!((&report["blocks"], &report["deleted"]), (&3.into(), &0.into()));
        let ended = shell.run(&["volume", "gc", "--grace", "1"]);
        assert_eq!(ended.code, 2, "a shorter grace is refused: {}", ended.err);
    }
}

#[test]
fn a_key_is_made_once_readable_by_its_owner_and_never_shown() {
    let (shell, public) = with_key("fs:./data");
    let seed = std::fs::read_to_string(shell.path().join("my.key")).unwrap();
    assert!(!seed.contains(&public));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(shell.path().join("my.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let ended = shell.run(&["volume", "key", "my.key"]);
    assert_ne!(ended.code, 0);
    assert_eq!(
        std::fs::read_to_string(shell.path().join("my.key")).unwrap(),
        seed
    );
    let secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdex";
    std::fs::write(shell.path().join("bad.key"), secret).unwrap();
    let ended = shell.run(&["volume", "ls", "--key", "bad.key"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(!ended.err.contains("0123456789"), "{}", ended.err);
    shell.ok(&["volume", "init"]);
    let ended = shell.run(&["volume", "ls", "--key", "my.key"]);
    assert!(!ended.err.contains(seed.trim()) && !ended.out.contains(seed.trim()));
}

#[test]
fn what_is_not_there_ends_with_the_code_for_it() {
    let (shell, _) = with_key("fs:./data");
    let ended = shell.run(&["volume", "ls", "--key", "my.key"]);
    assert_eq!(ended.code, 3, "no store: {}", ended.err);
    assert!(!shell.path().join("data/volumes.json").exists());
    shell.ok(&["volume", "init"]);
    for arguments in [
        ["volume", "get", "none", "--key", "my.key"].as_slice(),
        &["volume", "get", "a", "--snapshot", "none", "--key", "my.key"],
        &["volume", "ls", "--snapshot", "none", "--key", "my.key"],
        &["volume", "ls", "--key", "none.key"],
    ] {
        let ended = shell.run(arguments);
        assert_eq!(ended.code, 3, "{arguments:?}: {}", ended.err);
    }
    assert_eq!(shell.run(&["volume", "ls"]).code, 2);
    assert_eq!(shell.run(&["volume", "init", "--hash", "blake3"]).code, 2);
    assert_eq!(shell.run(&["volume", "init", "--fan-out", "1"]).code, 2);
}

#[test]
fn a_damaged_block_is_found_and_quarantined_only_when_told_to() {
    let (shell, _) = with_key("fs:./data");
    let put = ["volume", "put", "--key", "my.key", "a"];
    let hash = shell.run_with_input(&put, b"some bytes").out;
    std::fs::write(block(&shell, &hash), "some bytez").unwrap();
    let ended = shell.run(&["volume", "verify"]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains(hash.trim()), "{}", ended.out);
    assert!(block(&shell, &hash).exists());
    let ended = shell.run(&["volume", "verify", "--repair"]);
    assert_eq!(ended.code, 1);
    assert!(!block(&shell, &hash).exists());
    assert!(shell.path().join("data/quarantine").is_dir());
    shell.run_with_input(&put, b"some bytes");
    assert_eq!(shell.run(&["volume", "verify"]).code, 0);
}

#[test]
fn two_storages_are_reconciled() {
    let (shell, public) = with_key("fs:./data");
    shell.run_with_input(&["volume", "put", "--key", "my.key", "a"], b"here");
    let other = ["--url", "sqlite:./other.db"];
    let ended = shell.run_with_input(
        &[&other[..], &["volume", "put", "--key", "my.key", "b"]].concat(),
        b"there",
    );
    assert_eq!(ended.code, 0, "{}", ended.err);
    let report = lines(&shell.ok(&["volume", "reconcile", "sqlite:./other.db"])).remove(0);
    assert_eq!((&report["items"], &report["copied"]), (&4.into(), &4.into()));
    for url in [&[][..], &other] {
        let printed = shell.ok(&[url, &["volume", "ls", "--channel", &public]].concat());
        assert_eq!(names(&printed), ["a", "b"]);
    }
    let report = lines(&shell.ok(&["volume", "reconcile", "sqlite:./other.db"])).remove(0);
    assert_eq!(report["copied"], 0);
}
