//! New keys, and what was sealed under old ones.

use std::sync::Arc;
use std::time::Duration;

use conformance_tests::{Fault, Faulty};
use storage_core::bson::{Document, doc};
use storage_core::{
    Applied, Area, Capability, ErrorKind, Index, Memory, Query, Storage, StorageAdapter, StorageBackend,
    WriteRequest,
};
use storage_layers::encryption::{KeyId, KeyState};
use storage_layers::{Encrypt, Fields};

use super::{key, open, options};

/// How long others may not know that a key was rotated out.
const SETTLED: Duration = Duration::from_secs(120);

async fn fill(storage: &Storage) {
    for n in 0..20 {
        storage
            .objects()
            .write(format!("o/{n}"), format!("object {n}"))
            .await
            .unwrap();
        let documents = storage.collection::<Document>(format!("c{}", n % 3));
        documents.put(format!("d{n}"), &doc! { "n": n }).await.unwrap();
    }
    // Larger than what a copy holds at a time.
    storage
        .objects()
        .write("large", vec![7; 9 * 1024 * 1024])
        .await
        .unwrap();
}

async fn check(storage: &Storage) {
    for n in 0..20 {
        let object = storage.objects().read(format!("o/{n}")).await.unwrap().unwrap();
        assert_eq!(object, format!("object {n}"));
        let documents = storage.collection::<Document>(format!("c{}", n % 3));
        assert_eq!(
            documents.get(format!("d{n}")).await.unwrap().unwrap().value,
            doc! { "n": i64::from(n) }
        );
    }
    assert!(storage.objects().read("large").await.unwrap().unwrap() == vec![7; 9 * 1024 * 1024]);
}

async fn under(layer: &Encrypt<Memory>, key: KeyId) -> u64 {
    let references = layer
        .references(storage_core::Storage::new(Memory::new()).now())
        .await
        .unwrap();
    assert_eq!(references.unreadable, 0);
    references.keys.get(&key).copied().unwrap_or(0)
}

#[tokio::test]
async fn everything_is_sealed_anew_and_the_old_key_can_then_be_destroyed() {
    let memory = Memory::new();
    let layer = open(&memory).await;
    let storage = Storage::new(open(&memory).await);
    fill(&storage).await;
    let now = storage.now();
    let old = layer.keys().await.unwrap()[0].id;
    let refused = layer.destroy_key(old, now).await.unwrap_err();
    assert_eq!(
        refused.kind(),
        ErrorKind::InvalidArgument,
        "something is sealed under it"
    );
    let new = layer.rotate(now).await.unwrap();
    assert_eq!((under(&layer, old).await, under(&layer, new).await), (41, 0));
    // The other handle learns of the new key when it meets it.
    Storage::new(open(&memory).await)
        .objects()
        .write("o/0", "object 0")
        .await
        .unwrap();
    check(&storage).await;
    let report = layer.reseal(now).await.unwrap();
    assert_eq!((report.objects, report.documents, report.overtaken), (20, 20, 0));
    assert_eq!((under(&layer, old).await, under(&layer, new).await), (0, 41));
    check(&storage).await;
    layer.destroy_key(old, now.after(SETTLED)).await.unwrap();
    let states: Vec<_> = layer.keys().await.unwrap().iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Destroyed, KeyState::Active]);
    check(&Storage::new(open(&memory).await)).await;
    let again = layer.reseal(now).await.unwrap();
    assert_eq!((again.objects, again.documents), (0, 0), "nothing is left to do");
}

#[tokio::test]
async fn entries_of_logs_keep_their_key_and_so_keep_it_from_being_destroyed() {
    let memory = Memory::new();
    let layer = open(&memory).await;
    let storage = Storage::new(open(&memory).await);
    storage.log("l").append("entry").await.unwrap();
    let old = layer.keys().await.unwrap()[0].id;
    layer.rotate(storage.now()).await.unwrap();
    layer.reseal(storage.now()).await.unwrap();
    let later = storage.now().after(SETTLED);
    let refused = layer.destroy_key(old, later).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        storage.log("l").read(0, 1).await.unwrap().entries[0].bytes,
        "entry"
    );
    storage.log("l").delete().await.unwrap();
    layer.destroy_key(old, later).await.unwrap();
}

