//! The thread that writes: groups, several handles at once, lost futures, streamed objects.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;
use storage_core::bson::{RawDocumentBuf, rawdoc};
use storage_core::{
    AppendRequest, Applied, Area, ByteRange, Condition, DeleteRequest, DocumentId, ErrorKind, Filter,
    FindRequest, Index, Key, Name, PutRequest, Query, ReadRequest, Retry, StorageAdapter, StorageBackend,
    Timestamp, WriteRequest,
};
use storage_sqlite::{Sqlite, SqliteConfig};

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn key(key: &str) -> Key {
    Key::new(key).unwrap()
}

fn put(id: impl AsRef<str>, body: RawDocumentBuf) -> PutRequest {
    PutRequest::new(DocumentId::new(id).unwrap(), body, NOW)
}

fn always() -> WriteRequest {
    WriteRequest::default()
}

#[tokio::test]
async fn a_refused_request_does_not_fail_its_group() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    sqlite
        .ensure_index(&name("c"), &Index::btree("by_n", ["n"]).unique(), NOW)
        .await
        .unwrap();
    sqlite
        .put(&name("c"), put("taken", rawdoc! { "n": 0_i64 }))
        .await
        .unwrap();
    // Whoever holds the lock makes all of these wait, so that they form one group.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writes: Vec<_> = (0..40_i64)
        .map(|at| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move {
                // Every fourth wants a value that is taken, and one kind of those would bring a new collection with it.
                let body = rawdoc! { "n": if at % 4 == 0 { 0 } else { at } };
                let collection = if at == 20 { name("never") } else { name("c") };
                let mut request = put(format!("{at}"), body);
                if at == 20 {
                    request.condition = Condition::IfVersion(storage_core::Version::random());
                }
                sqlite.put(&collection, request).await
            })
        })
        .collect();
    tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>())
        .await
        .unwrap_err();
    other.execute_batch("COMMIT").unwrap();
    for (at, write) in writes.into_iter().enumerate() {
        match write.await.unwrap() {
            Ok(_) => assert_ne!(at % 4, 0),
            Err(error) if at == 20 => assert_eq!(error.kind(), ErrorKind::PreconditionFailed),
            Err(error) => assert_eq!(
                (error.kind(), at % 4),
                (ErrorKind::UniqueViolation, 0),
                "{error:?}"
            ),
        }
    }
    let count = sqlite
        .count(&name("c"), FindRequest::new(Filter::All, Vec::new(), NOW))
        .await
        .unwrap();
    assert_eq!(count, 31);
    assert_eq!(sqlite.collections(None, 10).await.unwrap(), [name("c")]);
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn a_lock_held_too_long_is_a_timeout_that_applied_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = Sqlite::open(SqliteConfig::new(&path).busy_timeout(Duration::from_millis(40)))
        .await
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = sqlite.put(&name("c"), put("a", rawdoc! {})).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.applied(), error.retry()),
        (ErrorKind::Timeout, Applied::No, Retry::Later)
    );
    // Readers do not wait.
    assert!(
        sqlite
            .get(&name("c"), &DocumentId::new("a").unwrap(), NOW)
            .await
            .unwrap()
            .is_none()
    );
    other.execute_batch("ROLLBACK").unwrap();
    sqlite.put(&name("c"), put("a", rawdoc! {})).await.unwrap();
    sqlite.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_handle_does_not_starve_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let config = SqliteConfig::new(&path).durability(storage_core::Durability::ProcessCrash);
    let greedy = Sqlite::open(config.clone()).await.unwrap();
    let modest = Sqlite::open(config).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let greedily = Arc::new(AtomicU64::new(0));
    // Enough tasks that the greedy handle's queue is never empty.
    let hammers: Vec<_> = (0..16)
        .map(|task| {
            let (greedy, stop, greedily) = (greedy.clone(), Arc::clone(&stop), Arc::clone(&greedily));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    greedy
                        .put(&name("g"), put(format!("{task}"), rawdoc! { "n": 1_i64 }))
                        .await
                        .unwrap();
                    greedily.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    // Both go on until each has had many turns; whoever is starved keeps it from ending.
    let mut modestly = 0_u64;
    let both = async {
        while modestly < 50 || greedily.load(Ordering::Relaxed) < 16 * 50 {
            modest
                .put(&name("m"), put(format!("{modestly}"), rawdoc! {}))
                .await
                .unwrap();
            modestly += 1;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), both).await;
    stop.store(true, Ordering::Relaxed);
    for hammer in hammers {
        hammer.await.unwrap();
    }
    assert!(
        ended.is_ok(),
        "modest {modestly}, greedy {}",
        greedily.load(Ordering::Relaxed)
    );
    assert_eq!(
        modest
            .count(&name("m"), FindRequest::new(Filter::All, Vec::new(), NOW))
            .await
            .unwrap(),
        modestly
    );
    greedy.close().await.unwrap();
    modest.close().await.unwrap();
}

#[tokio::test]
async fn handles_see_each_others_collections_indexes_and_fields() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let one = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    let two = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    one.put(&name("c"), put("a", rawdoc! { "n": 1_i64 }))
        .await
        .unwrap();
    two.put(&name("c"), put("b", rawdoc! { "n": 2_i64, "m": 1_i64 }))
        .await
        .unwrap();
    one.put(&name("c"), put("c", rawdoc! { "n": 3_i64, "k": 1_i64 }))
        .await
        .unwrap();
    assert!(
        two.ensure_index(&name("c"), &Index::btree("by_n", ["n"]).unique(), NOW)
            .await
            .unwrap()
    );
    let refused = one
        .put(&name("c"), put("d", rawdoc! { "n": 2_i64 }))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UniqueViolation);
    assert!(one.drop_index(&name("c"), &name("by_n")).await.unwrap());
    two.put(&name("c"), put("d", rawdoc! { "n": 2_i64 }))
        .await
        .unwrap();
    let shell = Connection::open(&path).unwrap();
    let sum: i64 = shell
        .query_row("SELECT sum(n) + sum(m) + sum(k) FROM c", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sum, 10);
    one.close().await.unwrap();
    two.close().await.unwrap();
}

