//! Any bytes as an event, as a change and as a snapshot: read or refused, never a panic, and what is read is written back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage_stores::volumes::{Change, Event, HashAlgorithm, Snapshot};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = Event::parse(HashAlgorithm::Blake3, bytes.to_vec()) {
        assert_eq!(event.bytes(), bytes);
        assert_eq!(event.hash(), HashAlgorithm::Blake3.hash(bytes));
        assert!(event.parents().is_sorted_by(|one, next| one < next));
        if let Ok(change) = Change::decode(event.payload()) {
            assert_eq!(change.encode().expect("what was read can be written"), event.payload());
        }
    }
    if let Ok(change) = Change::decode(bytes) {
        assert_eq!(change.encode().expect("what was read can be written"), bytes);
    }
    let _ = Snapshot::decode(bytes);
});
