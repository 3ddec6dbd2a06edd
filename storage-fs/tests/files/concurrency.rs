use std::sync::Arc;

use bytes::Bytes;
use storage_core::{Area, Condition, ErrorKind, ObjectGuard, StorageBackend, WriteRequest};
use storage_fs::{FsBackend, VersionKeeping};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_writers_of_one_path_all_succeed_and_none_tears() {
    let (root, one) = fresh().await;
    let two = open(root.path()).await;
    let body = |writer: u8| Bytes::from(vec![writer; 1 + usize::from(writer) * 997]);
    let whole = move |bytes: &Bytes| *bytes == body(bytes[0]);
    for _ in 0..5 {
        let mut writers = JoinSet::new();
        for writer in 0..50 {
            let backend = if writer % 2 == 0 {
                Arc::clone(&one)
            } else {
                Arc::clone(&two)
            };
            writers.spawn(async move { put(&backend, "contended.bin", body(writer)).await });
        }
        while let Some(version) = writers.join_next().await {
            version.unwrap();
            assert!(whole(&bytes(&one, "contended.bin").await.unwrap()));
        }
    }
    assert_eq!(temporaries(root.path()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_creators_exactly_one_wins() {
    let (root, one) = fresh().await;
    let two = open(root.path()).await;
    for round in 0..20 {
        let name = format!("round/{round}.txt");
        let mut creators = JoinSet::new();
        for creator in 0..8 {
            let (backend, name) = (
                Arc::clone(if creator % 2 == 0 { &one } else { &two }),
                name.clone(),
            );
            creators.spawn(async move {
                (
                    creator,
                    put_when(&backend, &name, &creator.to_string(), Condition::IfAbsent).await,
                )
            });
        }
        let mut winners = Vec::new();
        for (creator, outcome) in creators.join_all().await {
            match outcome {
                Ok(_) => winners.push(creator.to_string()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(bytes(&one, &name).await.unwrap(), winners[0]);
    }
}

/// Adds one, `times` times, by compare-and-swap.
async fn count(backend: Arc<FsBackend>, times: usize) {
    for _ in 0..times {
        loop {
            let object = backend
                .read(Area::Objects, &key("counter"), Default::default())
                .await
                .unwrap()
                .unwrap();
            let next = std::str::from_utf8(&object.bytes)
                .unwrap()
                .parse::<u64>()
                .unwrap()
                + 1;
            match put_when(
                &backend,
                "counter",
                &next.to_string(),
                Condition::IfVersion(object.meta.version),
            )
            .await
            {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_swapped_by_two_handles_loses_nothing() {
    for keeping in [VersionKeeping::Attribute, VersionKeeping::ModificationTime] {
        let root = TempDir::new().unwrap();
        let one = Arc::new(
            FsBackend::open(config(root.path()).versions(keeping))
                .await
                .unwrap(),
        );
        let two = open(root.path()).await;
        put(&one, "counter", "0").await;
        let mut counters = JoinSet::new();
        for backend in [&one, &two, &one, &two] {
            counters.spawn(count(Arc::clone(backend), 50));
        }
        counters.join_all().await;
        assert_eq!(bytes(&one, "counter").await.unwrap(), "200", "{keeping:?}");
    }
}

#[tokio::test]
async fn a_write_guarded_by_another_object_ends_with_it() {
    let (_root, backend) = fresh().await;
    let lease = put(&backend, "lease", "1").await;
    let mut request = WriteRequest::default();
    request.guard = Some(ObjectGuard {
        key: key("lease"),
        version: lease,
    });
    backend
        .write(Area::Objects, &key("work"), "one".into(), request.clone())
        .await
        .unwrap();
    put(&backend, "lease", "2").await;
    let error = backend
        .write(Area::Objects, &key("work"), "two".into(), request)
        .await
        .unwrap_err();
    assert!(error.is_guard_failed());
    assert_eq!(bytes(&backend, "work").await.unwrap(), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_that_cross_never_wait_for_each_other() {
    let (_root, backend) = fresh().await;
    let mut versions = Vec::new();
    for name in ["left", "right"] {
        versions.push(put(&backend, name, "0").await);
    }
    let mut writers = JoinSet::new();
    for round in 0..100 {
        let backend = Arc::clone(&backend);
        let (at, guard) = if round % 2 == 0 {
            ("left", "right")
        } else {
            ("right", "left")
        };
        let version = versions[usize::from(guard == "right")].clone();
        writers.spawn(async move {
            let mut request = WriteRequest::default();
            request.guard = Some(ObjectGuard {
                key: key(guard),
                version,
            });
            backend
                .write(Area::Objects, &key(at), "x".into(), request)
                .await
                .map(drop)
        });
    }
    let won = writers.join_all().await.into_iter().filter(Result::is_ok).count();
    assert!(won >= 1);
}

#[tokio::test]
async fn a_dropped_write_happened_wholly_or_not_at_all() {
    let (root, backend) = fresh().await;
    put(&backend, "a.bin", "old").await;
    let (large, name) = (Bytes::from(vec![7; 1 << 20]), key("a.bin"));
    for polls in 0..6 {
        let write = backend.write(Area::Objects, &name, large.clone(), WriteRequest::default());
        let mut write = Box::pin(write);
        for _ in 0..polls {
            let _ = futures::poll!(&mut write);
            tokio::task::yield_now().await;
        }
        drop(write);
        let found = bytes(&backend, "a.bin").await.unwrap();
        assert!(found == "old" || found == large);
    }
    // A write that follows waits for those that go on by themselves.
    put(&backend, "a.bin", "new").await;
    assert_eq!(bytes(&backend, "a.bin").await.unwrap(), "new");
    assert_eq!(temporaries(root.path()), 0);
}
