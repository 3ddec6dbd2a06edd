//! Compression changes nothing but sizes on the medium.

use libtest_mimic::Trial;
use storage_layers::Compress;
use storage_layers::compression::{Codec, Compression};

use crate::{over_bytes, over_memory};

pub(crate) fn trials() -> Vec<Trial> {
    let how = || Compression::new(Codec::Zstd).threshold(16);
    let mut trials = over_memory("compress", move |memory| Compress::new(memory, how()));
    trials.extend(over_bytes("compress", move |bytes| Compress::new(bytes, how())));
    trials
}
