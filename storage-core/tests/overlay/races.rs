//! Many at once: every call of the medium gives way to the others, differently for each seed.

use std::time::Duration;

use bson::rawdoc;
use storage_core::{Condition, ErrorKind, Index, MemoryBackend, Overlay, Query, StorageAdapter};

use crate::faulty::Faulty;
use crate::store::*;

/// Enough for every pair of steps to meet in some round, few enough for a second.
const ROUNDS: u64 = 60;

type Store = Overlay<Faulty>;

fn handles<const N: usize>(round: u64) -> (MemoryBackend, [Store; N]) {
    let backend = MemoryBackend::new();
    let handle = |at: usize| {
        let seed = (round * 31 + at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Overlay::new(Faulty::shaken(backend.clone(), seed)).sweep_after(Duration::ZERO)
    };
    let handles = std::array::from_fn(handle);
    (backend, handles)
}

#[tokio::test]
async fn of_many_that_create_one_wins() {
    for round in 0..ROUNDS {
        let (_, stores) = handles::<4>(round);
        let create = |store: &Store, at: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .put(&people(), put_if("a", aged(at as i64), Condition::IfAbsent))
                    .await
            })
        };
        let tasks: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(at, store)| create(store, at))
            .collect();
        let mut winners = Vec::new();
        for (at, task) in tasks.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(_) => winners.push(at as i64),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(
            get(&stores[0], "a").await.unwrap().unwrap().body,
            aged(winners[0])
        );
    }
}

#[tokio::test]
async fn of_many_that_want_a_unique_value_one_wins() {
    for round in 0..ROUNDS {
        let (_, stores) = handles::<4>(round);
        let unique = Index::hash("by_name", ["name"]).unique();
        stores[0].ensure_index(&people(), &unique, NOW).await.unwrap();
        // The value was somebody's before, so there is a claim to take over.
        put(&stores[0], "old", rawdoc! { "name": "Ada" }).await.unwrap();
        put(&stores[0], "old", rawdoc! { "name": "Bob" }).await.unwrap();
        let tasks: Vec<_> = stores
            .iter()
            .zip(["a", "b", "c", "old"])
            .map(|(store, key)| {
                let store = store.clone();
                tokio::spawn(async move { put(&store, key, rawdoc! { "name": "Ada" }).await })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => winners += 1,
                Err(error) => assert_eq!(kind::<()>(Err(error)), ErrorKind::UniqueViolation),
            }
        }
        assert_eq!(winners, 1, "round {round}");
        assert_eq!(
            ids(&stores[0], &Query::eq("name", "Ada"), 10)
                .await
                .unwrap()
                .len(),
            1
        );
    }
}

#[tokio::test]
async fn an_index_made_during_writes_is_complete() {
    for round in 0..ROUNDS {
        let (_, stores) = handles::<5>(round);
        for at in 0..4 {
            put(&stores[0], &format!("{at}"), aged(at)).await.unwrap();
        }
        let [first, second, third, fourth, sweeper] = stores.clone();
        let write = |store: Store, offset: i64| {
            tokio::spawn(async move {
                for at in 0..6 {
                    put(&store, &format!("{}", (at + offset) % 6), aged(offset * 100 + at))
                        .await
                        .unwrap();
                    if at % 3 == 2 {
                        delete(&store, &format!("{}", (at + offset + 1) % 6))
                            .await
                            .unwrap();
                    }
                }
            })
        };
        let build = |store: Store| {
            tokio::spawn(async move { store.ensure_index(&people(), &by_age(), NOW).await.unwrap() })
        };
        let writers = [write(first, 1), write(second, 2)];
        let builders = [build(third), build(fourth)];
        let sweep = tokio::spawn(async move {
            for _ in 0..3 {
                sweeper
                    .sweep(NOW.after(Duration::from_secs(1 << 40)))
                    .await
                    .unwrap();
            }
        });
        for builder in builders {
            builder.await.unwrap();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        sweep.await.unwrap();
        let all = Query::ge("age", 0);
        assert_eq!(
            ids(&stores[0], &all, 3).await.unwrap(),
            scanned(&stores[0], &all).await.unwrap(),
            "round {round}"
        );
    }
}

#[tokio::test]
async fn a_document_that_does_not_change_is_found_exactly_once_while_its_index_is_rebuilt() {
    for round in 0..ROUNDS {
        let (_, stores) = handles::<3>(round);
        stores[0].ensure_index(&people(), &by_age(), NOW).await.unwrap();
        let all: Vec<String> = (0..5).map(|at| format!("{at}")).collect();
        for (at, key) in all.iter().enumerate() {
            put(&stores[0], key, aged(at as i64)).await.unwrap();
        }
        let rebuilder = stores[1].clone();
        let rebuild = tokio::spawn(async move {
            for _ in 0..2 {
                rebuilder
                    .rebuild_index(&people(), &name("by_age"), NOW)
                    .await
                    .unwrap();
            }
        });
        let other = stores[2].clone();
        let noise = tokio::spawn(async move {
            for at in 0..10 {
                put(&other, "noise", rawdoc! { "age": -1 - at }).await.unwrap();
            }
        });
        while !rebuild.is_finished() || !noise.is_finished() {
            assert_eq!(
                ids(&stores[0], &Query::ge("age", 0), 2).await.unwrap(),
                all,
                "round {round}"
            );
        }
        rebuild.await.unwrap();
        noise.await.unwrap();
    }
}

#[tokio::test]
async fn a_violation_found_while_building_names_the_document_and_leaves_no_index() {
    let (backend, [store, _]) = handles::<2>(1);
    put(&store, "a", aged(1)).await.unwrap();
    put(&store, "b", aged(1)).await.unwrap();
    put(&store, "c", rawdoc! { "age": [1_i64] }).await.unwrap();
    let error = store
        .ensure_index(&people(), &by_age().unique(), NOW)
        .await
        .unwrap_err();
    assert!(error.context_value("document").is_some(), "{error:?}");
    let error = store.ensure_index(&people(), &by_age(), NOW).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.context_value("document")),
        (ErrorKind::InvalidArgument, Some("c"))
    );
    assert_eq!(store.indexes(&people()).await.unwrap(), []);
    assert_eq!(keys(&backend, "entries/").await, []);
    delete(&store, "c").await.unwrap();
    store.ensure_index(&people(), &by_age(), NOW).await.unwrap();
    let other = Index::btree("by_age", ["age"]).unique();
    assert_eq!(
        kind(store.ensure_index(&people(), &other, NOW).await),
        ErrorKind::AlreadyExists
    );
}
