//! Files: ours beside `object_store`'s local store and `tokio::fs`.

use std::path::Path;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::{ObjectStoreExt, PutPayload};
use storage_core::{Bytes, Storage};

use crate::table::{Outcome, Table};

const KIBIBYTE: usize = 1024;

async fn ours(directory: &Path) -> Result<Storage, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Storage::new(
        storage_fs::Fs::open(storage_fs::FsConfig::new(directory.join("ours"))).await?,
    ))
}

fn peer(directory: &Path) -> Result<Arc<LocalFileSystem>, Box<dyn std::error::Error + Send + Sync>> {
    let root = directory.join("object_store");
    std::fs::create_dir_all(&root)?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(root)?.with_fsync(true)))
}

/// Overwrites of 1 KiB that survive loss of power.
pub(crate) async fn durable_put(directory: &Path) -> Outcome {
    let (storage, store) = (ours(directory).await?, peer(directory)?);
    let bytes = Bytes::from(vec![7; KIBIBYTE]);
    let put = {
        let (storage, bytes) = (storage.clone(), bytes.clone());
        move |number: u64| {
            let (objects, bytes) = (storage.objects(), bytes.clone());
            async move {
                objects.write(format!("puts/{}.bin", number % 16), bytes).await?;
                Ok(())
            }
        }
    };
    Table::new("fs: durable put of 1 KiB", 60, 20)
        .contender("ours", put.clone())
        .contender("object_store local, fsync on", move |number| {
            let (store, bytes) = (Arc::clone(&store), bytes.clone());
            async move {
                store
                    .put(
                        &format!("puts/{}.bin", number % 16).into(),
                        PutPayload::from(bytes),
                    )
                    .await?;
                Ok(())
            }
        })
        .contender("control", put)
        .run()
        .await
}

/// Reads of 1 KiB that is in the page cache.
pub(crate) async fn hot_read(directory: &Path) -> Outcome {
    let (storage, store) = (ours(directory).await?, peer(directory)?);
    let bytes = Bytes::from(vec![7; KIBIBYTE]);
    storage.objects().write("hot.bin", bytes.clone()).await?;
    store.put(&"hot.bin".into(), PutPayload::from(bytes)).await?;
    let plain = directory.join("object_store").join("hot.bin");
    let read = {
        let storage = storage.clone();
        move |_| {
            let objects = storage.objects();
            async move {
                let read = objects.read("hot.bin").await?;
                assert_eq!(read.map(|bytes| bytes.len()), Some(KIBIBYTE));
                Ok(())
            }
        }
    };
    Table::new("fs: hot read of 1 KiB", 40, 1_000)
        .contender("ours, with version", read.clone())
        .contender("object_store local", move |_| {
            let store = Arc::clone(&store);
            async move {
                assert_eq!(store.get(&"hot.bin".into()).await?.bytes().await?.len(), KIBIBYTE);
                Ok(())
            }
        })
        .contender("tokio::fs, no version", move |_| {
            let plain = plain.clone();
            async move {
                assert_eq!(tokio::fs::read(plain).await?.len(), KIBIBYTE);
                Ok(())
            }
        })
        .contender("control", read)
        .run()
        .await
}
