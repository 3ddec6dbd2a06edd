//! What lies on the disk.

use std::path::{Path, PathBuf};

use storage_stores::kv::{Codec, Key, KeyProvider, Sealing, SetOptions};

use crate::place::{BACKENDS, open, options};

const CANARY: &str = "canary-91c4e7d2";

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// The files that contain these bytes.
fn holding(directory: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    files(directory).into_iter().filter(holds).collect()
}

#[tokio::test]
async fn no_file_shows_an_encrypted_value_or_a_key() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut secret = [0xA7; 32];
        let sealing = Sealing::all(KeyProvider::key(Key::from_bytes(&mut secret)));
        let sealed = options()
            .encryption(sealing)
            .data_keys(true)
            .backups(1)
            .audit("tester");
        let kv = open(backend, directory.path(), sealed).await;
        for codec in [false, true] {
            for length in [1, 2000] {
                let options = SetOptions::new().compress(codec);
                kv.set_with("json", &CANARY.repeat(length), options.clone())
                    .await
                    .unwrap();
                kv.set_raw("bytes", CANARY.repeat(length), options).await.unwrap();
            }
        }
        kv.rotate().await.unwrap();
        kv.close().await.unwrap();
        assert_eq!(
            holding(directory.path(), CANARY.as_bytes()),
            Vec::<PathBuf>::new(),
            "{backend}"
        );
        assert_eq!(
            holding(directory.path(), &[0xA7; 32]),
            Vec::<PathBuf>::new(),
            "{backend}"
        );
        assert_eq!(
            holding(directory.path(), "a7".repeat(32).as_bytes()),
            Vec::<PathBuf>::new(),
            "{backend}"
        );
        let plain = tempfile::tempdir().unwrap();
        let kv = open(backend, plain.path(), options()).await;
        kv.set("json", CANARY).await.unwrap();
        kv.close().await.unwrap();
        assert_ne!(
            holding(plain.path(), CANARY.as_bytes()),
            Vec::<PathBuf>::new(),
            "{backend} hides what is plain"
        );
    }
}

#[tokio::test]
async fn compressed_values_take_less_of_the_disk() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let kv = open(backend, directory.path(), options().compression(Codec::Zstd)).await;
        let text = "the same again and again ".repeat(40_000);
        kv.set("text", &text).await.unwrap();
        let size = kv.size("text").await.unwrap().unwrap();
        assert!(size < 10_000, "{backend}: {size}");
        assert_eq!(kv.get::<String>("text").await.unwrap(), Some(text), "{backend}");
        kv.close().await.unwrap();
    }
}
