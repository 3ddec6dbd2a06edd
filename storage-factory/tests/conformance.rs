//! A pair opened as users open it, objects in files and documents in SQLite, held to the contract.
#![cfg(all(feature = "fs", feature = "sqlite"))]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place};
use storage_core::{Error, ErrorKind, Result, StorageAdapter};
use storage_factory::Factory;
use tempfile::TempDir;

/// Each place is a directory with a directory of objects and a database in it.
struct Pairs(TempDir);

impl Pairs {
    fn directory(&self, place: &Place) -> PathBuf {
        self.0.path().join(place.as_str())
    }
}

#[async_trait]
impl Harness for Pairs {
    fn label(&self) -> Label {
        Label::new("fs+sqlite", std::env::consts::OS)
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let directory = self.directory(place);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let objects = format!("fs://{}/objects", directory.display());
        let documents = format!("sqlite://{}/documents.db", directory.display());
        let storage = Factory::default().open_pair(&objects, &documents).await?;
        Ok(Arc::clone(storage.adapter()))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        match std::fs::remove_dir_all(self.directory(place)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "a place could not be made or removed").with_source(error)
}

conformance_tests::suite!(Pairs(TempDir::new().expect("a temporary directory")));
conformance_tests::expected!(
    Pairs(TempDir::new().expect("a temporary directory")),
    "tests/conformance.txt"
);
