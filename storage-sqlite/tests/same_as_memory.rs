//! What SQLite answers is what the reference adapter answers: the same operations on both, the same answers but for versions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use bytes::Bytes;
use conformance_tests::{Random, differential};
use storage_core::{
    AppendRequest, Area, ByteRange, Condition, DeleteRequest, Error, ErrorKind, Key, ListPage, ListRequest,
    Memory, Name, ReadRequest, StorageAdapter, StorageBackend, Version, WriteRequest,
};
use storage_sqlite::{Sqlite, SqliteConfig};

/// Both answers, or `None` where both refuse in the same way.
fn both<T, U>(memory: Result<T, Error>, sqlite: Result<U, Error>, what: &str) -> Option<(T, U)> {
    match (memory, sqlite) {
        (Ok(memory), Ok(sqlite)) => Some((memory, sqlite)),
        (Err(memory), Err(sqlite)) => {
            assert_eq!(memory.kind(), sqlite.kind(), "{what}: {memory:?} and {sqlite:?}");
            None
        }
        (Err(memory), Ok(_)) => panic!("{what}: only memory refuses: {memory:?}"),
        (Ok(_), Err(sqlite)) => panic!("{what}: only sqlite refuses: {sqlite:?}"),
    }
}

#[tokio::test]
async fn documents_indexes_and_queries() {
    for seed in differential::seeds(1..=12) {
        let directory = tempfile::tempdir().unwrap();
        let mut clients: Vec<Arc<dyn StorageAdapter>> = Vec::new();
        for _ in 0..2 {
            let config = SqliteConfig::new(directory.path().join("app.db"));
            clients.push(Arc::new(Sqlite::open(config).await.unwrap()));
        }
        if let Err(difference) = differential::documents(&clients, seed, 400).await {
            panic!("{difference}");
        }
    }
}

