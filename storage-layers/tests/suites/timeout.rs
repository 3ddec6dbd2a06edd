//! With time enough, a timeout changes nothing.

use std::time::Duration;

use libtest_mimic::Trial;
use storage_layers::{Timeout, TimeoutOptions};

use crate::{over_bytes, over_memory};

pub(crate) fn trials() -> Vec<Trial> {
    let options = || TimeoutOptions::of(Duration::from_secs(60));
    let mut trials = over_memory("timeout", move |memory| Timeout::new(memory, options()));
    trials.extend(over_bytes("timeout", move |bytes| Timeout::new(bytes, options())));
    trials
}
