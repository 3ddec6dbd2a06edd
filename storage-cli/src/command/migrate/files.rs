//! Migrations in a directory, a file each.

use std::path::Path;

use storage_stores::collections::Migration;

use crate::failure::{Failure, Result};

/// Where they are when nobody says.
const DIRECTORY: &str = "migrations";

/// The migrations in a directory, in the order of the names of their files. The one nobody named need not be there.
pub(super) fn read(directory: Option<&Path>) -> Result<Vec<Migration>> {
    let path = directory.unwrap_or(Path::new(DIRECTORY));
    if directory.is_none() && !path.exists() {
        return Ok(Vec::new());
    }
    let entries = path
        .read_dir()
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(Failure::local(format!(
            "read the migrations in {}",
            path.display()
        )))?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| one(file)).collect()
}

fn one(file: &Path) -> Result<Migration> {
    let text = std::fs::read(file).map_err(Failure::local(format!("read {}", file.display())))?;
    Migration::from_json(&text).map_err(|error| {
        error
            .with_operation("read migration")
            .with_key(file.display().to_string())
            .into()
    })
}
