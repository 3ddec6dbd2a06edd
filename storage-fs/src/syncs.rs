//! Tests of what only the inside shows: which syncs there are, what happens when one fails, and how often work hops.

use std::path::Path;
use std::sync::Arc;

use storage_core::{
    AppendRequest, Applied, Area, Condition, DeleteRequest, ErrorKind, Key, ListRequest, Name, ReadRequest,
    StorageAdapter, StorageBackend, WriteRequest,
};
use tempfile::TempDir;

use crate::simulation::Recorder;
use crate::system::System;
use crate::{Fs, FsConfig, VersionKeeping};

async fn opened() -> (TempDir, Arc<Recorder>, Fs) {
    let root = TempDir::new().unwrap();
    let (recorder, config) = recorded(root.path());
    (root, recorder, Fs::open(config).await.unwrap())
}

fn recorded(root: &Path) -> (Arc<Recorder>, FsConfig) {
    let recorder = Recorder::over(root).unwrap();
    let mut config = FsConfig::new(root);
    config.system = System::recorded(&recorder);
    (recorder, config)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn put(fs: &Fs, name: &str) -> storage_core::Result<storage_core::Version> {
    fs.write(Area::Objects, &key(name), "x".into(), WriteRequest::default())
        .await
}

/// Syncs of files and of directories since some counts.
fn since(recorder: &Recorder, before: (usize, usize)) -> (usize, usize) {
    let now = recorder.syncs();
    (now.0 - before.0, now.1 - before.1)
}

#[tokio::test]
async fn every_step_that_must_survive_is_synced() {
    for keeping in [VersionKeeping::Attribute, VersionKeeping::ModificationTime] {
        let root = TempDir::new().unwrap();
        let (recorder, config) = recorded(root.path());
        let fs = Fs::open(config.versions(keeping)).await.unwrap();
        let before = recorder.syncs();
        put(&fs, "a/b/c.txt").await.unwrap();
        assert_eq!(
            since(&recorder, before),
            (1, 3),
            "the file; the directory, and what each new directory stands in"
        );

        let before = recorder.syncs();
        put(&fs, "a/b/c.txt").await.unwrap();
        assert_eq!(since(&recorder, before), (1, 1), "directories are known by now");

        let (another, config) = recorded(root.path());
        let other = Fs::open(config).await.unwrap();
        let before = another.syncs();
        put(&other, "a/b/d.txt").await.unwrap();
        assert_eq!(
            since(&another, before),
            (1, 3),
            "whoever made the directories may not have synced them"
        );

        for name in ["a/b/c.txt", "a/b/missing.txt"] {
            let before = recorder.syncs();
            fs.delete(Area::Objects, &key(name), DeleteRequest::default())
                .await
                .unwrap();
            assert_eq!(since(&recorder, before), (0, 1), "{name}");
        }
    }
}

#[tokio::test]
async fn without_the_promise_nothing_is_synced() {
    let root = TempDir::new().unwrap();
    let (recorder, config) = recorded(root.path());
    let fs = Fs::open(config.durability(storage_core::Durability::ProcessCrash))
        .await
        .unwrap();
    put(&fs, "a/b.txt").await.unwrap();
    assert_eq!(recorder.syncs(), (0, 0));
    assert_eq!(
        fs.declaration().objects.durability,
        storage_core::Durability::ProcessCrash
    );
}

#[tokio::test]
async fn a_sync_that_fails_before_publication_changes_nothing() {
    let (root, recorder, fs) = opened().await;
    let version = put(&fs, "a.txt").await.unwrap();
    recorder.fail_next("sync");
    let error = fs
        .write(
            Area::Objects,
            &key("a.txt"),
            "new".into(),
            WriteRequest::default(),
        )
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.applied()), (ErrorKind::Io, Applied::No));
    assert_eq!(
        fs.stat(Area::Objects, &key("a.txt"))
            .await
            .unwrap()
            .unwrap()
            .version,
        version
    );
    assert_eq!(
        std::fs::read_dir(root.path().join(".storage/staging"))
            .unwrap()
            .count(),
        0
    );
    put(&fs, "a.txt").await.unwrap();
}

