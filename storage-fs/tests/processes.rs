//! Several processes on one directory: two at once, and one that is killed.

use std::path::PathBuf;
use std::sync::Arc;

use conformance_tests::processes::{Lane, Opening};
use storage_core::StorageAdapter;
use storage_fs::{Fs, FsConfig};

fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let fs = Fs::open(FsConfig::new(directory.join("processes"))).await?;
        Ok(Arc::new(fs) as Arc<dyn StorageAdapter>)
    })
}

#[test]
fn two_processes_lose_no_update() {
    Lane::new("two_processes_lose_no_update", open).hammer(300);
}

#[test]
fn kill_9_loses_nothing_acknowledged() {
    Lane::new("kill_9_loses_nothing_acknowledged", open).kill(300);
}
