//! The file in which `up` writes down what runs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::servers::Missing;
use crate::{Result, Server};

/// What `up` has found and started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The directory all data is in.
    pub(crate) data: Option<PathBuf>,
    /// Whether there may be containers. Written before the first is made.
    #[serde(default)]
    pub(crate) containers: bool,
    pub(crate) servers: Vec<Server>,
    pub(crate) missing: Vec<Missing>,
}

/// `STORAGE_TEST_SERVERS`, or `servers/state.json` in the workspace's target directory. From the workspace's root, wherever a test
/// may run.
pub(crate) fn path() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    if let Some(path) = std::env::var_os("STORAGE_TEST_SERVERS") {
        return workspace.join(path);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    workspace.join(target).join("servers/state.json")
}

/// The directory beside it for logs.
pub(crate) fn logs() -> PathBuf {
    path().with_file_name("logs")
}

/// Whoever holds it is the only one that starts and stops.
pub(crate) fn lock() -> Result<File> {
    let path = path();
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let lock = File::create(path.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

impl State {
    /// What was written; nothing where nothing was.
    pub(crate) fn read() -> Result<Self> {
        let path = path();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{} cannot be read: {error}", path.display()).into()),
        }
    }

    /// Replaces the file in one step. Only its owner reads it: there may be a password in an URL.
    pub(crate) fn write(&self) -> Result<()> {
        let path = path();
        let directory = path
            .parent()
            .ok_or("the file of the servers is in no directory")?;
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o600))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush()?;
        file.persist(path)?;
        Ok(())
    }

    pub(crate) fn remove() -> Result<()> {
        match fs::remove_file(path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
