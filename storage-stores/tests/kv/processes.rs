//! Several processes on one place. The others are this test binary, told by its environment what to do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use storage_core::ErrorKind;
use storage_stores::kv::{Kv, KvOptions, SetOptions};

use crate::place::{BACKENDS, open, options};
use crate::task::{of_this_process, spawn};

const TASK: &str = "STORAGE_STORES_KV_TASK";

/// Room for a hundred values of 990 bytes with a key of ten.
fn limited() -> KvOptions {
    options().size_limit(100_000)
}

/// Does nothing when it is run as a test of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let Some(task) = of_this_process(TASK) else {
        return;
    };
    let options = if ["count", "forever"].contains(&task.name.as_str()) {
        options()
    } else {
        limited()
    };
    let kv = open(&task.backend, &task.directory, options).await;
    match task.name.as_str() {
        "count" => count(&kv).await,
        "forever" => set_forever(&kv).await,
        filler => fill(&kv, filler).await,
    }
    kv.close().await.unwrap();
}

async fn count(kv: &Kv) {
    for _ in 0..10 {
        let counted = kv.lock("count", |entry| async move {
            let count: u32 = entry.get().await?.unwrap_or(0);
            entry.set(&(count + 1)).await
        });
        counted.await.unwrap();
    }
}

async fn fill(kv: &Kv, filler: &str) {
    for number in 0..60 {
        let set = kv.set_raw(format!("{filler}{number:09}"), vec![b'x'; 990], SetOptions::new());
        if let Err(error) = set.await {
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
        }
    }
}

fn value(round: u64) -> Vec<u8> {
    let length = if round.is_multiple_of(2) { 20 } else { 20_000 };
    round
        .to_string()
        .into_bytes()
        .into_iter()
        .cycle()
        .take(length)
        .collect()
}

/// Sets, overwrites and deletes, and says what was acknowledged, until it is killed.
async fn set_forever(kv: &Kv) {
    for round in 0_u64.. {
        let key = format!("k{}", round % 7);
        println!("@begin {key} {round}");
        if round % 11 == 10 {
            kv.delete(&key).await.unwrap();
            println!("@deleted {key} {round}");
        } else {
            kv.set_raw(&key, value(round), SetOptions::new()).await.unwrap();
            println!("@set {key} {round}");
        }
    }
}

#[tokio::test]
async fn the_lock_counts_in_all_processes() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut others = [0; 3].map(|_| spawn(TASK, backend, directory.path(), "count"));
        for other in &mut others {
            assert!(other.wait().unwrap().success(), "{backend}");
        }
        let kv = open(backend, directory.path(), options()).await;
        assert_eq!(kv.get("count").await.unwrap(), Some(30), "{backend}");
        kv.close().await.unwrap();
    }
}

#[tokio::test]
async fn three_processes_do_not_exceed_the_limit_together() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut others = ["a", "b", "c"].map(|task| spawn(TASK, backend, directory.path(), task));
        for other in &mut others {
            assert!(other.wait().unwrap().success(), "{backend}");
        }
        let kv = open(backend, directory.path(), limited()).await;
        let keys = kv.keys("").await.unwrap().len();
        assert!((80..=100).contains(&keys), "{backend}: {keys} of 100");
        let stats = kv.stats().await.unwrap();
        assert_eq!(
            (stats.entries, stats.bytes),
            (keys as u64, keys as u64 * 1000),
            "{backend}"
        );
        // What others had set aside they gave back.
        for number in keys..100 {
            kv.set_raw(format!("d{number:09}"), vec![b'x'; 990], SetOptions::new())
                .await
                .unwrap();
        }
        kv.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_was_told_was_set() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        // What a key holds, and what it may hold instead.
        let mut known: BTreeMap<String, Vec<Option<u64>>> = BTreeMap::new();
        let mut acknowledged = 0;
        for life in 0..4 {
            let mut other = spawn(TASK, backend, directory.path(), "forever");
            let output = BufReader::new(other.stdout.take().unwrap());
            // Each life ends after another number of words, so each kill meets another step.
            let mut left = 20 + life * 7;
            for line in output.lines() {
                let line = line.unwrap();
                let Some((_, told)) = line.split_once('@') else {
                    continue;
                };
                let [what, key, round] = told.split(' ').collect::<Vec<_>>()[..] else {
                    continue;
                };
                let round: u64 = round.parse().unwrap();
                let next = (round % 11 != 10).then_some(round);
                let held = known.entry(key.to_owned()).or_insert_with(|| vec![None]);
                if what == "begin" {
                    held.push(next);
                } else {
                    *held = vec![next];
                    acknowledged += 1;
                }
                left -= 1;
                if left == 0 {
                    other.kill().unwrap();
                }
            }
            other.wait().unwrap();
        }
        assert!(acknowledged > 30, "{backend}: {acknowledged}");
        let kv = open(backend, directory.path(), options()).await;
        for (key, held) in &known {
            let found = kv.get_raw(key).await.unwrap();
            let expected: Vec<Option<Vec<u8>>> = held.iter().map(|round| round.map(value)).collect();
            assert!(
                expected.iter().any(|value| value.as_deref() == found.as_deref()),
                "{backend}: {key} holds {found:?}, and may hold {held:?}"
            );
        }
        assert_eq!(kv.verify().await.unwrap().problems, [], "{backend}");
        kv.cleanup().await.unwrap();
        let large = kv.list("").await.unwrap();
        let (mut entries, mut objects) = (large, 0);
        while let Some(entry) = entries.next().await.unwrap() {
            objects += usize::from(entry.stored > 8192);
        }
        let storage = crate::place::storage(backend, directory.path()).await;
        let kept = futures::TryStreamExt::try_collect::<Vec<_>>(storage.objects().list("kv/"))
            .await
            .unwrap();
        assert!(
            kept.len() <= objects + 4,
            "{backend}: {} objects for {objects} values",
            kept.len()
        );
        kv.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_another_process_writes_is_seen_within_the_bound() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let lasting = options().staleness(Duration::from_millis(50));
        let kv = open(backend, directory.path(), lasting).await;
        kv.set("count", &0).await.unwrap();
        let mut other = spawn(TASK, backend, directory.path(), "count");
        assert!(other.wait().unwrap().success(), "{backend}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(kv.get("count").await.unwrap(), Some(10), "{backend}");
        kv.close().await.unwrap();
    }
}
