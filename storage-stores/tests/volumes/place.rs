//! A directory, and the store on each backend that can be opened there by several processes.

use std::path::Path;
use std::sync::Arc;

use storage_core::{Composed, Storage, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::volumes::{Ed25519Key, Volume, VolumeOptions, VolumeStore};

pub(crate) const BACKENDS: [&str; 3] = ["fs", "sqlite", "pair"];

async fn fs(directory: &Path) -> Arc<dyn StorageAdapter> {
    Arc::new(Fs::open(FsConfig::new(directory)).await.unwrap())
}

async fn sqlite(directory: &Path) -> Arc<dyn StorageAdapter> {
    let config = SqliteConfig::new(directory.join("documents.db"));
    Arc::new(Sqlite::open(config).await.unwrap())
}

pub(crate) async fn storage(backend: &str, directory: &Path) -> Storage {
    let adapter = match backend {
        "fs" => fs(directory).await,
        "sqlite" => sqlite(directory).await,
        _ => Arc::new(Composed::new(fs(directory).await, sqlite(directory).await)),
    };
    Storage::from_arc(adapter)
}

pub(crate) async fn store(backend: &str, directory: &Path) -> VolumeStore {
    VolumeStore::open(storage(backend, directory).await, VolumeOptions::new())
        .await
        .unwrap()
}

pub(crate) fn key() -> Ed25519Key {
    Ed25519Key::from_seed([7; 32])
}

pub(crate) async fn volume(store: &VolumeStore) -> Volume {
    Volume::open(store, key()).await.unwrap()
}