#[tokio::test]
async fn an_index_another_handle_dropped_or_made_anew_is_noticed_by_a_query_that_used_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    // One connection reads, so that it is the one which remembers.
    let one = Sqlite::open(SqliteConfig::new(&path).read_connections(1))
        .await
        .unwrap();
    let two = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    let by_n = Index::btree("by_n", ["n"]);
    let query = || FindRequest::new(Query::eq("n", 2_i64).into(), Vec::new(), NOW);
    let found = async || {
        let page = one.find(&name("c"), query()).await;
        page.map(|page| page.documents.len())
            .map_err(|error| error.kind())
    };
    for (id, n) in [("a", 1_i64), ("b", 2), ("c", 2)] {
        two.put(&name("c"), put(id, rawdoc! { "n": n })).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(found().await, Err(ErrorKind::IndexRequired));
        two.ensure_index(&name("c"), &by_n, NOW).await.unwrap();
        assert_eq!(found().await, Ok(2));
        two.rebuild_index(&name("c"), &name("by_n"), NOW).await.unwrap();
        assert_eq!(found().await, Ok(2));
        assert!(two.drop_index(&name("c"), &name("by_n")).await.unwrap());
    }
    one.close().await.unwrap();
    two.close().await.unwrap();
}

#[tokio::test]
async fn of_many_puts_one_that_is_refused_after_it_wrote_leaves_nothing_and_the_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    let by_n = Index::btree("by_n", ["n"]).unique();
    sqlite.ensure_index(&name("c"), &by_n, NOW).await.unwrap();
    sqlite
        .put(&name("c"), put("0", rawdoc! { "n": 0_i64 }))
        .await
        .unwrap();
    let mut absent = put("0", rawdoc! { "n": 9_i64 });
    absent.condition = Condition::IfAbsent;
    let written = sqlite
        .put_many(
            &name("c"),
            vec![
                put("1", rawdoc! { "n": 1_i64 }),
                put("2", rawdoc! { "n": 2_i64 }),
                // The view has shown its field by the time its number turns out to be taken.
                put("3", rawdoc! { "n": 1_i64, "shown": true }),
                put("4", rawdoc! { "n": 1_i64 }),
                absent,
                put("0", rawdoc! { "n": 5_i64 }),
                put("6", rawdoc! { "n": 0_i64 }),
                put("7", rawdoc! { "n": rawdoc! { "not": "an array" } }),
            ],
        )
        .await
        .unwrap();
    let kinds: Vec<_> = written
        .iter()
        .map(|written| written.as_ref().err().map(storage_core::Error::kind))
        .collect();
    let (taken, there) = (Some(ErrorKind::UniqueViolation), Some(ErrorKind::AlreadyExists));
    assert_eq!(kinds, [None, None, taken, taken, there, None, None, None]);
    let shell = Connection::open(&path).unwrap();
    let ids: String = shell
        .query_row(
            "SELECT group_concat(id) FROM (SELECT id FROM c ORDER BY id)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(ids, "0,1,2,6,7");
    assert!(shell.prepare("SELECT shown FROM c").is_err());
    let all = FindRequest::new(Query::ge("n", 0_i64).into(), Vec::new(), NOW);
    let found = sqlite.find(&name("c"), all).await.unwrap().documents;
    let ids: Vec<_> = found.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(ids, ["0", "1", "2", "6"]);
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn a_page_of_a_log_is_the_same_wherever_its_entries_stand_and_whoever_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(SqliteConfig::new(directory.path().join("app.db")))
        .await
        .unwrap();
    let (one, two) = (name("one"), name("two"));
    // Short and long ones, now in a row and now between those of another log.
    let entry = |at: usize| Bytes::from(vec![b'a'; if at == 150 { 300 * 1024 } else { at }]);
    for at in 0..400 {
        sqlite
            .append(&one, AppendRequest::new(vec![entry(at)]))
            .await
            .unwrap();
        if at % 50 > 40 {
            sqlite
                .append(&two, AppendRequest::new(vec![Bytes::from_static(b"between")]))
                .await
                .unwrap();
        }
    }
    for (from, limit) in [
        (0, 400),
        (0, 10),
        (30, 30),
        (30, 100),
        (100, 100),
        (145, 5),
        (150, 1),
        (390, 100),
        (400, 9),
    ] {
        let page = sqlite.read_log(&one, from, limit).await.unwrap();
        let first = usize::try_from(from).unwrap();
        let expected: Vec<_> = (first..400.min(first + limit)).map(entry).collect();
        let read: Vec<_> = page.entries.iter().map(|entry| entry.bytes.clone()).collect();
        assert!(read == expected, "{limit} from {from}: {}", read.len());
        assert!(
            page.entries
                .iter()
                .zip(from..)
                .all(|(entry, number)| entry.sequence == number)
        );
        assert_eq!(page.end, 400);
    }
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn a_write_whose_future_is_dropped_happens_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    let mut dropped = 0;
    for at in 0..100 {
        let collection = name("c");
        let write = sqlite.put(&collection, put(format!("{at}"), rawdoc! { "n": 1_i64 }));
        // One poll hands the request over; then nobody waits for it.
        dropped += usize::from(tokio::time::timeout(Duration::ZERO, write).await.is_err());
    }
    assert!(dropped > 0, "no future was dropped before its write was done");
    sqlite.close().await.unwrap();
    let sqlite = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    assert_eq!(
        sqlite
            .count(&name("c"), FindRequest::new(Filter::All, Vec::new(), NOW))
            .await
            .unwrap(),
        100
    );
    sqlite.close().await.unwrap();
}

