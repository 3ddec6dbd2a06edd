//! Any bytes where the keystore should be: an error, whatever they are, because nobody with the root key wrote them.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use storage_core::{Area, Bytes, Key as ObjectKey, MemoryBackend, StorageBackend, WriteRequest};
use storage_layers::encryption::{Key, KeyProvider, Keystore};

fuzz_target!(|data: &[u8]| {
    block_on(async {
        let medium = MemoryBackend::new();
        let key = ObjectKey::new("encryption/keystore").expect("a name");
        let bytes = Bytes::copy_from_slice(data);
        medium.write(Area::Overlay, &key, bytes, WriteRequest::default()).await.expect("memory");
        // Another key than the seeds were made with.
        let provider = KeyProvider::key(Key::from_bytes(&mut [0x43; 32]));
        assert!(Keystore::open(&medium, &provider).await.is_err());
    });
});
