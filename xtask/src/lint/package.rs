//! Would a published crate carry its licences and its README, and nothing that strayed into its directory?
//!
//! The pattern, in every published crate: `LICENSE-MIT` and `LICENSE-APACHE` are symbolic links to the files at the
//! root, and its `Cargo.toml` says `readme = "../README.md"`. Cargo packs what these point to.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::cargo::{cargo, output, root};
use crate::metadata::Package;

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// What cargo adds itself.
const BY_CARGO: [&str; 4] = [
    ".cargo_vcs_info.json",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
];

/// What else may lie in a crate's own directory.
const FILES: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "CATALOGUE.md",
    "build.rs",
    "clippy.toml",
];

/// What a crate may bring in directories. Anything else strayed in.
const DIRECTORIES: [&str; 5] = ["src", "tests", "examples", "benches", "corpus"];
const EXTENSIONS: [&str; 6] = ["rs", "md", "json", "jsonl", "toml", "txt"];

pub(super) fn check(package: &Package) -> Result<()> {
    let list = cargo_package_list(package)?;
    let files: Vec<&str> = list.lines().collect();
    let mut wrong = Vec::new();
    for required in LICENCES.iter().chain(&["README.md"]) {
        if !files.contains(required) {
            wrong.push(format!("{required} is missing"));
        }
    }
    let directory = package.manifest_path.parent().unwrap_or(root());
    for licence in LICENCES {
        if files.contains(&licence) && fs::read(directory.join(licence))? != fs::read(root().join(licence))? {
            wrong.push(format!("{licence} is not the one at the root"));
        }
    }
    wrong.extend(
        files
            .iter()
            .filter(|file| strayed(file))
            .map(|file| format!("{file} does not belong in it")),
    );
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    println!("{} files", files.len());
    Ok(())
}

fn cargo_package_list(package: &Package) -> Result<String> {
    // `--allow-dirty`: a developer asks before committing.
    let arguments = [
        "package",
        "--list",
        "--allow-dirty",
        "--locked",
        "--package",
        &package.name,
    ];
    output(&mut cargo(arguments))
}

fn strayed(file: &str) -> bool {
    let path = Path::new(file);
    // What an earlier version wrote and every later one must read is of any name.
    if path.starts_with("tests") && path.iter().any(|part| part == "golden") {
        return false;
    }
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match file.replace('\\', "/").split_once('/') {
        None => !BY_CARGO
            .iter()
            .chain(&LICENCES)
            .chain(&FILES)
            .any(|known| *known == file),
        Some((directory, _)) => !(DIRECTORIES.contains(&directory) && EXTENSIONS.contains(&extension)),
    }
}

#[cfg(test)]
mod tests {
    use super::strayed;

    #[test]
    fn sources_and_their_licences_belong() {
        for file in [
            "Cargo.toml",
            "LICENSE-MIT",
            "src/lib.rs",
            "tests/data/types.json",
            "corpus/a-fault.json",
            "build.rs",
            "tests/store/golden/blocks/01/ff.bin",
        ] {
            assert!(!strayed(file), "{file}");
        }
    }

    #[test]
    fn what_work_leaves_behind_does_not() {
        for file in [
            "app.db",
            "notes.txt",
            "src/lib.rs.orig",
            "src/.lib.rs.swp",
            "proptest-regressions/a.txt",
            "golden/a.bin",
            "tests/a.bin",
        ] {
            assert!(strayed(file), "{file}");
        }
    }
}
