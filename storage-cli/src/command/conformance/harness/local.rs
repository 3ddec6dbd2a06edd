//! Places on the disk: directories and files.

use std::path::{Path, PathBuf};

use conformance_tests::RawFiles;
use storage_core::{Error, ErrorKind, Result};
use storage_factory::{Place as Names, StorageUrl};

/// Whether something has the name already.
pub(super) fn is_full(names: Names, url: &StorageUrl) -> bool {
    files(names, url).iter().any(|path| path.exists())
}

/// Makes the directory all places are in, which a database file wants to be there. Gives the directories that were not there
/// before, the outermost first.
///
/// # Errors
/// Those of the disk.
pub(super) fn make_parent(url: &StorageUrl) -> Result<Vec<PathBuf>> {
    let Some(parent) = Path::new(url.path()).parent() else {
        return Ok(Vec::new());
    };
    let mut missing: Vec<_> = parent
        .ancestors()
        .filter(|above| !above.as_os_str().is_empty() && !above.exists())
        .map(Path::to_path_buf)
        .collect();
    missing.reverse();
    if !missing.is_empty() {
        std::fs::create_dir_all(parent).map_err(|error| refused("make the directory", parent, error))?;
    }
    Ok(missing)
}

/// The directory all places are in.
pub(super) fn parent(place: &StorageUrl) -> PathBuf {
    match Path::new(place.path()).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The URL of the one place in a directory that is nobody else's.
pub(super) fn within(names: Names, url: &StorageUrl, directory: &Path) -> StorageUrl {
    let name = if names == Names::File { "app.db" } else { "data" };
    url.with_path(&directory.join(name).to_string_lossy())
}

/// The files of a place.
pub(super) fn raw(names: Names, url: &StorageUrl) -> RawFiles {
    RawFiles::of(files(names, url))
}

/// Removes these directories again, unless somebody put something there.
pub(super) fn remove_empty(directories: &[PathBuf]) {
    for directory in directories.iter().rev() {
        // What is in use by now is not this run's any more.
        let _ = std::fs::remove_dir(directory);
    }
}

/// Removes a place.
///
/// # Errors
/// Those of the disk.
pub(super) fn remove(names: Names, url: &StorageUrl) -> Result<()> {
    files(names, url).iter().try_for_each(|path| {
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(refused("remove", path, error)),
            _ => Ok(()),
        }
    })
}

/// What a place of this kind is on the disk: SQLite keeps up to three more files beside the database.
fn files(names: Names, url: &StorageUrl) -> Vec<PathBuf> {
    let beside: &[&str] = if names == Names::File {
        &["", "-wal", "-shm", "-journal"]
    } else {
        &[""]
    };
    beside
        .iter()
        .map(|suffix| PathBuf::from(format!("{}{suffix}", url.path())))
        .collect()
}

fn refused(what: &'static str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "the disk refuses")
        .with_operation(what)
        .with_key(path.display().to_string())
        .with_source(error)
}
