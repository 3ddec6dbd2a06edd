//! Any bytes where a compressed object should be: every range of it is an error, or a part of the whole.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use storage_core::{Area, ByteRange, Bytes, Key, MemoryBackend, ReadRequest, StorageBackend, WriteRequest};
use storage_layers::Compress;
use storage_layers::compression::{Codec, Compression, Limits};

fuzz_target!(|data: &[u8]| {
    let [start, end, stored @ ..] = data else { return };
    block_on(async {
        let medium = std::sync::Arc::new(MemoryBackend::new());
        let key = Key::new("a").expect("a name");
        let bytes = Bytes::copy_from_slice(stored);
        medium.write(Area::Objects, &key, bytes, WriteRequest::default()).await.expect("memory");
        let how = Compression::new(Codec::Zstd).limits(Limits::new().max_plain_bytes(1 << 20));
        let layer = Compress::new(medium, how);
        let whole = layer.read(Area::Objects, &key, ReadRequest::default()).await;
        let mut request = ReadRequest::default();
        let (start, end) = (u64::from(*start) * 1024, u64::from(*end) * 1024);
        request.range = Some(ByteRange::Bounded(start.min(end), end.max(start)));
        let part = layer.read(Area::Objects, &key, request).await;
        if let (Ok(Some(whole)), Ok(Some(part))) = (whole, part) {
            assert!(whole.bytes.len() <= 1 << 20);
            let range = part.range.start as usize..part.range.end as usize;
            assert_eq!(whole.bytes[range], part.bytes);
            let stat = layer.stat(Area::Objects, &key).await.expect("it was read").expect("it is there");
            assert_eq!(stat.size, whole.bytes.len() as u64);
        }
    });
});
