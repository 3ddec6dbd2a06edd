//! A medium that fails every fifth call is, through a retry, the medium it would be without that.

use std::time::Duration;

use libtest_mimic::Trial;
use storage_core::{ErrorKind, StorageBackend};
use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Operation, Retry, RetryOptions};

use crate::{over_bytes, over_memory};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = over_memory("retry of a failing medium", |memory| patient(failing(memory)));
    trials.extend(over_bytes("retry of a failing medium", |bytes| {
        patient(failing(bytes))
    }));
    trials
}

fn patient<A: StorageBackend>(inner: A) -> Retry<A> {
    let mut options = RetryOptions::default();
    // Many tasks at once may meet the fault again and again.
    options.attempts = 100;
    options.first_pause = Duration::from_micros(1);
    options.longest_pause = Duration::from_micros(50);
    Retry::new(inner, options)
}

/// The steps of a streamed write cannot be done again, so they are spared.
fn failing<A: StorageBackend>(inner: A) -> Fault<A> {
    let spared = [
        Operation::AbortWrite,
        Operation::Close,
        Operation::FinishWrite,
        Operation::WritePart,
    ];
    let struck: Vec<Operation> = Operation::ALL
        .iter()
        .copied()
        .filter(|operation| !spared.contains(operation))
        .collect();
    let fault = FaultRule::new(FaultAction::Before(ErrorKind::Unavailable));
    Fault::new(inner, FaultPlan::new([fault.on(&struck).every(5)]))
}
