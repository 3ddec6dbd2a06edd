//! What a store does by itself: cleanups, and storing what was acknowledged.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_core::Result;
use tokio::task::JoinHandle;

use super::cleanup::CleanupReport;
use super::store::{Kv, Shared};

/// Tasks that go on until the last clone of the store is dropped.
#[derive(Default)]
pub(super) struct Timer {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tasks: Vec<JoinHandle<()>>,
    last: Option<Arc<Result<CleanupReport>>>,
    failure: Option<Arc<storage_core::Error>>,
}

impl Kv {
    pub(super) fn begin_timers(&self) {
        if !self.shared.options.access.writes() {
            return;
        }
        let interval = self.shared.options.cleanup_interval;
        if !interval.is_zero() {
            self.every(interval, |kv| async move {
                let cleaned = Arc::new(kv.clean().await);
                kv.shared.timer.state().last = Some(cleaned);
            });
        }
        if let Some(after) = self.shared.options.write_back {
            self.every(after.max(Duration::from_millis(1)), |kv| async move {
                let stored = kv.store_waiting().await;
                kv.shared.timer.state().failure = stored.err().map(Arc::new);
            });
        }
    }

    /// What came of the last cleanup the store did by itself; `None` before the first.
    pub fn last_cleanup(&self) -> Option<Arc<Result<CleanupReport>>> {
        self.shared.timer.state().last.clone()
    }

    /// Why acknowledged values could not be stored when that was tried last; `None` where they could.
    pub fn last_failure(&self) -> Option<Arc<storage_core::Error>> {
        self.shared.timer.state().failure.clone()
    }

    fn every<F: Future<Output = ()> + Send>(
        &self,
        interval: Duration,
        work: impl Fn(Self) -> F + Send + 'static,
    ) {
        // The task must not keep alive what ends it when it is dropped.
        let shared = Arc::downgrade(&self.shared);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(shared) = shared.upgrade() else { return };
                let access = shared.options.access;
                work(Self { shared, access }).await;
            }
        });
        self.shared.timer.state().tasks.push(task);
    }
}

impl Timer {
    pub(super) fn end(&self) {
        for task in self.state().tasks.drain(..) {
            task.abort();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.timer.end();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}
