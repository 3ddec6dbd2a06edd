//! Stores over layers: counted, cached and sealed. What a store searches for stays readable.

use std::sync::Arc;

use storage_core::StorageAdapter;
use storage_layers::encryption::{Key, KeyProvider, Keyring};
use storage_layers::{Cache, CacheOptions, Encrypt, EncryptOptions, Fields, Metrics};
use storage_stores::{chunks, executions, kv};

/// What must show nowhere.
pub(crate) const KEY: [u8; 32] = *b"canary-key-canary-key-canary-key";

/// The stack over this adapter. The key is given, so nothing is read or written to open it.
pub(crate) fn sealed(medium: Arc<dyn StorageAdapter>) -> Arc<dyn StorageAdapter> {
    let searched = [
        chunks::SEARCHED_FIELDS,
        executions::SEARCHED_FIELDS,
        kv::SEARCHED_FIELDS,
    ];
    let fields = searched.concat().into_iter().fold(Fields::new(), Fields::plain);
    let key = || Key::from_bytes(&mut KEY.clone());
    let options = EncryptOptions::new(KeyProvider::key(key())).every_collection(fields);
    let cached = Cache::new(medium, CacheOptions::default());
    let sealed = Encrypt::with_keys(cached, Keyring::new(key()), b"stores", options).unwrap();
    Arc::new(Metrics::new(sealed))
}
