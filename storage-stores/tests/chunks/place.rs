//! A directory, and the store on each backend that can be opened there by several processes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use storage_core::{Composed, Storage, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::chunks::{ChunkInfo, ChunkOptions, ChunkStore};

pub(crate) const BACKENDS: [&str; 3] = ["fs", "sqlite", "pair"];

async fn fs(directory: &Path) -> Arc<dyn StorageAdapter> {
    Arc::new(Fs::open(FsConfig::new(directory)).await.unwrap())
}

async fn sqlite(directory: &Path) -> Arc<dyn StorageAdapter> {
    let config = SqliteConfig::new(directory.join("metadata.db"));
    Arc::new(Sqlite::open(config).await.unwrap())
}

pub(crate) async fn open(backend: &str, directory: &Path) -> ChunkStore {
    let adapter = match backend {
        "fs" => fs(directory).await,
        "sqlite" => sqlite(directory).await,
        _ => Arc::new(Composed::new(fs(directory).await, sqlite(directory).await)),
    };
    let options = ChunkOptions::new()
        .cleanup_interval(Duration::ZERO)
        .max_session_bytes(1_000_000);
    ChunkStore::open(Storage::from_arc(adapter), options)
        .await
        .unwrap()
}

pub(crate) fn info(content: &str, index: u32, total: u32) -> ChunkInfo {
    ChunkInfo::new(content, "s", index, total).iv(vec![index.to_le_bytes()[0]; 12])
}
