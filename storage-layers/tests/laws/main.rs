//! What each layer promises beyond the contract.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

mod audit;
mod cache;
mod fault;
mod metrics;
mod namespace;
mod quota;
mod read_only;
mod retry;
mod timeout;
mod trace;

use storage_core::{DocumentId, Key, Name, PutRequest, Timestamp, bson};

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn id(text: &str) -> DocumentId {
    DocumentId::new(text).unwrap()
}

fn put(id_text: &str, n: i64) -> PutRequest {
    PutRequest::new(id(id_text), bson::rawdoc! { "n": n }, NOW)
}
