//! Backends on a local disk, a directory for each place.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place};
use futures::future::BoxFuture;
use storage_core::{Composed, Durability, Error, ErrorKind, Result, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};
use tempfile::TempDir;

type Open = fn(PathBuf) -> BoxFuture<'static, Result<Arc<dyn StorageAdapter>>>;

pub(crate) struct Directories {
    backend: &'static str,
    open: Open,
    root: TempDir,
}

impl Directories {
    pub(crate) fn new(backend: &'static str, open: Open) -> Self {
        Self {
            backend,
            open,
            root: TempDir::new().unwrap(),
        }
    }
}

pub(crate) async fn fs(directory: PathBuf) -> Result<Arc<dyn StorageAdapter>> {
    Ok(Arc::new(Fs::open(FsConfig::new(directory)).await?))
}

/// Where what survives a loss of power is somebody else's affair.
pub(crate) async fn quick_fs(directory: PathBuf) -> Result<Arc<dyn StorageAdapter>> {
    let config = FsConfig::new(directory).durability(Durability::ProcessCrash);
    Ok(Arc::new(Fs::open(config).await?))
}

pub(crate) async fn sqlite(directory: PathBuf) -> Result<Arc<dyn StorageAdapter>> {
    Ok(Arc::new(
        Sqlite::open(SqliteConfig::new(directory.join("app.db"))).await?,
    ))
}

/// Objects in files, documents in SQLite.
pub(crate) async fn pair(directory: PathBuf) -> Result<Arc<dyn StorageAdapter>> {
    let objects = fs(directory.join("objects")).await?;
    Ok(Arc::new(Composed::new(objects, sqlite(directory).await?)))
}

#[async_trait]
impl Harness for Directories {
    fn label(&self) -> Label {
        Label::new(self.backend, std::env::consts::OS)
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        (self.open)(self.root.path().join(place.as_str())).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        match std::fs::remove_dir_all(self.root.path().join(place.as_str())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::Io, "a place could not be removed").with_source(error))
            }
            _ => Ok(()),
        }
    }
}
