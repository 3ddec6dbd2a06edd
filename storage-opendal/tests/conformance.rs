//! The suite on two services of OpenDAL, and a store of volumes on one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place};
use opendal::Operator;
use opendal::services;
use storage_core::{Capability, Error, ErrorKind, Overlay, Result, Storage, StorageAdapter};
use storage_opendal::{OpenDal, OpenDalConfig};
use storage_stores::volumes::{Ed25519Key, Replica, Volume, VolumeOptions, VolumeStore};

async fn adapter(operator: Operator) -> Result<Arc<dyn StorageAdapter>> {
    let backend = OpenDal::open(OpenDalConfig::new(operator)).await?;
    Ok(Arc::new(Overlay::new(backend)))
}

#[derive(Default)]
struct InMemory(Mutex<HashMap<Place, Operator>>);

fn memory() -> Operator {
    Operator::new(services::Memory::default()).unwrap().finish()
}

#[async_trait]
impl Harness for InMemory {
    fn label(&self) -> Label {
        Label::new("opendal memory", "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let operator = self
            .0
            .lock()
            .unwrap()
            .entry(place.clone())
            .or_insert_with(memory)
            .clone();
        adapter(operator).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        self.0.lock().unwrap().remove(place);
        Ok(())
    }
}

struct Directories(tempfile::TempDir);

fn directory(root: &std::path::Path) -> Operator {
    let staging = root.with_extension("staging");
    let service = services::Fs::default()
        .root(root.to_str().unwrap())
        .atomic_write_dir(staging.to_str().unwrap());
    Operator::new(service).unwrap().finish()
}

#[async_trait]
impl Harness for Directories {
    fn label(&self) -> Label {
        Label::new("opendal fs", "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        adapter(directory(&self.0.path().join(place.as_str()))).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        for directory in [place.as_str().to_owned(), format!("{place}.staging")] {
            match std::fs::remove_dir_all(self.0.path().join(directory)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::new(ErrorKind::Io, "a place could not be removed").with_source(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

mod on_memory {
    use super::*;

    conformance_tests::suite!(InMemory::default());
}

mod on_fs {
    use super::*;

    conformance_tests::suite!(Directories(tempfile::tempdir().unwrap()));
}

#[tokio::test]
async fn writes_that_show_before_they_are_finished_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let service = services::Fs::default().root(root.path().to_str().unwrap());
    let operator = Operator::new(service).unwrap().finish();
    let error = OpenDal::open(OpenDalConfig::new(operator)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("atomic_write_dir"), "{error}");
    let left = std::fs::read_dir(root.path().join("~probe")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the scratch objects are gone");
}

#[tokio::test]
async fn what_is_absent_says_why() {
    let backend = OpenDal::open(OpenDalConfig::new(memory())).await.unwrap();
    let storage = Storage::new(Overlay::new(backend));
    let refused = storage.require(&[Capability::CompareAndSwap]).unwrap_err();
    assert!(refused.message().contains("OpenDAL"), "{refused}");
    assert!(storage.require(&[Capability::Documents]).is_err());
}

/// What a synchronized folder is good for: a second place for a store of volumes.
#[tokio::test]
async fn a_folder_is_a_replica_of_a_store_of_volumes() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = async |root: &std::path::Path| Storage::from_arc(adapter(directory(root)).await.unwrap());
    let folder = there.path().join("folder");
    let replicas = vec![
        Replica::durable("here", open(&here.path().join("disk")).await),
        Replica::opportunistic("folder", open(&folder).await),
    ];
    let options = VolumeOptions::new().sole_creator(true);
    let store = VolumeStore::open_replicas(replicas, options.clone())
        .await
        .unwrap();
    let volume = Volume::open(&store, Ed25519Key::from_seed([3; 32]))
        .await
        .unwrap();
    let entry = volume.put("notes/a.txt", "hello").await.unwrap();
    let block = folder.join(format!("blocks/{}.bin", entry.block));
    assert_eq!(
        std::fs::read(&block).unwrap(),
        b"hello",
        "a person finds it under the seed's name"
    );
    let channel = folder.join("channels").join(volume.channel().key().to_string());
    std::fs::write(channel.join("conflicted copy.bin"), "what such services leave").unwrap();
    std::fs::write(&block, "hellp").unwrap();
    let alone = VolumeStore::open(open(&folder).await, options).await.unwrap();
    let alone = Volume::open_read_only(&alone, volume.channel().key().clone())
        .await
        .unwrap();
    assert_eq!(alone.list("").len(), 1);
    assert_eq!(
        alone.get("notes/a.txt").await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(
        volume.get("notes/a.txt").await.unwrap().as_deref(),
        Some(&b"hello"[..])
    );
}
