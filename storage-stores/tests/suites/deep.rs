//! The cases that take long on a disk, where they take a moment: in memory. The other backends run them with `--ignored`.

use std::sync::Arc;

use conformance_tests::{InMemory, Plan, Suite, Tier};
use storage_core::Memory;

async fn every_tier(suite: Suite) {
    let harness = InMemory::new("memory", |memory: Memory| Arc::new(memory));
    let plan = Plan::new().suite(suite).tier(Tier::Deep);
    let report = conformance_tests::run(Arc::new(harness), plan, |_| {}).await;
    assert!(report.is_success(), "{report}");
    assert!(report.cases.len() >= suite.cases().count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_chunks_holds_in_memory() {
    every_tier(Suite::Chunks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_collections_holds_in_memory() {
    every_tier(Suite::Collections).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_kv_holds_in_memory() {
    every_tier(Suite::Kv).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_volumes_holds_in_memory() {
    every_tier(Suite::Volumes).await;
}