#[tokio::test]
async fn a_key_that_others_may_still_seal_under_is_not_destroyed() {
    let memory = Memory::new();
    let (layer, other) = (open(&memory).await, Storage::new(open(&memory).await));
    let clock = other.now();
    let old = layer.keys().await.unwrap()[0].id;
    layer.rotate(clock).await.unwrap();
    for waited in [Duration::ZERO, SETTLED / 2, SETTLED - Duration::from_millis(1)] {
        let refused = layer.destroy_key(old, clock.after(waited)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "after {waited:?}: {refused}");
        assert_eq!(refused.applied(), Applied::No);
    }
    // It has not looked since, and need not have.
    other
        .objects()
        .write("late", "sealed under the old key")
        .await
        .unwrap();
    assert_eq!(under(&layer, old).await, 1);
    layer.reseal(clock).await.unwrap();
    layer.destroy_key(old, clock.after(SETTLED)).await.unwrap();
    let late = other.objects().read("late").await.unwrap();
    assert_eq!(late.as_deref(), Some(&b"sealed under the old key"[..]));
    // A key from long ago waits no more, whatever came after it.
    let second = layer.rotate(clock.after(SETTLED)).await.unwrap();
    layer.rotate(clock.after(SETTLED * 2)).await.unwrap();
    let refused = layer
        .destroy_key(second, clock.after(SETTLED * 2))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    layer.destroy_key(second, clock.after(SETTLED * 3)).await.unwrap();
}

/// It could be published after the key was destroyed, and nobody could read it.
#[tokio::test]
async fn an_upload_across_a_rotation_is_refused_once_that_is_known() {
    let memory = Memory::new();
    let (layer, other) = (Arc::new(open(&memory).await), open(&memory).await);
    let now = Storage::new(memory.clone()).now();
    let begin = async |name: &str| {
        let (layer, key) = (Arc::clone(&layer), key(name));
        layer
            .open_writer(Area::Objects, &key, WriteRequest::default())
            .await
            .unwrap()
    };
    let (mut unaware, mut aware) = (begin("unaware").await, begin("aware").await);
    other.rotate(now).await.unwrap();
    unaware.write("a".into()).await.unwrap();
    unaware.finish().await.unwrap();
    layer.keys().await.unwrap();
    aware.write("b".into()).await.unwrap();
    let refused = aware.finish().await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.applied()),
        (ErrorKind::Conflict, Applied::No)
    );
    assert!(memory.stat(Area::Objects, &key("aware")).await.unwrap().is_none());
    assert!(
        memory
            .stat(Area::Objects, &key("unaware"))
            .await
            .unwrap()
            .is_some()
    );
}

/// The process dies at every call in turn; another goes on. Nothing is lost whenever that is.
#[tokio::test]
async fn work_that_was_cut_short_anywhere_goes_on() {
    for fault in [Fault::BeforeTheCall, Fault::AfterTheCall] {
        let mut at = 0;
        loop {
            let memory = Memory::new();
            let layer = open(&memory).await;
            let storage = Storage::new(open(&memory).await);
            for n in 0..3 {
                storage.objects().write(format!("o/{n}"), "x").await.unwrap();
                storage
                    .collection::<Document>("c")
                    .put(format!("d{n}"), &doc! { "n": n })
                    .await
                    .unwrap();
            }
            layer.rotate(storage.now()).await.unwrap();
            let adapter: Arc<dyn StorageAdapter> = Arc::new(memory.clone());
            let faulty = Arc::new(Faulty::new(adapter, at, fault));
            let dying = Encrypt::open(Arc::clone(&faulty) as Arc<dyn StorageAdapter>, options(7)).await;
            let finished = match dying {
                Ok(dying) => dying.reseal(storage.now()).await.is_ok(),
                Err(_) => false,
            };
            let next = open(&memory).await;
            next.reseal(storage.now()).await.unwrap();
            let new = next.keys().await.unwrap()[1].id;
            assert_eq!(under(&next, new).await, 6, "{fault:?} at {at}");
            for n in 0..3 {
                assert_eq!(
                    storage.objects().read(format!("o/{n}")).await.unwrap().unwrap(),
                    "x"
                );
                assert!(
                    storage
                        .collection::<Document>("c")
                        .get(format!("d{n}"))
                        .await
                        .unwrap()
                        .is_some()
                );
            }
            if finished && !faulty.was_reached() {
                break;
            }
            at += 1;
            assert!(at < 200, "it never ends");
        }
    }
}

