//! [`Frozen`]: a clock that stands still until it is told to go on, so that a sequence plays the same way each time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage_core::{Clock, Timestamp};

/// In 2100, so that no engine purges by its own clock what is not expired here.
const BEGINNING: i64 = 4_102_444_800_000;

#[derive(Debug, Default)]
pub(super) struct Frozen {
    milliseconds: AtomicU64,
}

impl Frozen {
    pub(super) fn advance(&self, milliseconds: u64) {
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGINNING).after(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }
}
