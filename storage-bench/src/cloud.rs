//! Object stores: ours beside `object_store` on the same server.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use storage_core::{Bytes, Storage};
use test_servers::Places;

use crate::table::{Outcome, Table};

const OBJECTS: u64 = 64;
/// Objects in one batch: enough that doing them together is told from doing them one by one.
const BATCH: u64 = 100;

/// Objects of 1 KiB, one at a time and many at once.
pub(crate) async fn all(places: &Places) -> Outcome {
    let place = "storage-bench";
    places.wipe(place).await?;
    let storage = Storage::from_arc(places.open(place).await?);
    let store = places.server().object_store()?;
    write(&storage, &store).await?;
    read(&storage, &store).await?;
    stat(&storage, &store).await?;
    delete_many(&storage, &store).await?;
    storage.close().await?;
    places.wipe(place).await?;
    Ok(())
}

fn key(number: u64) -> String {
    format!("objects/{}.bin", number % OBJECTS)
}

/// Where the peer puts its own.
fn by_hand(number: u64) -> Path {
    format!("storage-bench/by-hand/{}.bin", number % OBJECTS).into()
}

async fn write(storage: &Storage, store: &Arc<dyn ObjectStore>) -> Outcome {
    let (objects, store) = (storage.objects(), Arc::clone(store));
    let bytes = Bytes::from(vec![7; 1024]);
    let write = {
        let bytes = bytes.clone();
        move |number: u64| {
            let (objects, bytes) = (objects.clone(), bytes.clone());
            async move {
                objects.write(key(number), bytes).await?;
                Ok(())
            }
        }
    };
    Table::new("s3: write of a 1 KiB object", 40, 32)
        .contender("ours", write.clone())
        .contender("object_store: put", move |number| {
            let (store, bytes) = (Arc::clone(&store), bytes.clone());
            async move {
                store.put(&by_hand(number), PutPayload::from(bytes)).await?;
                Ok(())
            }
        })
        .contender("control", write)
        .run()
        .await
}

async fn read(storage: &Storage, store: &Arc<dyn ObjectStore>) -> Outcome {
    let (objects, store) = (storage.objects(), Arc::clone(store));
    let read = move |number: u64| {
        let objects = objects.clone();
        async move {
            assert!(objects.read(key(number)).await?.is_some());
            Ok(())
        }
    };
    Table::new("s3: read of a 1 KiB object", 40, 64)
        .contender("ours, with version", read.clone())
        .contender("object_store: get", move |number| {
            let store = Arc::clone(&store);
            async move {
                assert_eq!(store.get(&by_hand(number)).await?.bytes().await?.len(), 1024);
                Ok(())
            }
        })
        .contender("control", read)
        .run()
        .await
}

async fn stat(storage: &Storage, store: &Arc<dyn ObjectStore>) -> Outcome {
    let (objects, store) = (storage.objects(), Arc::clone(store));
    let stat = move |number: u64| {
        let objects = objects.clone();
        async move {
            assert!(objects.stat(key(number)).await?.is_some());
            Ok(())
        }
    };
    Table::new("s3: stat of an object", 40, 64)
        .contender("ours", stat.clone())
        .contender("object_store: head", move |number| {
            let store = Arc::clone(&store);
            async move {
                assert_eq!(store.head(&by_hand(number)).await?.size, 1024);
                Ok(())
            }
        })
        .contender("control", stat)
        .run()
        .await
}

async fn delete_many(storage: &Storage, store: &Arc<dyn ObjectStore>) -> Outcome {
    let (objects, store) = (storage.objects(), Arc::clone(store));
    let delete = move |_: u64| {
        let objects = objects.clone();
        async move {
            let keys = (0..BATCH).map(|number| format!("gone/{number}"));
            for result in objects.delete_many(keys).await? {
                result?;
            }
            Ok(())
        }
    };
    Table::new("s3: deleting 100 objects", 15, 1)
        .contender("ours: delete_many", delete.clone())
        .contender("object_store: one by one", move |_| {
            let store = Arc::clone(&store);
            async move {
                for number in 0..BATCH {
                    store
                        .delete(&format!("storage-bench/by-hand/gone/{number}").into())
                        .await?;
                }
                Ok(())
            }
        })
        .contender("control", delete)
        .run()
        .await
}
