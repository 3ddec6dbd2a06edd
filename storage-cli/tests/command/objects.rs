use std::process::Stdio;

use super::shell::{Shell, URLS};

#[test]
fn what_is_put_comes_back() {
    for url in URLS {
        let shell = Shell::on(url);
        let version = shell.run_with_input(&["put", "notes/a.txt"], b"hello\n");
        assert_eq!(version.code, 0, "{}", version.err);
        assert_eq!(shell.ok(&["get", "notes/a.txt"]), "hello\n");

        let stat: serde_json::Value = serde_json::from_str(&shell.ok(&["stat", "notes/a.txt"])).unwrap();
        assert_eq!(stat["size"], 6);
        assert_eq!(stat["version"], version.out.trim());

        std::fs::write(shell.path().join("large"), vec![b'x'; 3_000_001]).unwrap();
        shell.ok(&["put", "large", "large"]);
        assert_eq!(shell.ok(&["get", "large"]).len(), 3_000_001);
    }
}

#[test]
fn a_list_rolls_up_directories_unless_it_is_recursive() {
    for url in URLS {
        let shell = Shell::on(url);
        for key in ["b", "a/2", "a/1", "a b"] {
            shell.ok(&["put", key, "-"]);
        }
        assert_eq!(shell.ok(&["ls"]), "a b\na/\nb\n");
        assert_eq!(shell.ok(&["ls", "-r"]), "a b\na/1\na/2\nb\n");
        assert_eq!(shell.ok(&["ls", "a/"]), "a/1\na/2\n");
        let long = shell.ok(&["ls", "--long", "a/1"]);
        assert!(
            long.trim_start().starts_with("0 ") && long.trim_end().ends_with("a/1"),
            "{long}"
        );
        let lines = shell.ok(&["ls", "--json"]);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["key"], &first["size"]), (&"a b".into(), &0.into()));
    }
}

#[test]
fn a_key_cannot_move_the_cursor() {
    let shell = Shell::on("sqlite:./app.db");
    shell.ok(&["put", "a\u{1b}[2J"]);
    assert_eq!(shell.ok(&["ls"]), "a\\u{1b}[2J\n");
}

#[test]
fn what_is_not_there_ends_with_3_and_deleting_it_is_fine() {
    for url in URLS {
        let shell = Shell::on(url);
        for arguments in [&["get", "none"], &["stat", "none"]] {
            let ended = shell.run(arguments);
            assert_eq!((ended.code, ended.out.as_str()), (3, ""));
            assert!(ended.err.contains("none"), "{}", ended.err);
        }
        shell.ok(&["rm", "none", "nothing"]);
        let ended = shell.run(&["put", "a", "no-such-file"]);
        assert_eq!(ended.code, 3, "{}", ended.err);
    }
}

#[test]
fn a_file_that_is_not_there_makes_no_data_directory() {
    let shell = Shell::new();
    shell.run(&["put", "a", "no-such-file"]);
    assert!(!shell.path().join("data").exists());
}

#[test]
fn a_lost_condition_ends_with_4_and_changes_nothing() {
    for url in URLS {
        let shell = Shell::on(url);
        let version = shell.run_with_input(&["put", "a", "--if-absent"], b"one").out;
        assert_eq!(shell.run_with_input(&["put", "a", "--if-absent"], b"two").code, 4);
        let next = shell.run_with_input(&["put", "a", "--if-version", version.trim()], b"three");
        assert_eq!(next.code, 0, "{}", next.err);
        assert_eq!(
            shell
                .run_with_input(&["put", "a", "--if-version", version.trim()], b"four")
                .code,
            4
        );
        assert_eq!(shell.run(&["rm", "a", "--if-version", version.trim()]).code, 4);
        assert_eq!(shell.ok(&["get", "a"]), "three");
        shell.ok(&["rm", "a", "--if-version", next.out.trim()]);
        assert_eq!(shell.run(&["get", "a"]).code, 3);
    }
}

#[test]
fn a_name_that_cannot_be_ends_with_2() {
    let shell = Shell::on("sqlite:./app.db");
    for arguments in [
        &["get", ""][..],
        &["get"],
        &["no-such-command"],
        &["put", "a", "--if-version", "é"],
    ] {
        let ended = shell.run(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let shell = Shell::on("fs:./data");
    std::fs::write(shell.path().join("large"), vec![b'x'; 5_000_000]).unwrap();
    shell.ok(&["put", "large", "large"]);
    let mut command = shell.command(&["get", "large"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