#[tokio::test]
async fn a_sync_that_fails_after_publication_leaves_a_handle_that_only_reads() {
    let (root, recorder, fs) = opened().await;
    put(&fs, "a.txt").await.unwrap();
    recorder.fail_next("sync directory");
    let error = fs
        .write(
            Area::Objects,
            &key("a.txt"),
            "new".into(),
            WriteRequest::default(),
        )
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.applied()), (ErrorKind::Io, Applied::Unknown));
    for refused in [
        put(&fs, "b.txt").await.map(drop),
        fs.delete(Area::Objects, &key("a.txt"), DeleteRequest::default())
            .await,
        fs.append(&Name::new("log").unwrap(), AppendRequest::new(vec!["x".into()]))
            .await
            .map(drop),
        Arc::new(fs.clone())
            .open_writer(Area::Objects, &key("c.txt"), WriteRequest::default())
            .await
            .map(drop),
    ] {
        assert_eq!(
            refused.map_err(|error| (error.kind(), error.applied())),
            Err((ErrorKind::Io, Applied::No))
        );
    }
    let read = fs
        .read(Area::Objects, &key("a.txt"), ReadRequest::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.bytes, "new");
    put(&Fs::open(FsConfig::new(root.path())).await.unwrap(), "b.txt")
        .await
        .unwrap();
}

#[tokio::test]
async fn an_append_that_cannot_be_synced_is_in_doubt_and_ends_the_log_for_this_handle() {
    let (_root, recorder, fs) = opened().await;
    let (log, other) = (Name::new("log").unwrap(), Name::new("other").unwrap());
    let one = || AppendRequest::new(vec!["one".into()]);
    fs.append(&log, one()).await.unwrap();
    recorder.fail_next("sync");
    assert_eq!(
        fs.append(&log, one()).await.unwrap_err().applied(),
        Applied::Unknown
    );
    let refused = fs.append(&log, one()).await.unwrap_err();
    assert_eq!((refused.kind(), refused.applied()), (ErrorKind::Io, Applied::No));
    fs.append(&other, one()).await.unwrap();
}

#[tokio::test]
async fn the_calls_of_a_put_come_in_the_order_that_survives() {
    let (_root, recorder, fs) = opened().await;
    let after = |before: usize| recorder.calls().split_off(before);
    let before = recorder.calls().len();
    put(&fs, "a/b/c.txt").await.unwrap();
    let file = ["create", "write", "set attribute", "sync file"];
    let directories = [
        "make directory a",
        "sync directory",
        "make directory b",
        "sync directory",
    ];
    // The file of the lock is created where it is used first, and promises nothing.
    let publication = ["create", "rename to c.txt", "sync directory"];
    assert_eq!(
        after(before),
        [&file[..], &directories[..], &publication[..]].concat()
    );

    let before = recorder.calls().len();
    put(&fs, "a/b/c.txt").await.unwrap();
    assert_eq!(
        after(before),
        [&file[..], &["rename to c.txt", "sync directory"]].concat(),
        "directories are known by now"
    );
}

#[tokio::test]
async fn an_append_that_was_cut_short_is_gone_for_good_before_another_takes_its_place() {
    let (root, recorder, fs) = opened().await;
    let log = Name::new("log").unwrap();
    let one = || AppendRequest::new(vec!["one".into()]);
    fs.append(&log, one()).await.unwrap();
    let path = root.path().join(".storage/logs/log.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"seq\":1,");
    std::fs::write(&path, bytes).unwrap();

    let before = recorder.calls().len();
    fs.append(&log, one()).await.unwrap();
    assert_eq!(
        recorder.calls()[before..],
        ["truncate", "sync data", "write", "sync data"]
    );

    recorder.fail_next("write");
    let before = recorder.calls().len();
    fs.append(&log, one()).await.unwrap_err();
    assert_eq!(recorder.calls()[before..], ["write", "truncate", "sync data"]);
}

#[tokio::test]
async fn each_small_operation_is_at_most_one_hop() {
    let (_root, _recorder, fs) = opened().await;
    let hops = || fs.backend().handle().blocking.hops();
    let log = Name::new("log").unwrap();
    let version = put(&fs, "a.txt").await.unwrap();
    let before = hops();
    fs.read(Area::Objects, &key("a.txt"), ReadRequest::default())
        .await
        .unwrap();
    fs.stat(Area::Objects, &key("a.txt")).await.unwrap();
    let swap = WriteRequest::when(Condition::IfVersion(version));
    fs.write(Area::Objects, &key("a.txt"), "y".into(), swap)
        .await
        .unwrap();
    fs.list(Area::Objects, ListRequest::new("")).await.unwrap();
    fs.copy(
        Area::Objects,
        &key("a.txt"),
        &key("b.txt"),
        WriteRequest::default(),
    )
    .await
    .unwrap();
    fs.delete(Area::Objects, &key("a.txt"), DeleteRequest::default())
        .await
        .unwrap();
    fs.append(&log, AppendRequest::new(vec!["x".into()]))
        .await
        .unwrap();
    fs.read_log(&log, 0, 10).await.unwrap();
    // Fewer where the system has a file in memory.
    assert!((6..=8).contains(&(hops() - before)));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_in_one_directory_share_its_syncs() {
    let (_root, recorder, fs) = opened().await;
    put(&fs, "d/first.txt").await.unwrap();
    let before = recorder.syncs();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let fs = fs.clone();
        writers.spawn(async move { put(&fs, &format!("d/{writer}.txt")).await.map(drop) });
    }
    for outcome in writers.join_all().await {
        outcome.unwrap();
    }
    let (files, directories) = since(&recorder, before);
    assert_eq!(files, 64);
    assert!((1..=64).contains(&directories), "{directories}");
}

