//! Several processes on one place. The others are this test binary, told by its environment what to do.

use std::io::{BufRead, BufReader};

use futures::TryStreamExt;
use storage_core::ErrorKind;
use storage_stores::chunks::{Chunk, ChunkStore};

use crate::place::{BACKENDS, info, open};
use crate::task::{of_this_process, spawn};

const TASK: &str = "STORAGE_STORES_CHUNKS_TASK";
const CHUNKS: u32 = 40;

/// Does nothing when it is run as a test of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let Some(task) = of_this_process(TASK) else {
        return;
    };
    let store = open(&task.backend, &task.directory).await;
    match task.name.as_str() {
        "even" => send(&store, (0..CHUNKS).filter(|index| index % 2 == 0)).await,
        "odd" => send(&store, (0..CHUNKS).rev().filter(|index| index % 2 == 1)).await,
        "forever" => send_forever(&store).await,
        "clean" => drop(store.cleanup().await.unwrap()),
        uploads => reserve(&store, uploads).await,
    }
    store.close().await.unwrap();
}

fn bytes(index: u32) -> String {
    format!("<{index}>").repeat(50)
}

async fn send(store: &ChunkStore, indexes: impl Iterator<Item = u32>) {
    for index in indexes {
        store
            .save_chunk(bytes(index), info("c", index, CHUNKS))
            .await
            .unwrap();
    }
}

/// Sends one content after another and says what was acknowledged, until it is killed.
async fn send_forever(store: &ChunkStore) {
    for round in 0.. {
        let id = format!("{}-{round}", std::process::id());
        for index in [1, 0, 1] {
            store.save_chunk(bytes(index), info(&id, index, 2)).await.unwrap();
            println!("@{id} {index}");
        }
        store.mark_content_complete(&id).await.unwrap();
        println!("@{id} whole");
    }
}

async fn reserve(store: &ChunkStore, uploads: &str) {
    for upload in 0..4 {
        let id = format!("{uploads}{upload}");
        let saved = store.save_chunk("x", info(&id, 0, 1).content_size(150_000)).await;
        if let Err(error) = saved {
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
        }
    }
}

async fn read(store: &ChunkStore, id: &str) -> String {
    let chunks: Vec<Chunk> = store.read_content(id).await.unwrap().try_collect().await.unwrap();
    chunks
        .iter()
        .map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned())
        .collect()
}

#[tokio::test]
async fn two_processes_send_one_content() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut others = ["even", "odd", "even"].map(|task| spawn(TASK, backend, directory.path(), task));
        for other in &mut others {
            assert!(other.wait().unwrap().success(), "{backend}");
        }
        let store = open(backend, directory.path()).await;
        store.mark_content_complete("c").await.unwrap();
        let expected: String = (0..CHUNKS).map(bytes).collect();
        assert_eq!(read(&store, "c").await, expected, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_do_not_overshoot_together() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut others = ["a", "b", "d"].map(|task| spawn(TASK, backend, directory.path(), task));
        for other in &mut others {
            assert!(other.wait().unwrap().success(), "{backend}");
        }
        let store = open(backend, directory.path()).await;
        let usage = store.usage("s").await.unwrap();
        // Six of 150,000 bytes go into a million.
        assert_eq!((usage.uploads, usage.reserved), (6, 900_000), "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_was_told_was_saved() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut acknowledged = Vec::new();
        for life in 0..4 {
            let mut other = spawn(TASK, backend, directory.path(), "forever");
            let output = BufReader::new(other.stdout.take().unwrap());
            // Each life ends after another number of words, so each kill meets another step.
            let mut left = 3 + life * 5;
            for line in output.lines() {
                let line = line.unwrap();
                let Some((_, told)) = line.split_once('@') else {
                    continue;
                };
                acknowledged.push(told.to_owned());
                left -= 1;
                if left == 0 {
                    other.kill().unwrap();
                }
            }
            other.wait().unwrap();
        }
        assert!(acknowledged.len() > 30, "{backend}: {acknowledged:?}");
        let store = open(backend, directory.path()).await;
        for told in &acknowledged {
            let (id, what) = told.split_once(' ').unwrap();
            if what == "whole" {
                assert_eq!(read(&store, id).await, bytes(0) + &bytes(1), "{backend} {id}");
            } else {
                let index: u32 = what.parse().unwrap();
                let chunk = store.get_chunk(id, index).await.unwrap();
                assert_eq!(
                    chunk.as_deref(),
                    Some(bytes(index).as_bytes()),
                    "{backend} {id} {index}"
                );
            }
        }
        let report = store.verify().await.unwrap();
        assert_eq!(report.problems, [], "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_clean_one_place() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let store = open(backend, directory.path()).await;
        for item in 0..25 {
            let id = format!("c{item:02}");
            store.save_chunk("x", info(&id, 0, 1)).await.unwrap();
            store.mark_content_complete(&id).await.unwrap();
        }
        let mut others = ["clean", "clean", "clean"].map(|task| spawn(TASK, backend, directory.path(), task));
        for other in &mut others {
            assert!(other.wait().unwrap().success(), "{backend}");
        }
        let list = store.list_content("s", usize::MAX, 0).await.unwrap();
        assert_eq!(list.items.len(), 20, "{backend}");
        assert_eq!(store.verify().await.unwrap().problems, [], "{backend}");
        store.close().await.unwrap();
    }
}
