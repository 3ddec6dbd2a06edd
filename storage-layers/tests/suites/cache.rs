//! A cache that always asks is what is below; one that does not keeps to the bound it declares.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use storage_core::MemoryBackend;
use storage_layers::{Cache, CacheOptions};

use crate::{opened, over_bytes, over_memory};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = over_memory("cache", |memory| Cache::new(memory, CacheOptions::default()));
    trials.extend(over_bytes("cache", |bytes| Cache::new(bytes, young())));
    trials.extend(over_memory("cache with an age", |memory| {
        Cache::new(memory, young())
    }));
    trials.extend(opened::over_memory("cache with a disk", |memory| {
        Box::pin(async {
            let cache = Cache::new(memory, CacheOptions::default());
            Ok(Arc::new(cache.with_disk(Arc::new(MemoryBackend::new()), 1 << 20).await?) as _)
        })
    }));
    trials
}

fn young() -> CacheOptions {
    let mut options = CacheOptions::default();
    options.max_age = Duration::from_millis(20);
    options
}
