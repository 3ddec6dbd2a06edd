//! A read of a small file.
//!
//! Valgrind 3.19 does not pass `openat2` on to the kernel, without which nothing can be read on the thread that asks. So the other way is
//! counted, directory by directory and with a hop to a blocking thread, and asked for by name, so that a newer valgrind counts the same. All
//! but the two calls of the shorter way are in it too.

use std::hint::black_box;

use storage_core::Storage;
use storage_fs::{Confinement, Fs, FsConfig};

use crate::{Outcome, runtime};

pub(crate) fn read(times: u64) -> Outcome {
    let root = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let config = FsConfig::new(root.path()).confinement(Confinement::Steps);
        let storage = Storage::new(Fs::open(config).await?);
        let objects = storage.objects();
        objects.write("users/hot.bin", vec![7; 1024]).await?;
        for _ in 0..times {
            black_box(objects.read("users/hot.bin").await?);
        }
        storage.close().await?;
        Ok(())
    })
}
