//! Documents: versions, conditions, deletion, guards, damage.

use std::time::Duration;

use bson::rawdoc;
use storage_core::{
    Condition, DeleteDocumentRequest, DocumentGuard, ErrorKind, Index, MemoryBackend, Overlay, PutRequest,
    StorageAdapter, Timestamp,
};

use crate::store::*;

fn two_handles() -> (Memory, Memory) {
    let backend = MemoryBackend::new();
    (Overlay::new(backend.clone()), Overlay::new(backend))
}

#[tokio::test]
async fn what_is_put_through_one_handle_is_read_through_another() {
    let (one, two) = two_handles();
    let body = rawdoc! { "name": "Ada", "nested": { "$x": 1_i64 }, "list": [1.5, "a"] };
    let version = put(&one, "ada", body.clone()).await.unwrap();
    let read = get(&two, "ada").await.unwrap().unwrap();
    assert_eq!((read.body, read.version, read.expires_at), (body, version, None));
    assert_eq!(get(&two, "bob").await.unwrap(), None);
}

#[tokio::test]
async fn conditions_compare_the_version_users_see() {
    let (one, two) = two_handles();
    let create = || put_if("a", aged(1), Condition::IfAbsent);
    let first = one.put(&people(), create()).await.unwrap();
    assert_eq!(kind(two.put(&people(), create()).await), ErrorKind::AlreadyExists);
    let replace = |version| put_if("a", aged(2), Condition::IfVersion(version));
    two.put(&people(), replace(first.clone())).await.unwrap();
    assert_eq!(
        kind(one.put(&people(), replace(first.clone())).await),
        ErrorKind::PreconditionFailed
    );
    let missing = put_if("b", aged(2), Condition::IfVersion(first));
    assert_eq!(
        kind(one.put(&people(), missing).await),
        ErrorKind::PreconditionFailed
    );
    assert!(delete(&one, "a").await.unwrap());
    assert!(!delete(&two, "a").await.unwrap());
    two.put(&people(), create()).await.unwrap();
}

#[tokio::test]
async fn no_increment_by_compare_and_swap_is_lost() {
    let (one, two) = two_handles();
    put(&one, "counter", aged(0)).await.unwrap();
    let worker = |store: Memory| async move {
        for _ in 0..20 {
            loop {
                let read = get(&store, "counter").await.unwrap().unwrap();
                let next = aged(read.body.get_i64("age").unwrap() + 1);
                match store
                    .put(
                        &people(),
                        put_if("counter", next, Condition::IfVersion(read.version)),
                    )
                    .await
                {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed),
                }
                tokio::task::yield_now().await;
            }
        }
    };
    let workers: Vec<_> = [&one, &two, &one, &two]
        .map(|store| tokio::spawn(worker(store.clone())))
        .into();
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(get(&one, "counter").await.unwrap().unwrap().body, aged(80));
}

#[tokio::test]
async fn a_deleted_document_leaves_nothing_behind() {
    let (one, _) = two_handles();
    one.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    put(&one, "a", aged(1)).await.unwrap();
    assert!(delete(&one, "a").await.unwrap());
    for prefix in ["documents/", "entries/"] {
        assert_eq!(keys(&**one.backend(), prefix).await, [], "{prefix}");
    }
}