/// The longest chunk, the number of chunks and of staged generations, as another program sees them.
fn chunks(path: &std::path::Path) -> (i64, i64, i64) {
    let shell = Connection::open(path).unwrap();
    shell
        .query_row(
            "SELECT ifnull(max(length(bytes)), 0), count(*), (SELECT count(*) FROM _storage_generations) FROM _storage_chunks",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap()
}

const PIECE: usize = 100_000;

fn piece(at: usize) -> Bytes {
    vec![u8::try_from(at % 251).unwrap(); PIECE].into()
}

#[tokio::test]
async fn a_large_object_is_streamed_in_bounded_chunks_and_read_by_range() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = Arc::new(Sqlite::open(SqliteConfig::new(&path)).await.unwrap());
    sqlite
        .write(
            Area::Objects,
            &key("big"),
            Bytes::from_static(b"before"),
            always(),
        )
        .await
        .unwrap();
    let mut writer = Arc::clone(&sqlite)
        .open_writer(Area::Objects, &key("big"), always())
        .await
        .unwrap();
    for at in 0..210 {
        writer.write(piece(at)).await.unwrap();
        if at % 50 == 0 {
            // Nobody sees what is staged, and others are not kept from writing.
            assert_eq!(
                sqlite
                    .stat(Area::Objects, &key("big"))
                    .await
                    .unwrap()
                    .unwrap()
                    .size,
                6
            );
            sqlite
                .write(Area::Objects, &key("other"), Bytes::from_static(b"x"), always())
                .await
                .unwrap();
        }
    }
    assert_eq!(chunks(&path).2, 1);
    let version = writer.finish().await.unwrap();
    assert_eq!(chunks(&path), (256 * 1024, 81, 0));
    let whole = sqlite
        .read(Area::Objects, &key("big"), ReadRequest::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((whole.meta.version, whole.bytes.len()), (version, 210 * PIECE));
    assert!((0..210).all(|at| whole.bytes[at * PIECE..(at + 1) * PIECE] == piece(at)));
    let mut request = ReadRequest::default();
    request.range = Some(ByteRange::Bounded(9_999_999, 10_000_001));
    let part = sqlite
        .read(Area::Objects, &key("big"), request)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(part.bytes[..], [99, 100]);
    sqlite
        .delete(Area::Objects, &key("big"), DeleteRequest::default())
        .await
        .unwrap();
    assert_eq!(chunks(&path).1, 0);
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn a_streamed_write_that_is_given_up_dropped_or_refused_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = Arc::new(Sqlite::open(SqliteConfig::new(&path)).await.unwrap());
    sqlite
        .write(Area::Objects, &key("k"), Bytes::from_static(b"before"), always())
        .await
        .unwrap();
    for end in ["abort", "drop", "refused"] {
        let request = WriteRequest::when(Condition::IfAbsent);
        let mut writer = Arc::clone(&sqlite)
            .open_writer(Area::Objects, &key("k"), request)
            .await
            .unwrap();
        for at in 0..60 {
            writer.write(piece(at)).await.unwrap();
        }
        assert!(chunks(&path).1 > 0);
        match end {
            "abort" => writer.abort().await.unwrap(),
            "drop" => drop(writer),
            _ => assert_eq!(
                writer.finish().await.unwrap_err().kind(),
                ErrorKind::AlreadyExists
            ),
        }
        // Requests are served in turn, so the dropped writer's is over once this one is.
        sqlite.health().await.unwrap();
        assert_eq!(chunks(&path), (0, 0, 0), "{end}");
    }
    let object = sqlite
        .read(Area::Objects, &key("k"), ReadRequest::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(object.bytes, "before");
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn what_a_crashed_writer_staged_is_swept_once_it_rested() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let crashed = Arc::new(Sqlite::open(SqliteConfig::new(&path)).await.unwrap());
    let mut lost = Arc::clone(&crashed)
        .open_writer(Area::Objects, &key("lost"), always())
        .await
        .unwrap();
    for at in 0..300 {
        lost.write(piece(at)).await.unwrap();
    }
    let other = Sqlite::open(SqliteConfig::new(&path)).await.unwrap();
    assert_eq!(
        other.sweep(NOW).await.unwrap().temporaries,
        0,
        "it did not rest for a day yet"
    );
    // As if that was two days ago.
    let shell = Connection::open(&path).unwrap();
    shell
        .execute(
            "UPDATE _storage_generations SET touched = touched - 2 * 24 * 60 * 60 * 1000",
            [],
        )
        .unwrap();
    assert_eq!(
        crashed.sweep(NOW).await.unwrap().temporaries,
        0,
        "a handle knows that its own writers live"
    );
    assert_eq!(other.sweep(NOW).await.unwrap().temporaries, 1);
    assert_eq!(chunks(&path), (0, 0, 0));
    // The writer was only slow: it is told, and publishes nothing.
    assert_eq!(lost.finish().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(other.stat(Area::Objects, &key("lost")).await.unwrap().is_none());
    assert_eq!(chunks(&path), (0, 0, 0));
    other.close().await.unwrap();
    crashed.close().await.unwrap();
}

#[tokio::test]
async fn a_list_of_50_000_values_is_searched_and_a_page_ends_before_it_is_too_large() {
    let sqlite = Sqlite::open(SqliteConfig::in_memory()).await.unwrap();
    let collection = name("c");
    sqlite
        .ensure_index(&collection, &Index::btree("by_n", ["n"]), NOW)
        .await
        .unwrap();
    let text = "x".repeat(1024 * 1024);
    let puts = (0..20_i64)
        .map(|at| {
            put(
                format!("{at:02}"),
                rawdoc! { "n": at * 1000, "text": text.as_str() },
            )
        })
        .collect();
    assert!(
        sqlite
            .put_many(&collection, puts)
            .await
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    let values = (0..50_000_i64).map(Into::into).collect();
    let mut request = FindRequest::new(
        Filter::In {
            field: "n".into(),
            values,
        },
        Vec::new(),
        NOW,
    );
    request.limit = 1000;
    assert_eq!(sqlite.count(&collection, request.clone()).await.unwrap(), 20);
    let mut found = Vec::new();
    loop {
        let page = sqlite.find(&collection, request.clone()).await.unwrap();
        assert!(page.documents.len() <= 8);
        found.extend(
            page.documents
                .iter()
                .map(|document| document.id.as_str().to_owned()),
        );
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, (0..20).map(|at| format!("{at:02}")).collect::<Vec<_>>());
    sqlite.close().await.unwrap();
}
