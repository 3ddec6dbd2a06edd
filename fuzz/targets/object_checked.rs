//! Any bytes where an object with checksums should be: every range of it is an error, or a part of the whole.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use storage_core::{Area, ByteRange, Bytes, Key, MemoryBackend, ReadRequest, StorageBackend, WriteRequest};
use storage_layers::Checksum;

fuzz_target!(|data: &[u8]| {
    let [start, end, stored @ ..] = data else { return };
    block_on(async {
        let medium = std::sync::Arc::new(MemoryBackend::new());
        let key = Key::new("a").expect("a name");
        let bytes = Bytes::copy_from_slice(stored);
        medium.write(Area::Objects, &key, bytes, WriteRequest::default()).await.expect("memory");
        let layer = Checksum::new(medium);
        let whole = layer.read(Area::Objects, &key, ReadRequest::default()).await;
        let mut request = ReadRequest::default();
        let (start, end) = (u64::from(*start) * 512, u64::from(*end) * 512);
        request.range = Some(ByteRange::Bounded(start.min(end), end.max(start)));
        let part = layer.read(Area::Objects, &key, request).await;
        if let (Ok(Some(whole)), Ok(Some(part))) = (whole, part) {
            assert_eq!(whole.bytes[part.range.start as usize..part.range.end as usize], part.bytes);
        }
    });
});
