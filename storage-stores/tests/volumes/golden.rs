//! A store this version wrote opens for ever: `golden/` has one with each hash, as it was on the disk. `UPDATE_GOLDEN=1` writes what is
//! not there yet, and never what is.

use std::path::{Path, PathBuf};

use storage_core::{Memory, Storage};
use storage_stores::volumes::{
    Change, Ed25519Key, Event, HashAlgorithm, Repair, Signer, Volume, VolumeOptions, VolumeStore,
};

fn golden(hash: HashAlgorithm) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/volumes/golden")
        .join(hash.as_str())
}

fn key() -> Ed25519Key {
    Ed25519Key::from_seed(*b"the seed of the golden fixtures.")
}

fn options(hash: HashAlgorithm) -> VolumeOptions {
    VolumeOptions::new()
        .hash(hash)
        .fan_out(u8::from(hash == HashAlgorithm::Blake3))
}

/// What is in the golden stores.
async fn write(storage: &Storage, hash: HashAlgorithm) {
    let store = VolumeStore::open(storage.clone(), options(hash)).await.unwrap();
    let volume = Volume::open(&store, key()).await.unwrap();
    volume.put("notes/ä.txt", "first").await.unwrap();
    volume.put("empty", "").await.unwrap();
    volume.snapshot("monday").await.unwrap();
    volume.put("notes/ä.txt", "second").await.unwrap();
    volume.delete("empty").await.unwrap();
    // Two heads, and an event that is no change.
    let root = volume.log()[0].0.hash();
    let change = Change::Put {
        name: "concurrent".to_owned(),
        block: store.blocks().put("apart").await.unwrap(),
        size: 5,
    };
    let apart = Event::sign(hash, &key(), vec![root], change.encode().unwrap()).unwrap();
    volume.channel().accept(apart.bytes().clone()).await.unwrap();
    volume.channel().append("of another kind").await.unwrap();
}

fn files(root: &Path, directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
}

async fn objects(storage: &Storage) -> Vec<(String, Vec<u8>)> {
    use futures::TryStreamExt;
    let entries: Vec<_> = storage.objects().list("").try_collect().await.unwrap();
    let mut found = Vec::new();
    for entry in entries {
        let bytes = storage.objects().read(entry.name()).await.unwrap().unwrap();
        found.push((entry.name().to_owned(), bytes.to_vec()));
    }
    found.sort();
    found
}

#[tokio::test]
async fn stores_of_this_version_open_for_ever() {
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let directory = golden(hash);
        if !directory.exists() {
            assert!(
                std::env::var_os("UPDATE_GOLDEN").is_some(),
                "{} is missing",
                directory.display()
            );
            let storage = Storage::new(Memory::new());
            write(&storage, hash).await;
            for (name, bytes) in objects(&storage).await {
                let path = directory.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
        }
        let mut stored = Vec::new();
        files(&directory, &directory, &mut stored);
        let storage = Storage::new(Memory::new());
        for (name, bytes) in &stored {
            storage.objects().write(name, bytes.clone()).await.unwrap();
        }
        let store = VolumeStore::open(storage.clone(), VolumeOptions::new())
            .await
            .unwrap();
        assert_eq!(store.hash_algorithm(), hash);
        let report = store.verify_all(Repair::Nothing).await.unwrap();
        assert!(report.is_sound() && report.foreign.is_empty(), "{report:?}");
        let volume = Volume::open_read_only(&store, key().public_key()).await.unwrap();
        let names: Vec<String> = volume.list("").into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["concurrent", "notes/ä.txt"]);
        assert_eq!(
            volume.get("notes/ä.txt").await.unwrap().as_deref(),
            Some(&b"second"[..])
        );
        assert_eq!(
            volume.get("concurrent").await.unwrap().as_deref(),
            Some(&b"apart"[..])
        );
        let snapshot = volume.read_snapshot("monday").await.unwrap().unwrap();
        let names: Vec<&str> = snapshot.entries().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["empty", "notes/ä.txt"]);
        assert_eq!(volume.log().len(), 7);
    }
}

/// Nothing in a store is random, so writing the same again gives the same bytes under the same paths: within this format for ever.
#[tokio::test]
async fn the_same_again_is_the_same_store_to_the_last_byte() {
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let directory = golden(hash);
        assert!(directory.exists(), "{} is missing", directory.display());
        let mut stored = Vec::new();
        files(&directory, &directory, &mut stored);
        let storage = Storage::new(Memory::new());
        write(&storage, hash).await;
        let mut again = objects(&storage).await;
        // What tells of new events is another each time, and holds nothing.
        again.retain(|(key, _)| !key.starts_with("changed/"));
        assert_eq!(again, stored, "{hash}");
    }
}
