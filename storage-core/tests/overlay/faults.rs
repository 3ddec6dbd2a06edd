//! One call of the medium goes wrong, at every place, in every way.

use bson::rawdoc;
use futures::FutureExt;
use futures::future::BoxFuture;
use storage_core::{
    Applied, ErrorKind, Index, MemoryBackend, Overlay, Query, Result, StorageAdapter, StorageBackend,
};

use crate::faulty::{Fault, Faulty};
use crate::store::*;

type Store = Overlay<Faulty>;
type Operation = for<'a> fn(&'a Store) -> BoxFuture<'a, Result<()>>;

/// What one operation does to a collection in which `a` is 1, `b` is 2 and `c` is 3 years old.
struct Case {
    operation: Operation,
    /// The ids by age before it, and after it.
    before: &'static [(&'static str, i64)],
    after: &'static [(&'static str, i64)],
    /// The unique index is there from the beginning.
    indexed: bool,
}

const STANDING: &[(&str, i64)] = &[("a", 1), ("b", 2), ("c", 3)];

async fn standing(indexed: bool) -> MemoryBackend {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    if indexed {
        store
            .ensure_index(&people(), &by_age().unique(), NOW)
            .await
            .unwrap();
        store
            .ensure_index(&people(), &Index::hash("by_odd", ["odd"]), NOW)
            .await
            .unwrap();
    }
    for (key, age) in STANDING {
        put(&store, key, rawdoc! { "age": *age, "odd": age % 2 })
            .await
            .unwrap();
    }
    backend
}

/// What stands, by a scan; an index that is ready must agree.
async fn state(store: &impl StorageAdapter) -> Vec<(String, i64)> {
    let all = Query::ge("age", 0);
    let scanned = scanned(store, &all).await.unwrap();
    match ids(store, &all, 2).await {
        Ok(found) => assert_eq!(found, scanned),
        Err(error) => assert_eq!(error.kind(), ErrorKind::IndexRequired),
    }
    let mut state = Vec::new();
    for key in scanned {
        let document = get(store, &key).await.unwrap().unwrap();
        state.push((key, document.body.get_i64("age").unwrap()));
    }
    state
}

fn owned(state: &[(&str, i64)]) -> Vec<(String, i64)> {
    state.iter().map(|(key, age)| ((*key).to_owned(), *age)).collect()
}

async fn explore(case: Case) {
    let mut outcomes = 0;
    for fault in Fault::ALL {
        for delete_if in [true, false] {
            if !delete_if && matches!(fault, Fault::Refused | Fault::RequestLost | Fault::HangsBefore) {
                continue; // no different from the other kinds
            }
            for nth in 1.. {
                let backend = standing(case.indexed).await;
                let mut faulty = Faulty::at(backend.clone(), nth, fault);
                if !delete_if {
                    faulty = faulty.without_delete_if();
                }
                let store = Overlay::new(faulty);
                let outcome = (case.operation)(&store).now_or_never();
                let at = format!("{fault:?} at call {nth}, outcome {outcome:?}");
                let healthy =
                    Overlay::new(Faulty::sound(backend.clone())).sweep_after(std::time::Duration::ZERO);
                check(&case, outcome.as_ref(), &healthy, &at).await;
                store.backend().land().await;
                check(&case, outcome.as_ref(), &healthy, &at).await;
                // A sweep changes nothing anybody sees.
                let standing = state(&healthy).await;
                healthy
                    .sweep(NOW.after(std::time::Duration::from_secs(1 << 40)))
                    .await
                    .unwrap();
                assert_eq!(state(&healthy).await, standing, "{at}");
                // Whatever happened, the operation can be repeated, and then it is done.
                (case.operation)(&healthy)
                    .await
                    .unwrap_or_else(|error| panic!("{at}: {error}"));
                assert_eq!(state(&healthy).await, owned(case.after), "{at}");
                healthy
                    .sweep(NOW.after(std::time::Duration::from_secs(1 << 40)))
                    .await
                    .unwrap();
                assert_eq!(state(&healthy).await, owned(case.after), "{at}");
                assert_no_litter(&backend, &healthy, &at).await;
                outcomes += 1;
                if !store.backend().struck() {
                    assert!(matches!(outcome, Some(Ok(()))), "{at}");
                    break;
                }
            }
        }
    }
    assert!(outcomes > 50, "{outcomes}");
}

async fn check(case: &Case, outcome: Option<&Result<()>>, healthy: &impl StorageAdapter, at: &str) {
    let found = state(healthy).await;
    let (before, after) = (owned(case.before), owned(case.after));
    match outcome {
        Some(Ok(())) => assert_eq!(found, after, "{at}"),
        Some(Err(error)) if error.applied() == Applied::No => assert_eq!(found, before, "{at}"),
        _ => assert!(found == before || found == after, "{at}: {found:?}"),
    }
}

/// After a sweep every entry is named by its document and every mark of an absent document is gone.
async fn assert_no_litter(backend: &impl StorageBackend, store: &impl StorageAdapter, at: &str) {
    let documents = keys(backend, "documents/").await.len();
    assert_eq!(documents, state(store).await.len(), "{at}");
    let mut entries = 0;
    for info in store.indexes(&people()).await.unwrap() {
        assert!(info.ready, "{at}");
        let stats = store
            .index_stats(&people(), &name(&info.index.name), NOW)
            .await
            .unwrap();
        entries += usize::try_from(stats.total_entries).unwrap();
    }
    assert_eq!(keys(backend, "entries/").await.len(), entries, "{at}");
}

#[tokio::test]
async fn a_put_of_something_new_survives_every_fault() {
    explore(Case {
        operation: |store| {
            Box::pin(async move {
                put(store, "d", rawdoc! { "age": 4_i64, "odd": 0_i64 })
                    .await
                    .map(drop)
            })
        },
        before: STANDING,
        after: &[("a", 1), ("b", 2), ("c", 3), ("d", 4)],
        indexed: true,
    })
    .await;
}

#[tokio::test]
async fn a_put_over_something_survives_every_fault() {
    explore(Case {
        operation: |store| {
            Box::pin(async move {
                put(store, "a", rawdoc! { "age": 4_i64, "odd": 0_i64 })
                    .await
                    .map(drop)
            })
        },
        before: STANDING,
        after: &[("b", 2), ("c", 3), ("a", 4)],
        indexed: true,
    })
    .await;
}

#[tokio::test]
async fn a_delete_survives_every_fault() {
    explore(Case {
        operation: |store| Box::pin(async move { delete(store, "b").await.map(drop) }),
        before: STANDING,
        after: &[("a", 1), ("c", 3)],
        indexed: true,
    })
    .await;
}

#[tokio::test]
async fn making_an_index_survives_every_fault() {
    explore(Case {
        operation: |store| {
            Box::pin(async move {
                store
                    .ensure_index(&people(), &by_age().unique(), NOW)
                    .await
                    .map(drop)
            })
        },
        before: STANDING,
        after: STANDING,
        indexed: false,
    })
    .await;
}

#[tokio::test]
async fn rebuilding_and_dropping_an_index_survive_every_fault() {
    explore(Case {
        operation: |store| {
            Box::pin(async move { store.rebuild_index(&people(), &name("by_age"), NOW).await })
        },
        before: STANDING,
        after: STANDING,
        indexed: true,
    })
    .await;
    explore(Case {
        operation: |store| {
            Box::pin(async move { store.drop_index(&people(), &name("by_age")).await.map(drop) })
        },
        before: STANDING,
        after: STANDING,
        indexed: true,
    })
    .await;
}
