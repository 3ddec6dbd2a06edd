//! On files a store is the tree the seed describes, which other programs read and write too.

use std::path::Path;

use storage_core::ErrorKind;
use storage_stores::volumes::{Repair, Replica, VolumeOptions, VolumeStore};

use crate::place::{storage, store, volume};

fn files(directory: &Path) -> Vec<String> {
    fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let below = path.strip_prefix(root).unwrap();
                found.push(below.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    for top in ["blocks", "channels", "quarantine", "staging"] {
        if directory.join(top).is_dir() {
            walk(directory, &directory.join(top), &mut found);
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_tree_is_the_seeds() {
    let directory = tempfile::tempdir().unwrap();
    let store = store("fs", directory.path()).await;
    let volume = volume(&store).await;
    let entry = volume.put("notes/a.txt", "hello").await.unwrap();
    let key = volume.channel().key().to_string();
    assert_eq!(key.len(), 64);
    let expected = [
        format!("blocks/{}.bin", entry.block),
        format!("channels/{key}/{}.bin", entry.event),
    ];
    assert_eq!(files(directory.path()), expected);
    assert_eq!(
        std::fs::read(directory.path().join(&expected[0])).unwrap(),
        b"hello"
    );
    assert!(directory.path().join("volumes.json").is_file());
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_other_programs_put_there_is_told_and_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let store = store("fs", directory.path()).await;
    let written = volume(&store).await;
    let entry = written.put("a", "x").await.unwrap();
    let channel = directory
        .path()
        .join("channels")
        .join(written.channel().key().to_string());
    let event = format!("{}.bin", entry.event);
    std::fs::copy(channel.join(&event), channel.join("conflicted copy.bin")).unwrap();
    std::fs::write(channel.join(format!("{event}.tmp")), "half").unwrap();
    std::fs::create_dir(channel.join("a directory.bin")).unwrap();
    let told = written.refresh().await.unwrap();
    assert_eq!(told.strays.len(), 2, "{told:?}");
    assert_eq!(volume(&store).await.list("").len(), 1);
    let report = store.verify_all(Repair::Quarantine).await.unwrap();
    assert_eq!((report.damaged.len(), report.foreign.len()), (0, 2), "{report:?}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_block_that_was_cut_off_on_the_disk_is_quarantined_and_healed_from_the_replica() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replicas = vec![
        Replica::durable("here", storage("fs", here.path()).await),
        Replica::opportunistic("there", storage("fs", there.path()).await),
    ];
    let store = VolumeStore::open_replicas(replicas, VolumeOptions::new())
        .await
        .unwrap();
    let volume = volume(&store).await;
    let entry = volume.put("a", "some bytes").await.unwrap();
    let path = here.path().join(format!("blocks/{}.bin", entry.block));
    std::fs::write(&path, "some by").unwrap();
    assert_eq!(
        volume.get("a").await.unwrap().as_deref(),
        Some(&b"some bytes"[..])
    );
    let kept = files(here.path());
    assert_eq!(
        kept.iter().filter(|path| path.starts_with("quarantine/")).count(),
        1
    );
    assert_eq!(store.failures()[0].kind, ErrorKind::Corrupt);
    let report = store.reconcile().await.unwrap();
    assert_eq!((report.copied, report.is_complete()), (1, true), "{report:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"some bytes");
    store.close().await.unwrap();
}
