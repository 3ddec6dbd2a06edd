//! [`Counters`]: how many calls were made and how they ended.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Applied, Result};

/// Calls since the storage was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Calls that ended, well or not.
    pub calls: u64,
    /// Calls that ended in an error.
    pub errors: u64,
    /// Errors after which it is unknown whether the write happened.
    pub unknown: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counting {
    calls: AtomicU64,
    errors: AtomicU64,
    unknown: AtomicU64,
}

impl Counting {
    pub(super) fn count<R>(&self, result: &Result<R>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result {
            self.errors.fetch_add(1, Ordering::Relaxed);
            if error.applied() == Applied::Unknown {
                self.unknown.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn snapshot(&self) -> Counters {
        Counters {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
        }
    }
}
