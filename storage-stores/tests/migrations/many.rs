//! A hundred thousand documents: what it takes is shown, what comes of it is checked.

use std::time::Instant;

use storage_core::{Memory, Storage};

use super::{assert_counted, counting, load, open};

const USERS: usize = 100_000;

/// The most memory the process had since the last call, in MiB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    // Where it cannot be reset, it is the most there ever was.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    kilobytes.unwrap_or(0) / 1024
}

async fn measured(backend: &str, storage: Storage) {
    load(&storage, USERS).await;
    let migrations = counting(&storage, false);
    let before = peak();
    let mut said = Vec::new();
    let mut begun = Instant::now();
    let mut note = |what: &str| {
        said.push(format!(
            "{what} {:.1} s, peak {} MiB",
            begun.elapsed().as_secs_f64(),
            peak()
        ));
        begun = Instant::now();
    };
    migrations.backup(Some("first")).await.unwrap();
    note("backup");
    migrations.migrate_to("1.0.0").await.unwrap();
    note("migration");
    migrations.migrate().await.unwrap();
    note("another");
    assert_counted(&storage, USERS).await;
    note("reading");
    migrations.restore("first").await.unwrap();
    note("restore with its safety backup");
    assert_eq!(migrations.remaining().await.unwrap()["users"], USERS as u64);
    eprintln!("{backend}: peak before {before} MiB; {}", said.join("; "));
    storage.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes: run it with --ignored --nocapture --test-threads=1"]
async fn a_hundred_thousand_documents_in_memory() {
    measured("memory", Storage::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes: run it with --ignored --nocapture --test-threads=1"]
async fn a_hundred_thousand_documents_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    measured("sqlite", open("sqlite", directory.path()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes: run it with --ignored --nocapture --test-threads=1"]
async fn a_hundred_thousand_documents_in_files() {
    let directory = tempfile::tempdir().unwrap();
    measured("fs", open("fs", directory.path()).await).await;
}
