//! Stores in directories.

use std::path::Path;
use std::time::Duration;

use storage_core::Storage;
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::kv::{Kv, KvOptions};

pub(crate) const BACKENDS: [&str; 2] = ["fs", "sqlite"];

pub(crate) async fn storage(backend: &str, directory: &Path) -> Storage {
    match backend {
        "fs" => Storage::new(Fs::open(FsConfig::new(directory)).await.unwrap()),
        _ => Storage::new(
            Sqlite::open(SqliteConfig::new(directory.join("app.db")))
                .await
                .unwrap(),
        ),
    }
}

pub(crate) fn options() -> KvOptions {
    KvOptions::new()
        .cleanup_interval(Duration::ZERO)
        .staleness(Duration::ZERO)
}

pub(crate) async fn open(backend: &str, directory: &Path, options: KvOptions) -> Kv {
    Kv::open(storage(backend, directory).await, options)
        .await
        .unwrap()
}
