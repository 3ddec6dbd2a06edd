//! Entries as the first version wrote them, with each codec and cipher. They must open forever.
//!
//! The file is written by `WRITE_GOLDEN=1 cargo test -p storage-stores --all-features --test kv golden` where there is none; one that is
//! there is never written over.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use storage_core::bson::RawDocumentBuf;
use storage_core::{Memory, Query, Storage};
use storage_stores::kv::{Codec, Key, KeyProvider, Kv, KvOptions, Sealing, SetOptions, Suite};

use crate::place::options;

const SIZES: [usize; 4] = [0, 1, 200, 20_000];

#[derive(Default, Serialize, Deserialize)]
struct Golden {
    documents: Vec<(String, String, String)>,
    objects: Vec<(String, String)>,
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kv/golden-1.json"))
}

fn key() -> KeyProvider {
    KeyProvider::key(Key::from_bytes(&mut [42; 32]))
}

/// Each way to encrypt, in a namespace of its own.
fn ways() -> Vec<KvOptions> {
    let mut ways = vec![
        options().namespace("plain"),
        options()
            .namespace("own keys")
            .encryption(Sealing::all(key()))
            .data_keys(true),
    ];
    for suite in Suite::ALL {
        let sealing = Sealing::all(key()).suite(*suite);
        ways.push(options().namespace(suite.as_str()).encryption(sealing));
    }
    ways
}

fn text(codec: Codec, size: usize) -> String {
    format!("{codec} ").chars().cycle().take(size).collect()
}

async fn write() -> Golden {
    let storage = Storage::new(Memory::new());
    for way in ways() {
        for codec in Codec::ALL {
            let kv = Kv::open(
                storage.clone(),
                way.clone().compression(*codec).compression_threshold(0),
            )
            .await
            .unwrap();
            for size in SIZES {
                let text = text(*codec, size);
                kv.set(format!("json/{codec}/{size}"), &text).await.unwrap();
                let bytes = SetOptions::new().permanent();
                kv.set_raw(format!("bytes/{codec}/{size}"), text, bytes)
                    .await
                    .unwrap();
            }
            kv.finish().await.unwrap();
        }
    }
    let mut golden = Golden::default();
    for collection in storage.collections().await.unwrap() {
        let documents = storage.collection::<RawDocumentBuf>(collection.as_str());
        for document in documents
            .find(Query::all())
            .await
            .unwrap()
            .collect()
            .await
            .unwrap()
        {
            let body = STANDARD.encode(document.value.as_bytes());
            golden
                .documents
                .push((collection.to_string(), document.id.to_string(), body));
        }
    }
    let entries: Vec<_> = storage.objects().list("").try_collect().await.unwrap();
    for entry in entries {
        let bytes = storage.objects().read(entry.name()).await.unwrap().unwrap();
        golden
            .objects
            .push((entry.name().to_owned(), STANDARD.encode(bytes)));
    }
    golden
}

async fn laid_out(golden: &Golden) -> Storage {
    let storage = Storage::new(Memory::new());
    for (collection, id, body) in &golden.documents {
        let body = RawDocumentBuf::from_bytes(STANDARD.decode(body).unwrap()).unwrap();
        storage.collection(collection).put(id, &body).await.unwrap();
    }
    for (object, bytes) in &golden.objects {
        storage
            .objects()
            .write(object, STANDARD.decode(bytes).unwrap())
            .await
            .unwrap();
    }
    storage
}

#[tokio::test]
async fn what_the_first_version_wrote_is_read() {
    if !path().exists() && std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(path(), serde_json::to_string(&write().await).unwrap()).unwrap();
    }
    let golden: Golden = serde_json::from_slice(&std::fs::read(path()).unwrap()).unwrap();
    let storage = laid_out(&golden).await;
    for way in ways() {
        let kv = Kv::open(storage.clone(), way).await.unwrap();
        let ciphered = kv.namespace() != "plain";
        for codec in Codec::ALL {
            for size in SIZES {
                let expected = text(*codec, size);
                let json: Option<String> = kv.get(format!("json/{codec}/{size}")).await.unwrap();
                assert_eq!(
                    json.as_ref(),
                    Some(&expected),
                    "{} {codec} {size}",
                    kv.namespace()
                );
                let key = format!("bytes/{codec}/{size}");
                assert_eq!(
                    kv.get_raw(&key).await.unwrap().unwrap(),
                    expected,
                    "{} {key}",
                    kv.namespace()
                );
                let info = kv.info(&key).await.unwrap().unwrap();
                assert_eq!(
                    (info.cipher.is_some(), info.permanent),
                    (ciphered, true),
                    "{} {key}",
                    kv.namespace()
                );
            }
            let info = kv.info(format!("bytes/{codec}/20000")).await.unwrap().unwrap();
            assert_eq!(info.codec, codec.as_str(), "the fixture has every codec");
        }
        assert_eq!(kv.verify().await.unwrap().problems, [], "{}", kv.namespace());
        assert_eq!(
            kv.stats().await.unwrap().entries,
            (Codec::ALL.len() * SIZES.len() * 2) as u64
        );
    }
}
