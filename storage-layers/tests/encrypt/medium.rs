//! Wrong keys, swaps, damage, replay, and what can be read on a disk.

use std::path::Path;

use storage_core::bson::{Document, doc};
use storage_core::{
    Area, ByteRange, DocumentId, ErrorKind, Memory, Name, Overlay, PutRequest, ReadRequest, Storage,
    StorageAdapter, StorageBackend, WriteRequest,
};
use storage_fs::{Fs, FsBackend, FsConfig};
use storage_layers::compression::{Codec, Compression};
use storage_layers::{Compress, Encrypt};

use super::{key, open, options, put_raw, raw};

#[tokio::test]
async fn the_wrong_key_no_key_and_plain_data_are_errors_of_their_own() {
    let memory = Memory::new();
    let storage = Storage::new(open(&memory).await);
    storage.objects().write("a", "secret").await.unwrap();
    storage
        .collection::<Document>("c")
        .put("d", &doc! { "n": 1_i64 })
        .await
        .unwrap();
    storage.log("l").append("secret").await.unwrap();
    let wrong = Encrypt::open(memory.clone(), options(8)).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Unauthenticated, "{wrong}");
    // Without the layer, what is there is not taken for something else either.
    assert!(
        storage_layers::encryption::Keystore::is_present(&memory)
            .await
            .unwrap()
    );
    assert!(storage_layers::encryption::is_sealed(&raw(&memory, "a").await));

    // Plain data in a sealed store.
    let plain = Storage::new(memory.clone());
    plain.objects().write("plain", "text").await.unwrap();
    plain
        .collection::<Document>("c")
        .put("plain", &doc! { "n": 1_i64 })
        .await
        .unwrap();
    plain.log("plain").append("text").await.unwrap();
    let kind = |result: storage_core::Result<()>| result.unwrap_err().kind();
    assert_eq!(
        kind(storage.objects().read("plain").await.map(drop)),
        ErrorKind::Corrupt
    );
    let documents = storage.collection::<Document>("c");
    assert_eq!(kind(documents.get("plain").await.map(drop)), ErrorKind::Corrupt);
    assert_eq!(
        kind(storage.log("plain").read(0, 1).await.map(drop)),
        ErrorKind::Corrupt
    );

    // A key on a store of plain data.
    for fill in 0..3 {
        let memory = Memory::new();
        let plain = Storage::new(memory.clone());
        match fill {
            0 => drop(plain.objects().write("a", "text").await.unwrap()),
            1 => drop(
                plain
                    .collection::<Document>("c")
                    .put("d", &doc! {})
                    .await
                    .unwrap(),
            ),
            _ => drop(plain.log("l").append("text").await.unwrap()),
        }
        let refused = Encrypt::open(memory, options(7)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    }
}

#[tokio::test]
async fn what_is_sealed_opens_in_its_own_place_only() {
    let memory = Memory::new();
    let layer = open(&memory).await;
    let storage = Storage::new(open(&memory).await);
    for name in ["a", "b"] {
        storage.objects().write(name, name).await.unwrap();
        storage
            .collection::<Document>("c")
            .put(name, &doc! { "name": name })
            .await
            .unwrap();
        storage.log(name).append(name).await.unwrap();
    }
    put_raw(&memory, "b", raw(&memory, "a").await).await;
    assert_eq!(
        storage.objects().read("b").await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let (collection, now) = (Name::new("c").unwrap(), storage.now());
    let id = |text: &str| DocumentId::new(text).unwrap();
    let moved = memory
        .get(&collection, &id("a"), now)
        .await
        .unwrap()
        .unwrap()
        .body;
    memory
        .put(&collection, PutRequest::new(id("b"), moved.clone(), now))
        .await
        .unwrap();
    let documents = storage.collection::<Document>("c");
    assert_eq!(documents.get("b").await.unwrap_err().kind(), ErrorKind::Corrupt);
    // In a list it hides nobody.
    let mut page = layer
        .find(
            &collection,
            storage_core::FindRequest::new(storage_core::Filter::All, vec![], now),
        )
        .await
        .unwrap();
    assert_eq!(page.documents.len(), 1);
    let error = page.unreadable.pop().unwrap();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("c/b")));
    let other = Name::new("other").unwrap();
    memory
        .put(&other, PutRequest::new(id("a"), moved, now))
        .await
        .unwrap();
    assert_eq!(
        storage
            .collection::<Document>("other")
            .get("a")
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Corrupt
    );
    let entry = memory
        .read_log(&Name::new("a").unwrap(), 0, 1)
        .await
        .unwrap()
        .entries
        .remove(0)
        .bytes;
    let log = Name::new("b").unwrap();
    memory
        .append(&log, storage_core::AppendRequest::new(vec![entry]))
        .await
        .unwrap();
    let error = storage.log("b").read(1, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("b#1")));
}

