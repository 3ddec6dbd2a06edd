//! `cargo xtask lint`: everything that can be said about the code without running it.

mod deny;
mod oldest_rust;
mod package;

use std::process::ExitCode;

use crate::cargo::{cargo, program, run as run_command};
use crate::metadata::Metadata;
use crate::report::Report;

pub(crate) fn run() -> ExitCode {
    let mut report = Report::default();
    report.step("formatting", || {
        run_command(&mut cargo(["fmt", "--all", "--check"]))
    });
    report.step("formatting outside the workspace", || {
        run_command(program("rustfmt").args(["--check", "--edition=2024", "examples/outside/src/main.rs"]))
    });
    report.step("clippy", || {
        let everything = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
        ];
        // The second lint is half of the promise about the oldest Rust, so it is named; see oldest_rust.rs.
        run_command(cargo(everything).args(["--", "-D", "warnings", "-D", "clippy::incompatible_msrv"]))
    });
    report.step("documentation", || {
        let document = ["doc", "--workspace", "--no-deps", "--all-features", "--locked"];
        run_command(cargo(document).env("RUSTDOCFLAGS", "-D warnings"))
    });
    match Metadata::read() {
        Ok(metadata) => {
            report.step("oldest Rust", || oldest_rust::check(&metadata));
            for package in metadata.members().filter(|package| package.is_published()) {
                report.step(format!("package {}", package.name), || package::check(package));
            }
        }
        Err(error) => report.step("read the workspace", || Err(error)),
    }
    report.step("licences, bans and sources", deny::check);
    report.finish()
}
