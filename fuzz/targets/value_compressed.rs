//! Any bytes as a compressed value: an error, or a value within the limits that its own codec gives back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use storage_core::Bytes;
use storage_layers::compression::{Compression, Limits, decompress, inspect};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::new().max_plain_bytes(1 << 20);
    let frame = Bytes::copy_from_slice(data);
    if let Ok(plain) = decompress(&frame, limits) {
        assert!(plain.len() <= 1 << 20);
        let info = inspect(&frame).expect("it was read");
        assert_eq!(info.plain_bytes, plain.len() as u64);
        let again = Compression::new(info.codec).threshold(0).compress(&plain).expect("it is small");
        assert_eq!(decompress(&again, Limits::new()).expect("it was just written"), plain);
    }
});
