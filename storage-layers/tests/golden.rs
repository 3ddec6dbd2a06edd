//! What a version wrote, every later one reads: a file for each codec and cipher, as version 0.1 wrote it.
//!
//! The files are never written anew. A new format gets files beside them: `WRITE_GOLDEN=1 cargo test -p storage-layers --all-features
//! --test golden` writes those that are missing, and only those.

#![cfg(all(feature = "checksum", feature = "compression", feature = "encryption"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::PathBuf;

use bytes::Bytes;
use storage_core::bson::{Document, doc};
use storage_core::{
    Area, DocumentId, Key as ObjectKey, Memory, Name, PutRequest, ReadRequest, Storage, StorageAdapter,
    StorageBackend, Timestamp, WriteRequest,
};
use storage_layers::compression::{Codec, Compression, Limits, decompress};
use storage_layers::encryption::{Context, Key, KeyProvider, Keyring, Kind, Suite};
use storage_layers::{Checksum, Compress, Encrypt, EncryptOptions, Fields};

/// The file of this name; written by this very version where it is missing and asked for.
async fn golden(name: &str, write: impl AsyncFnOnce() -> Bytes) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => bytes.into(),
        Err(_) if std::env::var_os("WRITE_GOLDEN").is_some() => {
            let bytes = write().await;
            std::fs::write(&path, &bytes).unwrap();
            bytes
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn text() -> String {
    (0..200)
        .map(|n| format!("{{\"n\":{n},\"name\":\"ada\"}}\n"))
        .collect()
}

fn key() -> Key {
    Key::from_bytes(&mut [0x42; 32])
}

fn object() -> ObjectKey {
    ObjectKey::new("notes/a.txt").unwrap()
}

/// What lies in memory under the object's name.
async fn stored(memory: &Memory, area: Area, key: &ObjectKey) -> Bytes {
    memory
        .read(area, key, ReadRequest::default())
        .await
        .unwrap()
        .unwrap()
        .bytes
}

/// A layer's object as it is stored.
async fn written<L: StorageBackend>(memory: &Memory, layer: &L) -> Bytes {
    let request = WriteRequest::default();
    layer
        .write(Area::Objects, &object(), text().into(), request)
        .await
        .unwrap();
    stored(memory, Area::Objects, &object()).await
}

/// What a layer reads from what is stored.
async fn read<L: StorageBackend>(memory: &Memory, layer: &L, bytes: Bytes) -> Bytes {
    memory
        .write(Area::Objects, &object(), bytes, WriteRequest::default())
        .await
        .unwrap();
    let read = layer.read(Area::Objects, &object(), ReadRequest::default()).await;
    read.unwrap().unwrap().bytes
}

#[tokio::test]
async fn values_of_every_codec_open_forever() {
    for codec in Codec::ALL {
        let frame = golden(&format!("value.{codec}"), async || {
            Compression::new(*codec).compress(text().as_bytes()).unwrap()
        })
        .await;
        assert!(decompress(&frame, Limits::new()).unwrap() == text(), "{codec}");
    }
}

#[tokio::test]
async fn objects_of_every_codec_open_forever() {
    for codec in Codec::ALL {
        let memory = Memory::new();
        let layer = Compress::new(memory.clone(), Compression::new(*codec));
        let bytes = golden(&format!("object.{codec}"), async || {
            written(&memory, &layer).await
        })
        .await;
        assert!(read(&memory, &layer, bytes).await == text(), "{codec}");
    }
}

#[tokio::test]
async fn values_of_every_cipher_open_forever() {
    for suite in Suite::ALL {
        let context = Context::new(Kind::Entry, "user:7")
            .store(b"golden")
            .namespace("profiles");
        let sealed = golden(&format!("value.{suite}"), async || {
            Keyring::new(key())
                .suite(*suite)
                .seal(&context, text().as_bytes())
                .unwrap()
        })
        .await;
        assert!(
            Keyring::new(key()).open(&context, &sealed).unwrap() == text(),
            "{suite}"
        );
    }
}

#[tokio::test]
async fn objects_with_checksums_open_forever() {
    let memory = Memory::new();
    let layer = Checksum::new(memory.clone());
    let bytes = golden("object.blake3", async || written(&memory, &layer).await).await;
    assert!(read(&memory, &layer, bytes).await == text());
}

/// A store with a keystore under a key, and one under a passphrase.
#[tokio::test]
async fn keystores_and_what_is_sealed_under_them_open_forever() {
    for (name, provider) in [
        ("key", KeyProvider::key(key())),
        (
            "passphrase",
            KeyProvider::passphrase("correct horse battery staple"),
        ),
    ] {
        let options = || {
            EncryptOptions::new(provider.clone())
                .namespace("golden")
                .collection("users", Fields::new().plain("country").blind("email"))
        };
        let place = ObjectKey::new("encryption/keystore").unwrap();
        let (users, id) = (Name::new("users").unwrap(), DocumentId::new("ada").unwrap());
        let now = Timestamp::from_millis(0);
        let body = doc! { "name": "Ada", "country": "UK", "email": "ada@example.org" };
        // Written together, because they belong together.
        let written = tokio::sync::OnceCell::new();
        let made = async || {
            let memory = Memory::new();
            let layer = Encrypt::open(memory.clone(), options()).await.unwrap();
            let object = self::written(&memory, &layer).await;
            let raw = storage_core::bson::RawDocumentBuf::try_from(&body).unwrap();
            layer
                .put(&users, PutRequest::new(id.clone(), raw, now))
                .await
                .unwrap();
            let document = memory.get(&users, &id, now).await.unwrap().unwrap().body;
            let document = Bytes::from(document.as_bytes().to_vec());
            (stored(&memory, Area::Overlay, &place).await, object, document)
        };
        let part =
            async |pick: fn(&(Bytes, Bytes, Bytes)) -> &Bytes| pick(written.get_or_init(&made).await).clone();
        let keystore = golden(&format!("keystore.{name}.json"), async || {
            part(|made| &made.0).await
        })
        .await;
        let object = golden(&format!("keystore.{name}.object"), async || {
            part(|made| &made.1).await
        })
        .await;
        let document = golden(&format!("keystore.{name}.document"), async || {
            part(|made| &made.2).await
        })
        .await;

        let memory = Memory::new();
        memory
            .write(Area::Overlay, &place, keystore, WriteRequest::default())
            .await
            .unwrap();
        let envelope = storage_core::bson::RawDocumentBuf::from_bytes(document.to_vec()).unwrap();
        memory
            .put(&users, PutRequest::new(id.clone(), envelope, now))
            .await
            .unwrap();
        let layer = Encrypt::open(memory.clone(), options()).await.unwrap();
        assert!(read(&memory, &layer, object).await == text(), "{name}");
        let storage = Storage::new(layer);
        let users = storage.collection::<Document>("users");
        assert_eq!(users.get("ada").await.unwrap().unwrap().value, body, "{name}");
    }
}
