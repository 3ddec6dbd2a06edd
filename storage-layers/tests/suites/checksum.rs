//! Checksums change nothing but sizes on the medium.

use libtest_mimic::Trial;
use storage_layers::Checksum;

use crate::{over_bytes, over_memory};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = over_memory("checksum", Checksum::new);
    trials.extend(over_bytes("checksum", Checksum::new));
    trials
}
