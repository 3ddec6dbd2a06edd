//! The test programs of the workspace, as cargo says that it has built them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Result;
use crate::cargo::{cargo, describe, program, root, without_settings};
use crate::metadata::Metadata;

/// A test program, to be run as `cargo test` runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The package it tests.
    pub(super) package: String,
    /// The target of the package it is.
    pub(super) target: String,
    kind: Kind,
    /// What it is compiled from, below its package.
    source: PathBuf,
    directory: PathBuf,
    executable: PathBuf,
}

/// In cargo's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Library,
    Binary,
    Test,
}

impl Program {
    /// Builds each that this command of cargo would run, in the order in which it would.
    pub(super) fn build_all(words: &[&str], metadata: &Metadata) -> Result<Vec<Self>> {
        let mut command = cargo(words.iter().copied());
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        println!("{}", describe(&command));
        let done = command.stdout(Stdio::piped()).spawn()?.wait_with_output()?;
        if !done.status.success() {
            return Err(format!("{} ended with {}", describe(&command), done.status).into());
        }
        let packages = metadata.members();
        let names = packages.map(|package| (package.manifest_path.as_path(), package.name.as_str()));
        read(&String::from_utf8(done.stdout)?, &names.collect())
    }

    /// The command that runs it, in its package's directory.
    pub(super) fn command(&self) -> Command {
        let mut command = program(&self.executable);
        command
            .current_dir(&self.directory)
            .env("CARGO_MANIFEST_DIR", &self.directory);
        without_settings(&mut command);
        command
    }

    /// What cargo says before it runs one.
    pub(super) fn heading(&self) -> String {
        let executable = self.executable.strip_prefix(root()).unwrap_or(&self.executable);
        let unit = if self.kind == Kind::Test { "" } else { "unittests " };
        format!("{unit}{} ({})", self.source.display(), executable.display())
    }

    /// The options that have cargo run it and no other.
    pub(super) fn options(&self) -> String {
        let (package, target) = (&self.package, &self.target);
        match self.kind {
            Kind::Library => format!("-p {package} --lib"),
            Kind::Binary => format!("-p {package} --bin {target}"),
            Kind::Test => format!("-p {package} --test {target}"),
        }
    }
}

/// The test programs among cargo's messages, of which each line is one.
fn read(messages: &str, packages: &HashMap<&Path, &str>) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let Message::CompilerArtifact(built) = serde_json::from_str(line)? else {
            continue;
        };
        let (true, Some(executable)) = (built.profile.test, built.executable) else {
            continue;
        };
        let manifest = built.manifest_path.as_path();
        let unknown = || format!("{} is of no member of the workspace", executable.display());
        let directory = manifest.parent().ok_or_else(unknown)?;
        let source = &built.target.src_path;
        programs.push(Program {
            package: (*packages.get(manifest).ok_or_else(unknown)?).to_owned(),
            kind: match built.target.kind.first().map(String::as_str) {
                Some("test") => Kind::Test,
                Some("bin") => Kind::Binary,
                _ => Kind::Library,
            },
            source: source.strip_prefix(directory).unwrap_or(source).to_owned(),
            directory: directory.to_owned(),
            target: built.target.name,
            executable,
        });
    }
    programs.sort_by(|one, other| {
        let place = |program: &Program| (program.package.clone(), program.kind, program.target.clone());
        place(one).cmp(&place(other))
    });
    Ok(programs)
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Built),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Built {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[cfg(test)]
pub(in crate::test) mod tests {
    use super::*;

    /// A program of this name, which is not there.
    pub(in crate::test) fn named(target: &str) -> Program {
        Program {
            package: "package".to_owned(),
            target: target.to_owned(),
            kind: Kind::Test,
            source: "tests/it.rs".into(),
            directory: root().to_owned(),
            executable: root().join("target/it"),
        }
    }

    #[test]
    fn what_cargo_has_built_for_tests_is_run_in_its_order() {
        let built = |kind: &str, name: &str, source: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"x","manifest_path":"/w/one/Cargo.toml","target":{{"kind":["{kind}"],"name":"{name}","src_path":"/w/one/{source}"}},"profile":{{"test":{test}}},"executable":"/t/{name}","fresh":true}}"#
            )
        };
        let messages = [
            built("test", "laws", "tests/laws/main.rs", true),
            r#"{"reason":"build-script-executed","package_id":"x"}"#.to_owned(),
            built("bin", "tool", "src/main.rs", false), // for the tests to start
            built("lib", "one", "src/lib.rs", true),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let packages = HashMap::from([(Path::new("/w/one/Cargo.toml"), "one")]);
        let programs = read(&messages.join("\n"), &packages).unwrap();
        let shown = programs
            .iter()
            .map(|program| (program.heading(), program.options()));
        let expected = [
            ("unittests src/lib.rs (/t/one)", "-p one --lib"),
            ("tests/laws/main.rs (/t/laws)", "-p one --test laws"),
        ];
        assert_eq!(
            shown.collect::<Vec<_>>(),
            expected.map(|(heading, options)| (heading.to_owned(), options.to_owned()))
        );
    }
}
