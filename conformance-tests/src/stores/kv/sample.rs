//! What the cases of the key-value store share.

use std::time::Duration;

use storage_core::Storage;
use storage_stores::kv::{Key, KeyProvider, Kv, KvOptions, Sealing, SetOptions};

use crate::case::Failure;

/// The options of a store that cleans up only when it is told to, keeps small values in documents and the others in objects, and looks
/// each time whether somebody else wrote.
pub(super) fn options() -> KvOptions {
    KvOptions::new()
        .cleanup_interval(Duration::ZERO)
        .inline_limit(64)
        .staleness(Duration::ZERO)
}

pub(super) async fn open(storage: &Storage) -> Result<Kv, Failure> {
    open_with(storage, options()).await
}

pub(super) async fn open_with(storage: &Storage, options: KvOptions) -> Result<Kv, Failure> {
    Ok(Kv::open(storage.clone(), options).await?)
}

/// Stores text as bytes, so that it takes as many as it has.
pub(super) async fn put(kv: &Kv, key: &str, text: &str) -> Result<(), Failure> {
    Ok(kv.set_raw(key, text.to_owned(), SetOptions::new()).await?)
}

pub(super) async fn text(kv: &Kv, key: &str) -> Result<Option<String>, Failure> {
    let bytes = kv.get_raw(key).await?;
    let text = bytes.map(|bytes| String::from_utf8(bytes.to_vec()));
    text.transpose()
        .map_err(|_| Failure::new(format!("the value of {key:?} is not the text it was")))
}

/// A text of so many bytes, too many for a document.
pub(super) fn large(of: char) -> String {
    std::iter::repeat_n(of, 1000).collect()
}

pub(super) fn key(byte: u8) -> KeyProvider {
    KeyProvider::key(Key::from_bytes(&mut [byte; 32]))
}

pub(super) fn sealed(byte: u8) -> KvOptions {
    options().encryption(Sealing::all(key(byte)))
}

/// How many objects there are below the store's directory.
pub(super) async fn objects(storage: &Storage) -> Result<usize, Failure> {
    use futures::TryStreamExt;
    let objects: Vec<_> = storage.objects().list("kv/").try_collect().await?;
    Ok(objects.len())
}
