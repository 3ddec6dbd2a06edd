//! Several processes on one database file: two at once, and one that is killed.

use std::path::PathBuf;
use std::sync::Arc;

use conformance_tests::processes::{Lane, Opening};
use storage_core::StorageAdapter;
use storage_sqlite::{Sqlite, SqliteConfig};

fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let sqlite = Sqlite::open(SqliteConfig::new(directory.join("processes.db"))).await?;
        Ok(Arc::new(sqlite) as Arc<dyn StorageAdapter>)
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

#[test]
fn what_three_processes_did_has_an_order() {
    Lane::new("what_three_processes_did_has_an_order", open).histories(20);
}
