//! Any bytes as a sealed value: nothing opens that the key did not seal; a header that is read is written back the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use storage_layers::encryption::{Context, Header, Key, Keyring, Kind};

static KEYS: LazyLock<Keyring> = LazyLock::new(|| Keyring::new(Key::from_bytes(&mut [0x42; 32])));

fuzz_target!(|data: &[u8]| {
    if let Ok(header) = Header::read(data) {
        assert_eq!(header.to_bytes()[..], data[..header.to_bytes().len()]);
    }
    let place = Context::new(Kind::Entry, "fuzzed").store(b"not golden");
    assert!(KEYS.open(&place, data).is_err(), "something opened that nobody sealed for here");
    // The same content under a header that commits to the key.
    let mut framed = KEYS.seal(&place, b"").expect("it seals")[..88].to_vec();
    framed.extend_from_slice(data);
    assert!(KEYS.open(&place, &framed).is_err());
});
