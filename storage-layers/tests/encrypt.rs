//! What encryption promises, and what it does not, on the medium itself.

#![cfg(all(feature = "checksum", feature = "compression", feature = "encryption"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "mutants/bent.rs"]
mod bent;
#[path = "encrypt/fields.rs"]
mod fields;
#[path = "encrypt/interoperability.rs"]
mod interoperability;
#[path = "encrypt/medium.rs"]
mod medium;
#[path = "encrypt/nonces.rs"]
mod nonces;
#[path = "encrypt/rotation.rs"]
mod rotation;
#[path = "encrypt/vectors.rs"]
mod vectors;

use storage_core::{Area, Bytes, Key as ObjectKey, Memory, ReadRequest, StorageBackend, WriteRequest};
use storage_layers::encryption::{Key, KeyProvider};
use storage_layers::{Encrypt, EncryptOptions};

fn options(byte: u8) -> EncryptOptions {
    EncryptOptions::new(KeyProvider::key(Key::from_bytes(&mut [byte; 32])))
}

async fn open(memory: &Memory) -> Encrypt<Memory> {
    Encrypt::open(memory.clone(), options(7)).await.unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).unwrap()
}

async fn raw(memory: &Memory, name: &str) -> Bytes {
    let read = memory
        .read(Area::Objects, &key(name), ReadRequest::default())
        .await;
    read.unwrap().unwrap().bytes
}

async fn put_raw(memory: &Memory, name: &str, bytes: impl Into<Bytes>) {
    memory
        .write(Area::Objects, &key(name), bytes.into(), WriteRequest::default())
        .await
        .unwrap();
}
