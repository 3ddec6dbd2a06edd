//! Sweeping and compacting: what nobody sees goes, what somebody sees stays.

use std::time::Duration;

use bytes::Bytes;
use storage_core::{
    Area, Index, MemoryBackend, Overlay, Query, StorageAdapter, StorageBackend, Timestamp, WriteRequest,
};

use crate::faulty::{Fault, Faulty};
use crate::store::*;

const LATER: Timestamp = Timestamp::from_millis(i64::MAX);

#[tokio::test]
async fn an_entry_nobody_names_is_swept_once_it_is_old() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    store.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    let version = put(&store, "a", aged(1)).await.unwrap();
    let named = keys(&backend, "entries/").await;
    let generation = named[0].as_str().split('/').nth(1).unwrap();
    for orphan in [
        format!("entries/{generation}/x/a/00"),
        format!("entries/{generation}/x/gone/00"),
    ] {
        let key = storage_core::Key::new(orphan).unwrap();
        backend
            .write(Area::Overlay, &key, Bytes::new(), WriteRequest::default())
            .await
            .unwrap();
    }
    assert_eq!(ids(&store, &Query::ge("age", 0), 10).await.unwrap(), ["a"]);
    // Younger than an hour by the clock that wrote them.
    assert_eq!(store.sweep(NOW).await.unwrap().index_entries, 0);
    assert_eq!(store.sweep(LATER).await.unwrap().index_entries, 2);
    assert_eq!(keys(&backend, "entries/").await, named);
    // The fence is nothing users see.
    assert_eq!(get(&store, "a").await.unwrap().unwrap().version, version);
}

#[tokio::test]
async fn a_dropped_index_is_swept_where_the_drop_left_off() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    store
        .ensure_index(&people(), &by_age().unique(), NOW)
        .await
        .unwrap();
    put(&store, "a", aged(1)).await.unwrap();
    // Catalog read, catalog swapped, then gone.
    let crashing = Overlay::new(Faulty::at(backend.clone(), 3, Fault::Gone));
    assert!(crashing.drop_index(&people(), &name("by_age")).await.unwrap());
    assert_eq!(
        (
            keys(&backend, "entries/").await.len(),
            keys(&backend, "claims/").await.len()
        ),
        (1, 1)
    );
    store.sweep(NOW).await.unwrap();
    assert_eq!(
        (
            keys(&backend, "entries/").await.len(),
            keys(&backend, "claims/").await.len()
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn without_conditional_deletes_marks_stay_until_the_store_is_compacted() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(Faulty::sound(backend.clone()).without_delete_if()).sweep_after(Duration::ZERO);
    store.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    let mut expiring = put_of("b", aged(2));
    expiring.expires_at = Some(NOW.after(Duration::from_secs(1)));
    for key in ["a", "c"] {
        put(&store, key, aged(1)).await.unwrap();
    }
    store.put(&people(), expiring).await.unwrap();
    delete(&store, "a").await.unwrap();
    store
        .append(&name("l"), storage_core::AppendRequest::new(vec![Bytes::new()]))
        .await
        .unwrap();
    store.delete_log(&name("l")).await.unwrap();
    let report = store.sweep(LATER).await.unwrap();
    assert_eq!((report.purged_documents, report.tombstones), (1, 0));
    assert_eq!(keys(&backend, "documents/").await.len(), 3);
    store.compact(LATER).await.unwrap();
    assert_eq!(keys(&backend, "documents/").await.len(), 1);
    assert_eq!(keys(&backend, "logs/").await, []);
    assert_eq!(ids(&store, &Query::ge("age", 0), 10).await.unwrap(), ["c"]);
}

#[tokio::test]
async fn where_there_are_no_documents_there_is_nothing_to_sweep() {
    let store = Overlay::new(Faulty::sound(MemoryBackend::new()).without_conditions());
    assert!(store.declaration().documents.is_none());
    let report = store.sweep(NOW).await.unwrap();
    assert_eq!(report, storage_core::SweepReport::default());
}

#[tokio::test]
async fn collections_are_those_with_documents_or_indexes() {
    let store = Overlay::new(MemoryBackend::new());
    for collection in ["b", "a/x", "é"] {
        store.put(&name(collection), put_of("1", aged(1))).await.unwrap();
    }
    store
        .ensure_index(&name("c"), &Index::btree("i", ["x"]), NOW)
        .await
        .unwrap();
    store
        .ensure_index(&name("b"), &Index::btree("i", ["x"]), NOW)
        .await
        .unwrap();
    let all = store.collections(None, 10).await.unwrap();
    assert_eq!(all, ["a/x", "b", "c", "é"].map(name));
    assert_eq!(store.collections(Some(&all[0]), 2).await.unwrap(), all[1..3]);
    assert_eq!(store.collections(Some(&all[3]), 2).await.unwrap(), []);
}
