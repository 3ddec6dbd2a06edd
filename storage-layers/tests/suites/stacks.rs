//! Whole stacks on media that last: files and SQLite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, Suite};
use libtest_mimic::Trial;
use storage_core::{Durability, Error, ErrorKind, Result, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use storage_layers::*;
use storage_sqlite::{Sqlite, SqliteConfig};
use tempfile::TempDir;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for medium in [Medium::Files, Medium::Sqlite] {
        for (name, stack) in [("guarded", guarded as fn() -> Stack), ("sealed", sealed)] {
            let open = move || async move {
                OnDisk {
                    directory: TempDir::new().expect("a temporary directory"),
                    medium,
                    stack,
                }
            };
            trials.extend(conformance_tests::trials(
                Suite::Adapter,
                &format!("{name} {medium:?}"),
                open,
            ));
        }
    }
    trials
}

/// Bounded, recorded, and tried again.
fn guarded() -> Stack {
    Stack::new()
        .with(LayerKind::Metrics, Metrics::new)
        .opening(LayerKind::Audit, |adapter| {
            Box::pin(async { Ok(Arc::new(Audit::open(adapter, AuditOptions::new("suite")).await?) as _) })
        })
        .with(LayerKind::Cache, |adapter| {
            Cache::new(adapter, CacheOptions::default())
        })
        .opening(LayerKind::Quota, |adapter| {
            Box::pin(async {
                let options = QuotaOptions::new(QuotaLimits::of_bytes(1 << 40));
                Ok(Arc::new(Quota::open(adapter, options).await?) as _)
            })
        })
        .opening(LayerKind::Namespace, |adapter| {
            Box::pin(async { Ok(Arc::new(Namespace::new(adapter, "tenant-1")?) as _) })
        })
        .with(LayerKind::Retry, |adapter| {
            Retry::new(adapter, RetryOptions::default())
        })
        .with(LayerKind::Timeout, |adapter| {
            Timeout::new(adapter, TimeoutOptions::of(Duration::from_secs(60)))
        })
}

/// Compressed, sealed and checked.
fn sealed() -> Stack {
    use storage_layers::compression::{Codec, Compression};
    use storage_layers::encryption::{Key, KeyProvider};
    Stack::new()
        .with(LayerKind::Compress, |adapter| {
            Compress::new(adapter, Compression::new(Codec::Zstd))
        })
        .opening(LayerKind::Encrypt, |adapter| {
            Box::pin(async {
                let key = KeyProvider::key(Key::from_bytes(&mut [7; 32]));
                Ok(Arc::new(Encrypt::open(adapter, EncryptOptions::new(key)).await?) as _)
            })
        })
        .with(LayerKind::Checksum, Checksum::new)
        .with(LayerKind::Cache, |adapter| {
            Cache::new(adapter, CacheOptions::default())
        })
        .with(LayerKind::Retry, |adapter| {
            Retry::new(adapter, RetryOptions::default())
        })
}

#[derive(Debug, Clone, Copy)]
enum Medium {
    Files,
    Sqlite,
}

/// Each place is a directory of its own. What survives a loss of power is the backends' own suites' affair.
struct OnDisk {
    directory: TempDir,
    medium: Medium,
    stack: fn() -> Stack,
}

#[async_trait]
impl Harness for OnDisk {
    fn label(&self) -> Label {
        Label::new(format!("layers on {:?}", self.medium), "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let directory = self.directory.path().join(place.as_str());
        let adapter: Arc<dyn StorageAdapter> = match self.medium {
            Medium::Files => {
                Arc::new(Fs::open(FsConfig::new(directory).durability(Durability::ProcessCrash)).await?)
            }
            Medium::Sqlite => {
                let config = SqliteConfig::new(directory.with_extension("db"));
                Arc::new(Sqlite::open(config.durability(Durability::ProcessCrash)).await?)
            }
        };
        (self.stack)().over(adapter).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        let directory = self.directory.path().join(place.as_str());
        match self.medium {
            Medium::Files => removed(std::fs::remove_dir_all(directory)),
            Medium::Sqlite => ["db", "db-wal", "db-shm"]
                .iter()
                .try_for_each(|end| removed(std::fs::remove_file(directory.with_extension(end)))),
        }
    }
}

fn removed(answer: std::io::Result<()>) -> Result<()> {
    match answer {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::Io, "a place could not be removed").with_source(error))
        }
        _ => Ok(()),
    }
}
