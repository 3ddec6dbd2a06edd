//! What the overlay makes of files is what the reference adapter answers: the same operations on both, the same answers but for
//! versions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use conformance_tests::differential;
use storage_core::{Durability, StorageAdapter};
use storage_fs::{Fs, FsConfig};

#[tokio::test]
async fn documents_indexes_and_queries() {
    for seed in differential::seeds(1..=4) {
        let directory = tempfile::tempdir().unwrap();
        let mut clients: Vec<Arc<dyn StorageAdapter>> = Vec::new();
        for _ in 0..2 {
            // Unsynced: what survives a crash is not what this looks at.
            let config = FsConfig::new(directory.path()).durability(Durability::ProcessCrash);
            clients.push(Arc::new(Fs::open(config).await.unwrap()));
        }
        if let Err(difference) = differential::documents(&clients, seed, 300).await {
            panic!("{difference}");
        }
    }
}
