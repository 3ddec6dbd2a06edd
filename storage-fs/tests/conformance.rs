//! Files, held to the contract.

use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place};
use storage_core::{Error, ErrorKind, Result, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use tempfile::TempDir;

/// Each place is a directory of its own.
struct Directories(TempDir);

#[async_trait]
impl Harness for Directories {
    fn label(&self) -> Label {
        Label::new("fs", std::env::consts::OS)
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        Ok(Arc::new(
            Fs::open(FsConfig::new(self.0.path().join(place.as_str()))).await?,
        ))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        match std::fs::remove_dir_all(self.0.path().join(place.as_str())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::Io, "a place could not be removed").with_source(error))
            }
            _ => Ok(()),
        }
    }
}

conformance_tests::suite!(Directories(TempDir::new().expect("a temporary directory")));
conformance_tests::expected!(
    Directories(TempDir::new().expect("a temporary directory")),
    "tests/conformance.txt"
);