#[tokio::test]
async fn objects_and_lists() {
    let memory = Arc::new(Memory::new());
    let sqlite = Arc::new(Sqlite::open(SqliteConfig::in_memory()).await.unwrap());
    let mut random = Random::new(77);
    let keys = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "é/x", "z//z", "A"];
    let sizes = [0_usize, 1, 65_536, 65_537, 262_144, 262_145, 900_000];
    // The same states on both sides.
    let mut versions: Vec<(Version, Version)> = Vec::new();
    for round in 0..300_u64 {
        let area = *random.pick(&[Area::Objects, Area::Objects, Area::Overlay]);
        let key = Key::new(*random.pick(&keys)).unwrap();
        let condition = match random.below(4) {
            0 => (Condition::IfAbsent, Condition::IfAbsent),
            1 if !versions.is_empty() => {
                let (a, b) = random.pick(&versions).clone();
                (Condition::IfVersion(a), Condition::IfVersion(b))
            }
            _ => (Condition::Always, Condition::Always),
        };
        let requests = (WriteRequest::when(condition.0), WriteRequest::when(condition.1));
        let bytes: Bytes = {
            let size = *random.pick(&sizes);
            (0..size)
                .map(|at| (at as u64 * 31 + round).to_le_bytes()[0])
                .collect()
        };
        match random.below(8) {
            0 | 1 => {
                let results = (
                    memory.write(area, &key, bytes.clone(), requests.0).await,
                    sqlite.write(area, &key, bytes, requests.1).await,
                );
                versions.extend(both(results.0, results.1, "write"));
            }
            2 => {
                let mut one = memory.clone().open_writer(area, &key, requests.0).await.unwrap();
                let mut two = sqlite.clone().open_writer(area, &key, requests.1).await.unwrap();
                for piece in bytes.chunks(100_000) {
                    one.write(Bytes::copy_from_slice(piece)).await.unwrap();
                    two.write(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                if random.below(4) == 0 {
                    one.abort().await.unwrap();
                    two.abort().await.unwrap();
                } else {
                    versions.extend(both(one.finish().await, two.finish().await, "finish"));
                }
            }
            3 => {
                let to = Key::new(*random.pick(&keys)).unwrap();
                let results = (
                    memory.copy(area, &key, &to, requests.0).await,
                    sqlite.copy(area, &key, &to, requests.1).await,
                );
                match both(results.0, results.1, "copy") {
                    Some((Some(one), Some(two))) => versions.push((one, two)),
                    Some((None, None)) | None => {}
                    unequal => panic!("{unequal:?}"),
                }
            }
            4 => {
                let results = (
                    memory.delete(area, &key, DeleteRequest::default()).await,
                    sqlite.delete(area, &key, DeleteRequest::default()).await,
                );
                both(results.0, results.1, "delete");
            }
            5 => {
                let mut request = ListRequest::new(*random.pick(&["", "a", "a/", "é", "b"]));
                request.delimiter = random.below(2) == 0;
                request.limit = random.below(4) + 1;
                request.with_meta = random.below(2) == 0;
                if random.below(2) == 0 {
                    request.start_after =
                        Some((*random.pick(&["", "a", "a/", "a/b/", "b", "a/b/zz"])).to_owned());
                }
                loop {
                    let one = memory.list(area, request.clone()).await.unwrap();
                    let two = sqlite.list(area, request.clone()).await.unwrap();
                    let names = |page: &ListPage| -> Vec<String> {
                        page.entries.iter().map(|entry| entry.name().to_owned()).collect()
                    };
                    assert_eq!((names(&one), &one.next), (names(&two), &two.next), "{request:?}");
                    match two.next {
                        Some(next) => request.start_after = Some(next),
                        None => break,
                    }
                }
            }
            _ => {
                let mut request = ReadRequest::default();
                let bound = |random: &mut Random| random.below(600_000) as u64;
                request.range = match random.below(4) {
                    0 => None,
                    1 => Some(ByteRange::From(bound(&mut random))),
                    2 => Some(ByteRange::Suffix(bound(&mut random))),
                    _ => Some(ByteRange::Bounded(bound(&mut random), bound(&mut random))),
                };
                let one = memory.read(area, &key, request.clone()).await.unwrap();
                let two = sqlite.read(area, &key, request).await.unwrap();
                assert_eq!(one.is_some(), two.is_some());
                if let (Some(one), Some(two)) = (one, two) {
                    assert_eq!((one.range, one.meta.size), (two.range, two.meta.size));
                    assert!(one.bytes == two.bytes, "{key}");
                    assert!(versions.contains(&(one.meta.version, two.meta.version)));
                }
            }
        }
    }
}

#[tokio::test]
async fn logs() {
    let memory = Memory::new();
    let sqlite = Sqlite::open(SqliteConfig::in_memory()).await.unwrap();
    let mut random = Random::new(5);
    for _ in 0..600 {
        let log = Name::new(*random.pick(&["a", "b"])).unwrap();
        match random.below(12) {
            0 => both(
                memory.close_log(&log).await,
                sqlite.close_log(&log).await,
                "close",
            )
            .map(|_| ()),
            1 => both(
                memory.delete_log(&log).await,
                sqlite.delete_log(&log).await,
                "delete",
            )
            .map(|_| ()),
            2..=4 => {
                let (from, limit) = (random.below(6) as u64, random.below(5) + 1);
                let one = memory.read_log(&log, from, limit).await.unwrap();
                let two = sqlite.read_log(&log, from, limit).await.unwrap();
                assert_eq!(
                    (one.entries, one.end, one.closed),
                    (two.entries, two.end, two.closed)
                );
                assert_eq!(one.incarnation.is_some(), two.incarnation.is_some());
                let one = memory.logs(None, 10).await.unwrap();
                assert_eq!(one, sqlite.logs(None, 10).await.unwrap());
                Some(())
            }
            _ => {
                let entries = (0..random.below(3))
                    .map(|_| Bytes::from(vec![*random.pick(&[0, 1])]))
                    .collect();
                let mut request = AppendRequest::new(entries);
                request.expected = (random.below(2) == 0).then(|| random.below(6) as u64);
                let what = format!("{request:?}");
                let results = (
                    memory.append(&log, request.clone()).await,
                    sqlite.append(&log, request).await,
                );
                both(results.0, results.1, &what).map(|(one, two)| assert_eq!(one, two, "{what}"))
            }
        };
    }
    let closed = sqlite.close_log(&Name::new("a").unwrap()).await;
    assert!(closed.is_ok());
    let refused = sqlite
        .append(&Name::new("a").unwrap(), AppendRequest::new(vec![Bytes::new()]))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LogClosed);
}
