use std::path::Path;

use super::shell::{Shell, URLS};

/// A directory with what a tour must take and what it must leave.
fn fill(root: &Path) {
    std::fs::create_dir_all(root.join("src/.hidden")).unwrap();
    std::fs::create_dir_all(root.join(".git")).unwrap();
    for (name, bytes) in [
        ("README.md", &b"# hello"[..]),
        ("src/main.rs", b"fn main() {}"),
        ("src/lib.rs", b""),
        ("src/.hidden/x", b"x"),
        ("a b ü", b"odd"),
        (".gitignore", b"/target\n*.log\n"),
        ("noise.log", b"no"),
        (".git/config", b"no"),
    ] {
        std::fs::write(root.join(name), bytes).unwrap();
    }
    std::fs::write(root.join("large.bin"), vec![7; 2_500_000]).unwrap();
}

const STORED: &str = "tour/.gitignore\ntour/README.md\ntour/a b ü\ntour/large.bin\ntour/src/.hidden/x\ntour/src/lib.rs\ntour/src/main.rs\n";

#[test]
fn a_tour_of_the_directory_its_data_lies_in_stores_everything_but_its_own() {
    for url in URLS {
        let shell = Shell::on(url);
        fill(shell.path());
        for round in 0..2 {
            let told = shell.ok(&["tour"]);
            assert!(told.contains("stored    7 files, 2.4 MiB"), "{told}");
            assert!(told.contains("verified  7 objects, 2.4 MiB"), "{told}");
            assert!(
                told.contains("index by_size") && told.contains("index by_extension"),
                "{told}"
            );
            assert_eq!(shell.ok(&["ls", "-r", "tour/"]), STORED, "{url}, round {round}");
        }
        assert_eq!(shell.ok(&["get", "tour/src/main.rs"]), "fn main() {}");
        assert_eq!(
            shell.ok(&["doc", "find", "tour_files", "--eq", "extension=\"rs\"", "--count"]),
            "2\n"
        );
        assert_eq!(shell.ok(&["doc", "find", "tour_files", "--count"]), "7\n");
    }
}

#[test]
fn a_second_tour_takes_the_place_of_the_first() {
    for url in URLS {
        let shell = Shell::on(url);
        let root = shell.path().join("files");
        fill(&root);
        shell.ok(&["tour", "files"]);
        shell.ok(&["put", "mine", "files/README.md"]);
        std::fs::remove_file(root.join("large.bin")).unwrap();
        std::fs::write(root.join("README.md"), "# changed").unwrap();
        let told = shell.ok(&["tour", "files"]);
        assert!(told.contains("removed   1 file of an earlier tour"), "{told}");
        assert_eq!(shell.ok(&["get", "tour/README.md"]), "# changed");
        assert_eq!(shell.run(&["get", "tour/large.bin"]).code, 3);
        assert_eq!(shell.ok(&["doc", "find", "tour_files", "--count"]), "6\n");
        assert_eq!(
            shell.ok(&["get", "mine"]),
            "# hello",
            "what is not the tour's stays"
        );
    }
}

#[test]
fn what_a_tour_tells_one_to_type_works() {
    for url in URLS {
        let shell = Shell::on(url);
        fill(shell.path());
        let told = shell.ok(&["tour"]);
        let program = env!("CARGO_BIN_EXE_storage");
        let commands: Vec<_> = told
            .lines()
            .filter_map(|line| line.trim().strip_prefix(program))
            .collect();
        assert_eq!(commands.len(), 4, "{told}");
        for command in commands {
            let arguments: Vec<_> = command.split_whitespace().collect();
            assert!(!shell.ok(&arguments).is_empty(), "{command}");
        }
        for line in told
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("ls ./") || line.starts_with("tail -f "))
        {
            let path = line.rsplit(' ').next().unwrap();
            assert!(shell.path().join(path).exists(), "{line}");
        }
    }
}

#[test]
fn a_tour_of_nothing_and_of_no_directory() {
    let shell = Shell::on("fs:./data");
    std::fs::create_dir(shell.path().join("empty")).unwrap();
    assert!(
        shell
            .ok(&["tour", "empty"])
            .contains("verified  0 objects, 0 bytes")
    );
    assert_eq!(shell.run(&["tour", "none"]).code, 3);
    std::fs::write(shell.path().join("file"), "x").unwrap();
    assert_eq!(shell.run(&["tour", "file"]).code, 2);
    let own = shell.run(&["tour", "data"]);
    assert_eq!(own.code, 2, "{}", own.err);
    assert!(own.err.contains("the storage itself"), "{}", own.err);
}

#[cfg(unix)]
#[test]
fn links_are_left_out() {
    let shell = Shell::on("fs:./data");
    let root = shell.path().join("files");
    fill(&root);
    std::os::unix::fs::symlink("/etc/hostname", root.join("link")).unwrap();
    assert!(shell.ok(&["tour", "files"]).contains("stored    7 files"));
    assert_eq!(shell.ok(&["ls", "-r", "tour/"]), STORED);
}