/// What cannot be promised without a second place: an older state of the same name comes back unnoticed.
#[tokio::test]
async fn an_older_state_of_the_same_object_is_not_told_from_the_newest() {
    let memory = Memory::new();
    let storage = Storage::new(open(&memory).await);
    storage.objects().write("a", "old").await.unwrap();
    let old = raw(&memory, "a").await;
    storage.objects().write("a", "new").await.unwrap();
    put_raw(&memory, "a", old).await;
    assert_eq!(storage.objects().read("a").await.unwrap().unwrap(), "old");
}

#[tokio::test]
async fn ranges_give_verified_bytes_or_an_error() {
    let memory = Memory::new();
    let layer = open(&memory).await;
    let plain: Vec<u8> = (0..300_000).map(|at| (at % 251) as u8).collect();
    layer
        .write(
            Area::Objects,
            &key("a"),
            plain.clone().into(),
            WriteRequest::default(),
        )
        .await
        .unwrap();
    let whole = raw(&memory, "a").await;
    // The third chunk is damaged.
    let mut damaged = whole.to_vec();
    damaged[88 + 2 * (65536 + 16) + 100] ^= 1;
    put_raw(&memory, "a", damaged).await;
    let read = async |start: u64, end: u64| {
        let mut request = ReadRequest::default();
        request.range = Some(ByteRange::Bounded(start, end));
        layer.read(Area::Objects, &key("a"), request).await
    };
    let good = read(70_000, 130_000).await.unwrap().unwrap();
    assert!(good.bytes == plain[70_000..130_000]);
    assert_eq!(good.meta.size, 300_000);
    for (start, end) in [
        (131_072, 131_073),
        (196_607, 196_608),
        (0, 300_000),
        (130_000, 200_000),
    ] {
        assert_eq!(
            read(start, end).await.unwrap_err().kind(),
            ErrorKind::Corrupt,
            "{start}..{end}"
        );
    }
    // Cut off at a chunk's end, the last chunk is not the last that was written.
    put_raw(&memory, "a", whole.slice(..88 + 4 * (65536 + 16))).await;
    assert_eq!(
        read(262_143, 262_144).await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let mut request = ReadRequest::default();
    request.range = Some(ByteRange::Suffix(1));
    assert_eq!(
        layer
            .read(Area::Objects, &key("a"), request)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Corrupt
    );
}

/// Everything below a directory, as one string of bytes, names included.
fn everything(directory: &Path, out: &mut Vec<u8>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        out.extend_from_slice(path.to_string_lossy().as_bytes());
        if path.is_dir() {
            everything(&path, out);
        } else {
            out.extend_from_slice(&std::fs::read(path).unwrap());
        }
    }
}

fn contains(bytes: &[u8], wanted: &str) -> bool {
    bytes
        .windows(wanted.len())
        .any(|window| window == wanted.as_bytes())
}

const CANARY: &str = "canary-of-plaintext";

async fn fill(storage: &Storage) {
    storage.objects().write("object", CANARY.repeat(3)).await.unwrap();
    let mut upload = storage
        .objects()
        .upload("streamed", storage_core::WriteOptions::new())
        .await
        .unwrap();
    upload.write(CANARY.repeat(10_000)).await.unwrap();
    upload.finish().await.unwrap();
    let body = doc! { "text": CANARY, CANARY: { "nested": [CANARY] } };
    storage
        .collection::<Document>("documents")
        .put("a", &body)
        .await
        .unwrap();
    storage.log("log").append(CANARY).await.unwrap();
}

#[tokio::test]
async fn neither_plaintext_nor_key_is_found_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let files = |name: &str| FsConfig::new(directory.path().join(name));
    // The control: without encryption it is found.
    fill(&Storage::new(Fs::open(files("plain")).await.unwrap())).await;
    let mut plain = Vec::new();
    everything(&directory.path().join("plain"), &mut plain);
    assert!(contains(&plain, CANARY));

    let secret = *b"canary-key-canary-key-canary-key";
    let provider = || {
        storage_layers::encryption::KeyProvider::key(storage_layers::encryption::Key::from_bytes(
            &mut secret.clone(),
        ))
    };
    let options = || storage_layers::EncryptOptions::new(provider());
    let adapter = Encrypt::open(Fs::open(files("adapter")).await.unwrap(), options())
        .await
        .unwrap();
    let adapter = Compress::new(adapter, Compression::new(Codec::Lz4).threshold(0));
    let shown = format!("{adapter:?} {:?}", options());
    assert!(!shown.contains("canary") && !shown.contains("63616e617279") && !shown.contains("99, 97, 110"));
    fill(&Storage::new(adapter)).await;
    let backend = FsBackend::open(files("overlay")).await.unwrap();
    let backend = Encrypt::open_backend(backend, options()).await.unwrap();
    fill(&Storage::new(Overlay::new(backend))).await;
    for name in ["adapter", "overlay"] {
        let mut sealed = Vec::new();
        everything(&directory.path().join(name), &mut sealed);
        assert!(sealed.len() > 190_000 || name == "adapter", "nothing was written");
        for wanted in ["canary", "Y2FuYXJ5", "nested"] {
            assert!(!contains(&sealed, wanted), "{wanted} is found in {name}");
        }
    }
}
