//! Several processes on one place. The others are this test binary, told by its environment what to do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use storage_stores::volumes::{Keep, Repair, Replica, VolumeOptions, VolumeStore};

use crate::place::{BACKENDS, storage, store, volume};
use crate::task::{of_this_process, spawn};

const TASK: &str = "STORAGE_STORES_VOLUMES_TASK";

/// Does nothing when it is run as a test of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let Some(task) = of_this_process(TASK) else {
        return;
    };
    let (backend, directory) = (task.backend.as_str(), task.directory.as_path());
    match task.name.as_str() {
        "forever" => put_forever(backend, directory).await,
        "reconcile" => reconcile_forever(directory).await,
        "same" => put_the_same(backend, directory).await,
        name => put_names(backend, directory, name).await,
    }
}

async fn put_names(backend: &str, directory: &Path, name: &str) {
    let store = store(backend, directory).await;
    let volume = volume(&store).await;
    for at in 0..10 {
        volume
            .put(&format!("{name} {at}"), format!("content {at}"))
            .await
            .unwrap();
        volume.put("shared", format!("{name} {at}")).await.unwrap();
    }
    store.close().await.unwrap();
}

async fn put_the_same(backend: &str, directory: &Path) {
    let store = store(backend, directory).await;
    let blocks = store.blocks();
    let contents: Vec<String> = (0..20).map(|at| format!("<{at}>").repeat(20_000)).collect();
    let puts = contents.iter().map(|content| blocks.put(content.clone()));
    futures::future::try_join_all(puts).await.unwrap();
    store.close().await.unwrap();
}

/// Puts one name after another, deletes some, and says what was acknowledged, until it is killed.
async fn put_forever(backend: &str, directory: &Path) {
    let store = store(backend, directory).await;
    let volume = volume(&store).await;
    for round in 0.. {
        let name = format!("{}-{round}", std::process::id());
        volume.put(&name, format!("{name} ").repeat(3000)).await.unwrap();
        println!("@put {name}");
        if round % 3 == 1 {
            volume.delete(&name).await.unwrap();
            println!("@delete {name}");
        }
    }
}

async fn two(directory: &Path) -> VolumeStore {
    let replicas = vec![
        Replica::durable("here", storage("fs", &directory.join("here")).await),
        Replica::durable("there", storage("fs", &directory.join("there")).await),
    ];
    VolumeStore::open_replicas(replicas, VolumeOptions::new())
        .await
        .unwrap()
}

async fn reconcile_forever(directory: &Path) {
    let store = two(directory).await;
    println!("@begun");
    store.reconcile().await.unwrap();
    println!("@done");
}

fn finish(others: &mut [Child]) {
    for other in others {
        assert!(other.wait().unwrap().success());
    }
}

#[tokio::test]
async fn two_processes_write_one_volume() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut others = ["one", "two", "three"].map(|task| spawn(TASK, backend, directory.path(), task));
        finish(&mut others);
        let store = store(backend, directory.path()).await;
        let volume = volume(&store).await;
        assert_eq!(volume.list("").len(), 31, "{backend}");
        for name in ["one", "two", "three"] {
            for at in 0..10 {
                let bytes = volume.get(&format!("{name} {at}")).await.unwrap().unwrap();
                assert_eq!(bytes, format!("content {at}"), "{backend}");
            }
        }
        let shared = volume.get("shared").await.unwrap().unwrap();
        assert!(
            shared.ends_with(b" 9"),
            "{backend}: the last of one of them: {shared:?}"
        );
        assert_eq!(volume.log().len(), 60, "{backend}");
        assert!(
            store.verify_all(Repair::Nothing).await.unwrap().is_sound(),
            "{backend}"
        );
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn processes_that_put_the_same_blocks_all_succeed() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut others = ["same"; 3].map(|task| spawn(TASK, backend, directory.path(), task));
        finish(&mut others);
        let store = store(backend, directory.path()).await;
        let report = store.verify_all(Repair::Nothing).await.unwrap();
        assert_eq!(
            (report.sound, report.foreign.len()),
            (20, 0),
            "{backend}: {report:?}"
        );
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_was_told_was_written() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut acknowledged = BTreeMap::new();
        for life in 0..5 {
            let mut other = spawn(TASK, backend, directory.path(), "forever");
            let output = BufReader::new(other.stdout.take().unwrap());
            // Each life ends after another number of words, so each kill meets another step.
            let mut left = 2 + life * 3;
            for line in output.lines() {
                let line = line.unwrap();
                let Some((_, told)) = line.split_once('@') else {
                    continue;
                };
                let (what, name) = told.split_once(' ').unwrap();
                acknowledged.insert(name.to_owned(), what == "put");
                left -= 1;
                if left == 0 {
                    other.kill().unwrap();
                }
            }
            other.wait().unwrap();
        }
        assert!(acknowledged.len() > 15, "{backend}: {acknowledged:?}");
        let store = store(backend, directory.path()).await;
        let volume = volume(&store).await;
        let names: Vec<String> = acknowledged.keys().cloned().collect();
        for name in names {
            let whole = format!("{name} ").repeat(3000);
            match volume.get(&name).await.unwrap() {
                Some(bytes) => assert_eq!(bytes, whole, "{backend} {name}"),
                // Its deletion was under way, or done.
                None => assert!(
                    !acknowledged[&name]
                        || name.ends_with(|last: char| last.is_ascii_digit()) && is_deleted(&name),
                    "{backend} {name}"
                ),
            }
            if !acknowledged[&name] {
                assert_eq!(volume.entry(&name), None, "{backend} {name}");
            }
        }
        let report = store.verify_all(Repair::Nothing).await.unwrap();
        assert!(
            report.is_sound() && report.foreign.is_empty(),
            "{backend}: {report:?}"
        );
        store
            .collect(Keep::History, Duration::from_secs(24 * 60 * 60))
            .await
            .unwrap();
        store.close().await.unwrap();
    }
}

/// Whether that writer deletes this name right after it put it.
fn is_deleted(name: &str) -> bool {
    let (_, round) = name.split_once('-').unwrap();
    round.parse::<u32>().unwrap() % 3 == 1
}

#[tokio::test]
async fn a_killed_reconciliation_is_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let here = store("fs", &directory.path().join("here")).await;
    let there = store("fs", &directory.path().join("there")).await;
    let written = volume(&here).await;
    for at in 0..40 {
        written
            .put(&format!("name {at}"), format!("<{at}>").repeat(30_000))
            .await
            .unwrap();
        there.blocks().put(format!("there {at}")).await.unwrap();
    }
    for life in 0..4 {
        let mut other = spawn(TASK, "fs", directory.path(), "reconcile");
        let mut output = BufReader::new(other.stdout.take().unwrap()).lines();
        while !output.next().unwrap().unwrap().contains("@begun") {}
        // Until it has copied some more, so each kill meets another step.
        let before = there.blocks().list().await.unwrap().len();
        while there.blocks().list().await.unwrap().len() < (before + life + 1).min(80) {
            tokio::task::yield_now().await;
        }
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(there.verify_all(Repair::Nothing).await.unwrap().is_sound());
    }
    let both = two(directory.path()).await;
    assert!(both.reconcile().await.unwrap().is_complete());
    assert_eq!(both.reconcile().await.unwrap().copied, 0);
    assert_eq!(
        here.blocks().list().await.unwrap(),
        there.blocks().list().await.unwrap()
    );
    let arrived = volume(&there).await;
    assert_eq!(arrived.list(""), written.list(""));
}