#[tokio::test]
async fn a_refused_write_leaves_nothing_behind() {
    let (one, _) = two_handles();
    one.ensure_index(&people(), &by_age().unique(), NOW)
        .await
        .unwrap();
    put(&one, "a", aged(1)).await.unwrap();
    let before = (
        keys(&**one.backend(), "documents/").await,
        keys(&**one.backend(), "entries/").await,
    );
    assert_eq!(kind(put(&one, "b", aged(1)).await), ErrorKind::UniqueViolation);
    assert_eq!(
        kind(put(&one, "b", rawdoc! { "age": [1_i64] }).await),
        ErrorKind::InvalidArgument
    );
    assert_eq!(
        kind(put(&one, "b", rawdoc! { "age": "x".repeat(600) }).await),
        ErrorKind::LimitExceeded
    );
    let after = (
        keys(&**one.backend(), "documents/").await,
        keys(&**one.backend(), "entries/").await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_expired_document_is_absent_everywhere_and_purged_by_a_sweep() {
    let (one, two) = two_handles();
    one.ensure_index(&people(), &by_age().unique(), NOW)
        .await
        .unwrap();
    let mut request = put_of("a", aged(1));
    request.expires_at = Some(Timestamp::from_millis(NOW.as_millis() + 10));
    one.put(&people(), request.clone()).await.unwrap();
    assert!(get(&two, "a").await.unwrap().is_some());
    let later = NOW.after(Duration::from_millis(10));
    assert_eq!(two.get(&people(), &id("a"), later).await.unwrap(), None);
    assert!(
        !two.delete_document(&people(), DeleteDocumentRequest::new(id("a"), later))
            .await
            .unwrap()
    );
    // Its unique value is free, and it is replaced as if absent.
    two.put(&people(), PutRequest::new(id("b"), aged(1), later))
        .await
        .unwrap();
    let mut again = PutRequest::new(id("a"), aged(2), later);
    again.condition = Condition::IfAbsent;
    again.expires_at = Some(later.after(Duration::from_millis(1)));
    one.put(&people(), again).await.unwrap();
    let report = two.sweep(later.after(Duration::from_millis(1))).await.unwrap();
    assert_eq!(report.purged_documents, 1);
    assert_eq!(keys(&**one.backend(), "documents/").await.len(), 1);
    assert_eq!(keys(&**one.backend(), "entries/").await.len(), 1);
}

#[tokio::test]
async fn a_guarded_write_needs_the_guard_as_it_was() {
    let (one, two) = two_handles();
    let version = put(&one, "lease", aged(0)).await.unwrap();
    let guarded = |version| {
        let mut request = put_of("a", aged(1));
        request.guard = Some(DocumentGuard {
            collection: people(),
            id: id("lease"),
            version,
        });
        request
    };
    one.put(&people(), guarded(version.clone())).await.unwrap();
    // A fence changes the medium version of the guard and nothing else, so it must not count.
    two.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    one.put(&people(), guarded(version.clone())).await.unwrap();
    let next = put(&two, "lease", aged(1)).await.unwrap();
    let error = one.put(&people(), guarded(version)).await.unwrap_err();
    assert!(error.is_guard_failed(), "{error}");
    // A document can be its own guard.
    let mut own = put_of("lease", aged(2));
    own.guard = Some(DocumentGuard {
        collection: people(),
        id: id("lease"),
        version: next.clone(),
    });
    one.put(&people(), own.clone()).await.unwrap();
    assert!(one.put(&people(), own).await.unwrap_err().is_guard_failed());
}

#[tokio::test]
async fn a_corrupt_document_stays_corrupt_and_hides_nobody() {
    let (one, two) = two_handles();
    one.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    for (key, age) in [("a", 1), ("b", 2), ("c", 3)] {
        put(&one, key, aged(age)).await.unwrap();
    }
    let key = storage_core::Key::new("documents/people/b").unwrap();
    for (bytes, expected) in [
        ("{\"age\": 2", ErrorKind::Corrupt),
        ("", ErrorKind::Corrupt),
        ("{\"age\": 2}", ErrorKind::Corrupt),
        (
            "{\"age\": 2, \"_storage\": {\"format\": 99}}",
            ErrorKind::FormatTooNew,
        ),
    ] {
        damage(&**one.backend(), &key, bytes).await;
        let error = get(&two, "b").await.unwrap_err();
        assert_eq!((error.kind(), error.key()), (expected, Some("people/b")));
        for condition in [
            Condition::Always,
            Condition::IfAbsent,
            Condition::IfVersion(storage_core::Version::random()),
        ] {
            assert_eq!(
                kind(two.put(&people(), put_if("b", aged(9), condition)).await),
                expected
            );
        }
        assert_eq!(kind(delete(&two, "b").await), expected);
        let ages = storage_core::Query::ge("age", 0);
        if expected == ErrorKind::Corrupt {
            assert_eq!(ids(&two, &ages, 10).await.unwrap(), ["a", "c"]);
            assert_eq!(
                ids(&two, &storage_core::Query::all(), 10).await.unwrap(),
                ["a", "c"]
            );
            two.sweep(NOW.after(Duration::from_secs(1 << 40))).await.unwrap();
        } else {
            assert_eq!(kind(ids(&two, &ages, 10).await), expected);
        }
        let standing = storage_core::StorageBackend::read(
            &**two.backend(),
            storage_core::Area::Overlay,
            &key,
            Default::default(),
        );
        assert_eq!(standing.await.unwrap().unwrap().bytes, bytes);
    }
    let unfit = two.ensure_index(&people(), &Index::hash("h", ["age"]), NOW).await;
    assert_eq!(kind(unfit), ErrorKind::FormatTooNew);
    assert_eq!(two.indexes(&people()).await.unwrap().len(), 1);
}
