//! A value that is in memory.

use std::hint::black_box;
use std::time::Duration;

use storage_core::{Memory, Storage};
use storage_stores::kv::{Kv, KvOptions, SetOptions};

use crate::{Outcome, runtime};

const KEYS: u64 = 100;

pub(crate) fn hit(times: u64) -> Outcome {
    runtime()?.block_on(async {
        // However slowly it runs while it is counted, no value is looked at again.
        let options = KvOptions::new()
            .staleness(Duration::from_secs(24 * 60 * 60))
            .cleanup_interval(Duration::ZERO);
        let kv = Kv::open(Storage::new(Memory::new()), options).await?;
        let keys: Vec<String> = (0..KEYS).map(|number| format!("user:{number}")).collect();
        for key in &keys {
            kv.set_raw(key, vec![7; 1024], SetOptions::new()).await?;
            kv.get_raw(key).await?;
        }
        for (_, key) in (0..times).zip(keys.iter().cycle()) {
            black_box(kv.get_raw(key).await?);
        }
        kv.close().await?;
        Ok(())
    })
}