#[tokio::test]
async fn writers_are_not_overwritten() {
    let memory = Memory::new();
    let layer = Arc::new(open(&memory).await);
    let storage = Storage::new(open(&memory).await);
    assert!(
        storage
            .declaration()
            .support(Capability::CompareAndSwap)
            .is_present()
    );
    for n in 0..200 {
        storage.objects().write(format!("o/{n}"), "old").await.unwrap();
    }
    layer.rotate(storage.now()).await.unwrap();
    let work = tokio::spawn({
        let (layer, now) = (Arc::clone(&layer), storage.now());
        async move { layer.reseal(now).await }
    });
    for n in (0..200).rev() {
        storage.objects().write(format!("o/{n}"), "new").await.unwrap();
        tokio::task::yield_now().await;
    }
    work.await.unwrap().unwrap();
    for n in 0..200 {
        assert_eq!(
            storage.objects().read(format!("o/{n}")).await.unwrap().unwrap(),
            "new"
        );
    }
}

#[tokio::test]
async fn who_declares_no_fields_leaves_searchable_what_is() {
    let memory = Memory::new();
    let declared = async || {
        let fields = Fields::new().plain("country").blind("email");
        let layer = Encrypt::open(memory.clone(), options(7).every_collection(fields))
            .await
            .unwrap();
        Storage::new(layer)
    };
    let storage = declared().await;
    let users = storage.collection::<Document>("users");
    users
        .ensure_index(Index::btree("by_country", ["country"]))
        .await
        .unwrap();
    users
        .ensure_index(Index::hash("by_email", ["email"]))
        .await
        .unwrap();
    users
        .put("ada", &doc! { "country": "GB", "email": "a@b", "age": 36 })
        .await
        .unwrap();

    let stranger = open(&memory).await;
    let old = stranger.keys().await.unwrap()[0].id;
    stranger.rotate(storage.now()).await.unwrap();
    assert_eq!(stranger.reseal(storage.now()).await.unwrap().documents, 1);
    assert_eq!(under(&stranger, old).await, 0);

    let users = declared().await.collection::<Document>("users");
    for query in [Query::eq("country", "GB"), Query::eq("email", "a@b")] {
        let found = users.find_page(query).await.unwrap().documents;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].value.get_i64("age").unwrap(), 36);
    }
}

#[tokio::test]
async fn what_lies_beside_is_neither_sealed_anew_nor_counted() {
    let memory = Memory::new();
    let storage = Storage::new(open(&memory).await);
    storage.objects().write("sealed", "bytes").await.unwrap();
    super::put_raw(&memory, "metadata.db", "a file of somebody else").await;
    let without = open(&memory).await;
    without.rotate(storage.now()).await.unwrap();
    assert!(
        without.reseal(storage.now()).await.is_err(),
        "it was not said to be none"
    );
    let layer = Encrypt::open(memory.clone(), options(7).beside(["metadata.db"]))
        .await
        .unwrap();
    assert_eq!(layer.reseal(storage.now()).await.unwrap().objects, 1);
    assert_eq!(layer.references(storage.now()).await.unwrap().unreadable, 0);
    assert_eq!(
        super::raw(&memory, "metadata.db").await,
        "a file of somebody else"
    );
}
