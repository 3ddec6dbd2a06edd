//! [`TestClock`]: the system's clocks, moved ahead by hand.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use storage_core::{Clock, SystemClock, Timestamp};

/// The system's clocks plus an offset each for wall time and elapsed time, so that no case sleeps.
#[derive(Debug, Default)]
pub struct TestClock {
    wall_ms: AtomicI64,
    elapsed_ns: AtomicU64,
}

impl TestClock {
    /// Moves both wall time and elapsed time ahead.
    pub fn advance(&self, by: Duration) {
        self.advance_wall(by);
        self.advance_elapsed(by);
    }

    /// Moves wall time ahead: what expiry reads.
    pub fn advance_wall(&self, by: Duration) {
        self.wall_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Steps wall time back, as a corrected clock does.
    pub fn step_back_wall(&self, by: Duration) {
        self.wall_ms.fetch_sub(millis(by), Ordering::SeqCst);
    }

    /// Moves elapsed time ahead: what leases read.
    pub fn advance_elapsed(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.elapsed_ns.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(
            SystemClock::default()
                .now()
                .as_millis()
                .saturating_add(self.wall_ms.load(Ordering::SeqCst)),
        )
    }

    fn elapsed(&self) -> Duration {
        SystemClock::default()
            .elapsed()
            .saturating_add(Duration::from_nanos(self.elapsed_ns.load(Ordering::SeqCst)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
