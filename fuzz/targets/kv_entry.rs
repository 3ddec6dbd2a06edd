//! Any document where an entry, the account or the keys of a namespace should be: read or refused, never a panic, and what is set over it is
//! what is read.

#![no_main]

use std::cell::LazyCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::{Memory, Storage};
use storage_stores::kv::{Eviction, Key, KeyProvider, Kv, KvOptions, Sealing, SetOptions};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        LazyCell::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

fuzz_target!(|data: &[u8]| {
    let [place, bytes @ ..] = data else { return };
    let Some(document) = document(place & 0x80 != 0, bytes) else { return };
    RUNTIME.with(|runtime| runtime.block_on(met(place & 3, document)));
});

/// As text, which mutates well, or as it is stored.
fn document(is_text: bool, bytes: &[u8]) -> Option<RawDocumentBuf> {
    if is_text {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        return RawDocumentBuf::try_from(&document).ok();
    }
    let mut bytes = bytes.to_vec();
    let length = u32::try_from(bytes.len()).ok()?;
    // No mutation gets this right by luck.
    bytes.get_mut(..4)?.copy_from_slice(&length.to_le_bytes());
    RawDocumentBuf::from_bytes(bytes).ok()
}

async fn met(place: u8, document: RawDocumentBuf) {
    let storage = Storage::new(Memory::new());
    let (collection, id) = match place {
        0 | 1 => ("kv.fuzzed", "key"),
        2 => ("kv", "fuzzed"),
        _ => ("kv_secrets", "fuzzed"),
    };
    if storage.collection(collection).put(id, &document).await.is_err() {
        return;
    }
    let mut options = KvOptions::new()
        .namespace("fuzzed")
        .cleanup_interval(Duration::ZERO)
        .staleness(Duration::ZERO)
        .size_limit(1 << 20)
        .eviction(Eviction::Lru);
    if place % 2 == 1 {
        options = options.encryption(Sealing::chosen(KeyProvider::key(Key::from_bytes(&mut [7; 32]))));
    }
    let Ok(kv) = Kv::open(storage, options).await else { return };
    drop(kv.get_raw("key").await);
    drop(kv.get::<serde_json::Value>("key").await);
    drop(kv.info("key").await);
    drop(kv.keys("").await);
    drop(kv.stats().await);
    drop(kv.verify().await);
    drop(kv.touch("key", Duration::from_secs(5)).await);
    drop(kv.hold("key", Duration::from_secs(5)).await);
    drop(kv.restore("key").await);
    drop(kv.align().await);
    drop(kv.cleanup().await);
    if kv.set_raw("key", "new", SetOptions::new()).await.is_ok() {
        let read = kv.get_raw("key").await.expect("it was set");
        assert_eq!(read.as_deref(), Some(&b"new"[..]));
    }
    drop(kv.delete("key").await);
    drop(kv.align().await);
    drop(kv.finish().await);
}
