//! Licences, banned crates and sources, by cargo-deny and `deny.toml`.

use std::env;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::cargo::{cargo, program, run};

const VERSION: &str = "0.20.2";

pub(super) fn check() -> Result<()> {
    let directory = cache()?.join(format!("storage-xtask/cargo-deny-{VERSION}"));
    let executable = directory
        .join("bin")
        .join(format!("cargo-deny{}", env::consts::EXE_SUFFIX));
    if !executable.exists() {
        install(&directory)?;
    }
    let arguments = [
        "--all-features",
        "--locked",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ];
    run(program(executable).args(arguments))
}

/// Once per machine, outside the clone. Built without optimizing, which is faster for all the use it gets here.
fn install(directory: &Path) -> Result<()> {
    let mut command = cargo([
        "install",
        "cargo-deny",
        "--version",
        VERSION,
        "--locked",
        "--no-default-features",
    ]);
    command.args(["--debug", "--root"]).arg(directory);
    command
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("CARGO_TARGET_DIR");
    run(&mut command)
}

fn cache() -> Result<PathBuf> {
    if let Some(cache) = env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()) {
        return Ok(cache.into());
    }
    let home = env::home_dir().ok_or("no home directory to keep cargo-deny in; set XDG_CACHE_HOME")?;
    Ok(home.join(".cache"))
}
