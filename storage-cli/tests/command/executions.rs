use serde_json::Value;

use super::shell::{Shell, URLS};

#[test]
fn an_execution_is_listed_shown_read_and_deleted() {
    for url in URLS {
        let shell = Shell::on(url);
        std::fs::create_dir(shell.path().join("files")).unwrap();
        std::fs::write(shell.path().join("files/a.txt"), "a").unwrap();
        // The tour is a program that runs: it leaves an execution behind.
        shell.ok(&["tour", "files"]);

        let line: Value = serde_json::from_str(&shell.ok(&["exec", "list"])).unwrap();
        assert_eq!(
            (&line["id"], &line["state"]),
            (&"storage-tour".into(), &"COMPLETED".into())
        );
        assert_eq!(shell.ok(&["exec", "list", "--state", "RUNNING"]), "");
        assert_eq!(
            shell
                .ok(&[
                    "exec",
                    "list",
                    "--program",
                    "storage-tour",
                    "--newest",
                    "--limit",
                    "5"
                ])
                .lines()
                .count(),
            1
        );
        let shown: Value = serde_json::from_str(&shell.ok(&["exec", "show", "storage-tour"])).unwrap();
        assert_eq!(shown["returnValue"]["files"], 1);

        let printed = shell.ok(&["exec", "output", "storage-tour"]);
        assert!(printed.starts_with("began\n"), "{printed}");
        // The output is closed, so following it comes to an end.
        assert_eq!(shell.ok(&["exec", "output", "storage-tour", "--follow"]), printed);
        let rest = shell.ok(&["exec", "output", "storage-tour", "--from", "1"]);
        assert_eq!(format!("began\n{rest}"), printed);

        shell.ok(&["exec", "rm", "storage-tour", "none"]);
        assert_eq!(shell.run(&["exec", "show", "storage-tour"]).code, 3);
        assert_eq!(shell.ok(&["exec", "output", "storage-tour"]), "");
    }
}
