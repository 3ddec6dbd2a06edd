//! Within a namespace, and under limits that are not reached, a storage is as it is.

use std::sync::Arc;

use libtest_mimic::Trial;
use storage_layers::{Namespace, Quota, QuotaLimits, QuotaOptions};

use crate::{opened, over_bytes, over_memory};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = over_memory("namespace", |memory| Namespace::new(memory, "tenant-1").unwrap());
    trials.extend(over_bytes("namespace", |bytes| {
        Namespace::new(bytes, "t").unwrap()
    }));
    trials.extend(opened::over_memory("quota", |memory| {
        Box::pin(async {
            let options = QuotaOptions::new(QuotaLimits::of_bytes(1 << 40));
            Ok(Arc::new(Quota::open(memory, options).await?) as _)
        })
    }));
    trials.extend(opened::over_memory("quota of a namespace", |memory| {
        Box::pin(async {
            let options = QuotaOptions::new(QuotaLimits::default());
            Ok(Arc::new(Quota::open(Namespace::new(memory, "tenant-1")?, options).await?) as _)
        })
    }));
    trials
}
