use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::shell::{Shell, URLS};

#[test]
fn entries_come_back_in_order_from_where_one_asks() {
    for url in URLS {
        let shell = Shell::on(url);
        assert_eq!(shell.ok(&["log", "append", "events", "one", "two"]), "0..2\n");
        let lines = shell.run_with_input(&["log", "append", "events"], b"three\n\nfive");
        assert_eq!((lines.code, lines.out.as_str()), (0, "2..5\n"), "{}", lines.err);
        assert_eq!(shell.ok(&["log", "read", "events"]), "one\ntwo\nthree\n\nfive\n");
        assert_eq!(
            shell.ok(&["log", "read", "events", "--from", "1", "--limit", "1"]),
            "two\n"
        );
        assert_eq!(
            shell.ok(&["log", "read", "events", "--from", "4", "--json"]),
            "{\"sequence\":4,\"text\":\"five\"}\n"
        );
        assert_eq!(shell.ok(&["log", "ls"]), "events\n");
        assert_eq!(shell.ok(&["log", "read", "none"]), "");
        assert_eq!(
            shell.run_with_input(&["log", "append", "events", "-"], b"").out,
            "5..5\n"
        );

        shell.ok(&["log", "rm", "events"]);
        assert_eq!(shell.ok(&["log", "ls"]), "");
    }
}

#[test]
fn many_lines_are_appended_in_order() {
    for url in URLS {
        let shell = Shell::on(url);
        let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
        assert_eq!(
            shell
                .run_with_input(&["log", "append", "events"], lines.as_bytes())
                .out,
            "0..5000\n"
        );
        assert_eq!(shell.ok(&["log", "read", "events"]), lines);
    }
}

#[test]
fn repeating_an_append_at_its_number_adds_nothing() {
    for url in URLS {
        let shell = Shell::on(url);
        for _ in 0..2 {
            assert_eq!(
                shell.ok(&["log", "append", "events", "a", "b", "--at", "0"]),
                "0..2\n"
            );
        }
        assert_eq!(shell.run(&["log", "append", "events", "c", "--at", "0"]).code, 4);
        assert_eq!(shell.ok(&["log", "read", "events"]), "a\nb\n");
    }
}

#[test]
fn following_sees_each_entry_once_and_ends_when_the_log_is_closed() {
    for url in URLS {
        let shell = Shell::on(url);
        shell.ok(&["log", "append", "events", "one"]);
        let mut command = shell.command(&["log", "read", "events", "--follow"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "one");
        shell.ok(&["log", "append", "events", "two"]);
        assert_eq!(lines.next().unwrap().unwrap(), "two");
        shell.ok(&["log", "close", "events"]);
        assert!(lines.next().is_none());
        assert!(child.wait().unwrap().success());
        assert_eq!(shell.run(&["log", "append", "events", "three"]).code, 4);
    }
}
