//! Layers that look on, or do nothing while all is well.

use libtest_mimic::Trial;
use storage_layers::{Fault, FaultPlan, Metrics, Retry, RetryOptions, Trace};

use crate::over_memory;

pub(crate) fn trials() -> Vec<Trial> {
    [
        over_memory("fault", |memory| Fault::new(memory, FaultPlan::default())),
        over_memory("metrics", Metrics::new),
        over_memory("retry", |memory| Retry::new(memory, RetryOptions::default())),
        over_memory("trace", |memory| Trace::new(memory).with_keys(true)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
