//! What is recorded is done as it would be without.

use std::sync::Arc;

use libtest_mimic::Trial;
use storage_core::Memory;
use storage_layers::{Audit, AuditOptions};

use crate::opened;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = opened::over_memory("audit", |memory| {
        Box::pin(async { Ok(Arc::new(Audit::open(memory, AuditOptions::new("suite")).await?) as _) })
    });
    trials.extend(opened::over_memory("audit of reads elsewhere", |memory| {
        Box::pin(async {
            let mut options = AuditOptions::new("suite");
            options.reads = true;
            let place = Arc::new(Memory::new());
            Ok(Arc::new(Audit::open_in(memory, place, options).await?) as _)
        })
    }));
    trials
}
