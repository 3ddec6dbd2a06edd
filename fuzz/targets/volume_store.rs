//! Any bytes as what a store of volumes says about itself: opened or refused, the same each time, and what is opened keeps blocks.

#![no_main]

use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use storage_core::{Bytes, Memory, Storage};
use storage_stores::volumes::{VolumeOptions, VolumeStore};

fuzz_target!(|data: &[u8]| {
    block_on(async {
        let storage = Storage::new(Memory::new());
        let bytes = Bytes::copy_from_slice(data);
        storage.objects().write("volumes.json", bytes).await.expect("memory");
        let Ok(store) = VolumeStore::open(storage.clone(), VolumeOptions::new()).await else {
            assert!(VolumeStore::open(storage, VolumeOptions::new()).await.is_err());
            return;
        };
        let hash = store.blocks().put("a block").await.expect("it is open");
        let again = VolumeStore::open(storage, VolumeOptions::new()).await.expect("it was open");
        let block = again.blocks().get(&hash).await.expect("it was put");
        assert_eq!(block.as_deref(), Some(&b"a block"[..]));
        drop(again.blocks().gc(&again.blocks().roots(), again.grace()).await);
        assert!(again.blocks().has(&hash).await.expect("it is young"));
    });
});
