//! Many entries, and much at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use storage_core::{Memory, Storage};
use storage_stores::kv::{Eviction, Kv, SetOptions};

use crate::place::{open, options};

/// Bytes of this process that are in memory.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_100_000_entries_starts_without_reading_any() {
    let medium = Memory::new();
    let kv = Kv::open(Storage::new(medium.clone()), options().eviction(Eviction::Lru))
        .await
        .unwrap();
    let values: Vec<(String, u32)> = (0..100_000)
        .map(|number| (format!("k{number:06}"), number))
        .collect();
    for chunk in values.chunks(5_000) {
        for set in kv.set_many(chunk, SetOptions::new()).await {
            set.unwrap();
        }
    }
    kv.finish().await.unwrap();
    // A value that could not be read without being noticed: its object is gone.
    kv.set_raw("large", vec![1; 20_000], SetOptions::new())
        .await
        .unwrap();
    kv.finish().await.unwrap();
    let storage = Storage::new(medium);
    let object = kv.resolve("large").await.unwrap().unwrap().object.unwrap();
    storage.objects().delete(object).await.unwrap();

    let (before, began) = (storage.counters().calls, Instant::now());
    let kv = Kv::open(storage.clone(), options().eviction(Eviction::Lru))
        .await
        .unwrap();
    let stats = kv.stats().await.unwrap();
    let (calls, took) = (storage.counters().calls - before, began.elapsed());
    println!("a store of 100,001 entries opened in {took:?} with {calls} calls");
    assert_eq!(stats.entries, 100_001);
    assert!(calls <= 8, "{calls} calls");
    assert!(kv.has("large").await.unwrap(), "has asks for no object");
    assert_eq!(kv.info("k099999").await.unwrap().unwrap().length, 5);
    assert_eq!(kv.keys("k09999").await.unwrap().len(), 10);
}

/// Tells this test binary that it is the process that is measured.
#[cfg(target_os = "linux")]
const MEASURED: &str = "STORAGE_STORES_KV_MEASURED";

/// In a process of its own: what other tests keep is not measured.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_its_limit_under_load() {
    let measured = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "large::the_process_that_is_measured", "--nocapture"])
        .env(MEASURED, "yes")
        .status()
        .unwrap();
    assert!(measured.success());
}

/// Does nothing when it is run as a test of its own.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_measured() {
    if std::env::var_os(MEASURED).is_none() {
        return;
    }
    const LIMIT: u64 = 16 << 20;
    let directory = tempfile::tempdir().unwrap();
    let lasting = options().memory_limit(LIMIT).staleness(Duration::from_secs(3600));
    let kv = open("fs", directory.path(), lasting).await;
    let value: Arc<[u8]> = vec![7; 256 * 1024].into();
    kv.set_raw("warm", value.to_vec(), SetOptions::new())
        .await
        .unwrap();
    let before = resident();
    let mut most = 0;
    // 100 MiB through 16, written and read twice by four at once.
    let tasks = (0..4).map(|task| {
        let (kv, value) = (kv.clone(), Arc::clone(&value));
        tokio::spawn(async move {
            for number in 0..100 {
                let key = format!("{task}/{number}");
                kv.set_raw(&key, value.to_vec(), SetOptions::new()).await.unwrap();
                for _ in 0..2 {
                    assert_eq!(kv.get_raw(&key).await.unwrap().unwrap().len(), value.len());
                }
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    while tasks.iter().any(|task| !task.is_finished()) {
        most = most.max(resident().saturating_sub(before));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let stats = kv.stats().await.unwrap();
    println!(
        "with a limit of {} MiB resident memory grew by at most {} MiB; {} MiB are kept",
        LIMIT >> 20,
        most >> 20,
        stats.memory_bytes >> 20
    );
    assert!(
        stats.memory_bytes <= LIMIT,
        "{} bytes are kept",
        stats.memory_bytes
    );
    // What is under way comes on top: some values a task, and what the allocator keeps.
    assert!(most < 3 * LIMIT, "resident memory grew by {most} bytes");
    kv.close().await.unwrap();
}
