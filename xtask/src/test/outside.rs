//! A crate outside the workspace that depends on the factory as a user's would.

use std::fs;

use crate::Result;
use crate::cargo::{self, cargo, root, without_settings};
use crate::metadata::Metadata;

pub(super) fn run(metadata: &Metadata) -> Result<()> {
    metadata.member("storage-factory")?;
    let outside = root().join("examples/outside");
    // The workspace's versions: nothing new to download, and what is built already is used again.
    fs::copy(root().join("Cargo.lock"), outside.join("Cargo.lock"))?;

    let directory = metadata.target_directory.join("xtask/outside");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;

    let mut command = cargo(["run", "--manifest-path"]);
    command.arg(outside.join("Cargo.toml"));
    command
        .current_dir(&directory)
        .env("CARGO_TARGET_DIR", &metadata.target_directory);
    cargo::run(without_settings(&mut command))
}
