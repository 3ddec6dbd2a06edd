use serde_json::{Value, json};

use super::shell::{Shell, URLS};

fn people(url: &str) -> Shell {
    let shell = Shell::on(url);
    for (id, person) in [
        ("ada", r#"{"name":"Ada","age":36,"address":{"city":"London"}}"#),
        ("bob", r#"{"name":"Bob","age":17}"#),
        ("eve", r#"{"name":"Eve","age":52,"address":{"city":"Delft"}}"#),
    ] {
        shell.ok(&["doc", "put", "people", id, person]);
    }
    shell
}

fn ids(lines: &str) -> Vec<String> {
    let id = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    lines.lines().map(id).collect()
}

#[test]
fn a_document_comes_back_as_json() {
    for url in URLS {
        let shell = people(url);
        let ada: Value = serde_json::from_str(&shell.ok(&["doc", "get", "people", "ada"])).unwrap();
        assert_eq!(
            ada,
            json!({ "name": "Ada", "age": 36, "address": { "city": "London" } })
        );
        assert_eq!(shell.run(&["doc", "get", "people", "none"]).code, 3);
        assert_eq!(shell.ok(&["doc", "ls"]), "people\n");

        let from_input = shell.run_with_input(&["doc", "put", "people", "kim", "-"], b"{\"age\": 1}\n");
        assert_eq!(from_input.code, 0, "{}", from_input.err);
        shell.ok(&["doc", "rm", "people", "kim", "none"]);
        assert_eq!(shell.run(&["doc", "get", "people", "kim"]).code, 3);
    }
}

#[test]
fn a_query_needs_an_index_or_leave_to_scan() {
    for url in URLS {
        let shell = people(url);
        let refused = shell.run(&["doc", "find", "people", "--ge", "age=18"]);
        assert_eq!(refused.code, 1);
        assert!(
            refused.err.contains("age") && refused.err.contains("doc index ensure"),
            "{}",
            refused.err
        );
        let scanned = shell.ok(&["doc", "find", "people", "--ge", "age=18", "--allow-scan"]);
        assert_eq!(ids(&scanned), ["ada", "eve"]);

        shell.ok(&["doc", "index", "ensure", "people", "by_age", "age"]);
        assert_eq!(
            ids(&shell.ok(&["doc", "find", "people", "--ge", "age=18"])),
            ["ada", "eve"]
        );
        let explained: Value =
            serde_json::from_str(&shell.ok(&["doc", "find", "people", "--ge", "age=18", "--explain"]))
                .unwrap();
        assert_eq!(explained["index"], "by_age");
        assert_eq!(
            shell.ok(&["doc", "find", "people", "--ge", "age=18", "--count"]),
            "2\n"
        );
        let sorted = shell.ok(&["doc", "find", "people", "--sort", "-age", "--limit", "2"]);
        assert_eq!(ids(&sorted), ["eve", "ada"]);
    }
}

#[test]
fn every_condition_filters() {
    let shell = people("sqlite:./app.db");
    for (arguments, expected) in [
        (&["--eq", "name=\"Bob\""][..], &["bob"][..]),
        (&["--ne", "name=\"Bob\""], &["ada", "eve"]),
        (&["--lt", "age=36"], &["bob"]),
        (&["--le", "age=36"], &["bob", "ada"]),
        (&["--gt", "age=36"], &["eve"]),
        (&["--in", "age=[17,52]"], &["bob", "eve"]),
        (&["--prefix", "name=A"], &["ada"]),
        (&["--exists", "address"], &["ada", "eve"]),
        (&["--missing", "address"], &["bob"]),
        (&["--eq", "address.city=\"Delft\""], &["eve"]),
        (&["--ge", "age=18", "--lt", "age=40"], &["ada"]),
        (&[], &["ada", "bob", "eve"]),
    ] {
        let all: Vec<_> = ["doc", "find", "people", "--allow-scan"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        assert_eq!(ids(&shell.ok(&all)), expected, "{arguments:?}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_the_way_out() {
    let shell = people("sqlite:./app.db");
    let ended = shell.run(&["doc", "find", "people", "--eq", "name=Bob"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("double quotes"), "{}", ended.err);
    for arguments in [
        &["doc", "put", "people", "x", "{age:1}"][..],
        &["doc", "put", "people", "x", "[1]"],
        &["doc", "find", "people", "--eq", "age"],
        &["doc", "find", "people", "--in", "age=1"],
    ] {
        assert_eq!(shell.run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn indexes_are_listed_measured_rebuilt_and_dropped() {
    for url in URLS {
        let shell = people(url);
        shell.ok(&[
            "doc", "index", "ensure", "people", "by_name", "name", "--hash", "--unique",
        ]);
        shell.ok(&[
            "doc", "index", "ensure", "people", "by_name", "name", "--hash", "--unique",
        ]);
        let other = shell.run(&["doc", "index", "ensure", "people", "by_name", "age"]);
        assert_eq!(other.code, 4, "{}", other.err);
        let index: Value = serde_json::from_str(&shell.ok(&["doc", "index", "ls", "people"])).unwrap();
        assert_eq!(
            (&index["index"]["name"], &index["index"]["unique"]),
            (&"by_name".into(), &true.into())
        );
        assert_eq!(
            shell
                .run(&["doc", "put", "people", "x", r#"{"name":"Ada"}"#])
                .code,
            4
        );

        shell.ok(&["doc", "index", "rebuild", "people", "by_name"]);
        let stats: Value =
            serde_json::from_str(&shell.ok(&["doc", "index", "stats", "people", "by_name"])).unwrap();
        assert_eq!(stats["total_entries"], 3);
        shell.ok(&["doc", "index", "drop", "people", "by_name"]);
        assert_eq!(shell.ok(&["doc", "index", "ls", "people"]), "");
        assert_eq!(shell.run(&["doc", "index", "stats", "people", "by_name"]).code, 3);
    }
}

#[test]
fn a_stale_write_ends_with_4() {
    for url in URLS {
        let shell = Shell::on(url);
        let first = shell.ok(&["doc", "put", "people", "ada", "{}", "--if-absent"]);
        assert_eq!(
            shell
                .run(&["doc", "put", "people", "ada", "{}", "--if-absent"])
                .code,
            4
        );
        shell.ok(&[
            "doc",
            "put",
            "people",
            "ada",
            r#"{"a":1}"#,
            "--if-version",
            first.trim(),
        ]);
        assert_eq!(
            shell
                .run(&["doc", "put", "people", "ada", "{}", "--if-version", first.trim()])
                .code,
            4
        );
        assert_eq!(
            shell
                .run(&["doc", "rm", "people", "ada", "--if-version", first.trim()])
                .code,
            4
        );
    }
}
