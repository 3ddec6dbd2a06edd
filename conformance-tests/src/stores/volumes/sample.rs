//! What the cases of volumes share.

use futures::TryStreamExt;
use storage_core::{ListEntry, Storage};
use storage_stores::volumes::{Ed25519Key, Volume, VolumeOptions, VolumeStore};

use crate::case::Failure;

/// Nobody else makes the stores of a case, so they can be made everywhere.
pub(super) fn options() -> VolumeOptions {
    VolumeOptions::new().sole_creator(true)
}

pub(super) async fn open(storage: &Storage) -> Result<VolumeStore, Failure> {
    Ok(VolumeStore::open(storage.clone(), options()).await?)
}

/// A store of its own for each round of a case.
pub(super) async fn open_in(storage: &Storage, directory: &str) -> Result<VolumeStore, Failure> {
    Ok(VolumeStore::open(storage.clone(), options().directory(directory)).await?)
}

/// The key every case signs with.
pub(super) fn key() -> Ed25519Key {
    Ed25519Key::from_seed([7; 32])
}

/// Another key.
pub(super) fn other_key() -> Ed25519Key {
    Ed25519Key::from_seed([8; 32])
}

pub(super) async fn volume(store: &VolumeStore) -> Result<Volume, Failure> {
    Ok(Volume::open(store, key()).await?)
}

/// Names and texts, as a volume has them now.
pub(super) async fn contents(volume: &Volume) -> Result<Vec<(String, String)>, Failure> {
    let mut contents = Vec::new();
    for entry in volume.list("") {
        let bytes = volume.get(&entry.name).await?.ok_or("a listed name has bytes")?;
        contents.push((entry.name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(contents)
}

pub(super) async fn keys(storage: &Storage, prefix: &str) -> Result<Vec<String>, Failure> {
    let entries: Vec<ListEntry> = storage.objects().list(prefix).try_collect().await?;
    Ok(entries.iter().map(|entry| entry.name().to_owned()).collect())
}

/// Changes one bit of an object behind everybody's back.
pub(super) async fn flip(storage: &Storage, key: &str) -> Result<Vec<u8>, Failure> {
    let bytes = storage.objects().read(key).await?.ok_or("it is there")?;
    let mut bytes = bytes.to_vec();
    match bytes.last_mut() {
        Some(last) => *last ^= 1,
        None => bytes.push(0),
    }
    storage.objects().write(key, bytes.clone()).await?;
    Ok(bytes)
}
