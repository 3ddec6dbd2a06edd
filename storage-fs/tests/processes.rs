//! Several processes on one directory: two at once, and one that is killed.

use std::path::{Path, PathBuf};
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

#[test]
fn what_three_processes_did_has_an_order() {
    Lane::new("what_three_processes_did_has_an_order", open).histories(20);
}

/// Whether this process is the one that looks, not one that works and is killed.
fn is_looking() -> bool {
    std::env::var_os("CONFORMANCE_CHILD").is_none()
}

/// Cuts a file to a part of its length, as a write that was not atomic would leave it.
fn cut(path: &Path, keep: impl Fn(&[u8]) -> usize) {
    if is_looking()
        && let Ok(bytes) = std::fs::read(path)
    {
        std::fs::write(path, &bytes[..keep(&bytes)]).expect("writes in place");
    }
}

fn open_tearing_objects(directory: PathBuf) -> Opening {
    cut(&directory.join("processes/killed/0.bin"), |bytes| bytes.len() / 2);
    open(directory)
}

fn open_losing_entries(directory: PathBuf) -> Opening {
    let last_line = |bytes: &[u8]| {
        bytes[..bytes.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1)
    };
    cut(
        &directory.join("processes/.storage/logs/killed%2Flog.jsonl"),
        last_line,
    );
    open(directory)
}

#[test]
#[should_panic(expected = "object 0 is not what any of the operations")]
fn a_torn_object_is_noticed() {
    Lane::new("a_torn_object_is_noticed", open_tearing_objects).kill(30);
}

#[test]
#[should_panic(expected = "log 0 is not what any of the operations")]
fn a_lost_entry_is_noticed() {
    Lane::new("a_lost_entry_is_noticed", open_losing_entries).kill(30);
}

/// Puts a value into registers that nobody wrote, once all who work on them have ended.
fn open_changing_registers(directory: PathBuf) -> Opening {
    for round in 0..5 {
        let register = directory.join(format!("processes/history/{round}/0%"));
        if is_looking() && register.exists() {
            std::fs::write(register, "7").expect("writes in place");
        }
    }
    open(directory)
}

#[test]
#[should_panic(expected = "no order explains")]
fn a_value_nobody_wrote_is_noticed() {
    Lane::new("a_value_nobody_wrote_is_noticed", open_changing_registers).histories(5);
}