/// Entries that wait for a log that is held, and what keeps it so. The log has one entry.
async fn waiting(fs: &Fs, log: &Name, entries: u8) -> (crate::lock::Claim, Vec<Append>) {
    fs.append(log, AppendRequest::new(vec!["first".into()]))
        .await
        .unwrap();
    let handle = fs.backend().handle();
    let claim = handle.locks.claim(&[handle.root.layout.log(log).path()]).await;
    let appends = (0..entries)
        .map(|entry| {
            let (fs, log) = (fs.clone(), log.clone());
            let request = AppendRequest::new(vec![vec![entry; 3].into()]);
            tokio::spawn(async move { fs.append(&log, request).await })
        })
        .collect();
    // On this runtime each runs until it waits.
    tokio::task::yield_now().await;
    (claim, appends)
}

type Append = tokio::task::JoinHandle<storage_core::Result<storage_core::Appended>>;

#[tokio::test]
async fn appends_that_wait_are_one_write_and_one_sync_in_the_order_they_came() {
    let (_root, recorder, fs) = opened().await;
    let log = Name::new("log").unwrap();
    let (claim, appends) = waiting(&fs, &log, 32).await;
    let before = recorder.calls().len();
    drop(claim);
    for (first, append) in (1..).zip(appends) {
        assert_eq!(append.await.unwrap().unwrap().first, first);
    }
    assert_eq!(recorder.calls()[before..], ["write", "sync data"]);
    let page = fs.read_log(&log, 1, 100).await.unwrap();
    let entries: Vec<_> = page.entries.iter().map(|entry| entry.bytes[0]).collect();
    assert_eq!(entries, (0..32).collect::<Vec<u8>>());
}

#[tokio::test]
async fn an_append_that_was_given_up_while_it_waited_is_never_made() {
    let (_root, _recorder, fs) = opened().await;
    let log = Name::new("log").unwrap();
    let (claim, appends) = waiting(&fs, &log, 3).await;
    appends[1].abort();
    tokio::task::yield_now().await;
    drop(claim);
    let outcomes = futures::future::join_all(appends).await;
    assert!(outcomes[1].is_err());
    let page = fs.read_log(&log, 1, 100).await.unwrap();
    let entries: Vec<_> = page.entries.iter().map(|entry| entry.bytes[0]).collect();
    assert_eq!(entries, [0, 2]);
}

#[tokio::test]
async fn of_appends_that_wait_a_failed_write_fails_one_and_a_failed_sync_all() {
    let (_root, recorder, fs) = opened().await;
    let log = Name::new("written").unwrap();
    let (claim, appends) = waiting(&fs, &log, 3).await;
    recorder.fail_next("write");
    drop(claim);
    let outcomes = futures::future::join_all(appends).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!(error.applied(), Applied::No);
    assert_eq!(outcomes[1].as_ref().unwrap().first, 1);
    assert_eq!(outcomes[2].as_ref().unwrap().first, 2);

    let log = Name::new("synced").unwrap();
    let (claim, appends) = waiting(&fs, &log, 3).await;
    recorder.fail_next("sync data");
    drop(claim);
    for append in appends {
        let error = append.await.unwrap().unwrap_err();
        assert_eq!(error.applied(), Applied::Unknown);
    }
    let refused = fs.append(&log, AppendRequest::new(vec!["x".into()])).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn of_appends_that_wait_those_that_are_whole_when_the_disk_is_full_stand() {
    let (_root, recorder, fs) = opened().await;
    let log = Name::new("log").unwrap();
    let (claim, appends) = waiting(&fs, &log, 3).await;
    let before = recorder.calls().len();
    // One line and a part of the next.
    recorder.cut_next_write_at(90);
    drop(claim);
    for (first, append) in (1..).zip(appends) {
        assert_eq!(append.await.unwrap().unwrap().first, first);
    }
    assert_eq!(
        recorder.calls()[before..],
        ["write", "write", "truncate", "sync data", "write", "sync data"],
        "the first is synced, the others are written where they belong when it is their turn"
    );
    let page = fs.read_log(&log, 1, 100).await.unwrap();
    let entries: Vec<_> = page.entries.iter().map(|entry| entry.bytes[0]).collect();
    assert_eq!((entries, page.torn_bytes), (vec![0, 1, 2], 0));
}
