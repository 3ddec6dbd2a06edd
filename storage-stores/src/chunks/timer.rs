//! The cleanups a store does by itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use storage_core::Result;
use tokio::task::JoinHandle;

use super::cleanup::CleanupReport;
use super::store::ChunkStore;

/// A task that cleans up now and then, until the last clone of the store is dropped.
#[derive(Default)]
pub(super) struct Timer {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    task: Option<JoinHandle<()>>,
    last: Option<Arc<Result<CleanupReport>>>,
}

impl Timer {
    /// Begins, unless the options say never.
    pub(super) fn begin(self: &Arc<Self>, store: &ChunkStore) {
        let interval = store.options.cleanup_interval;
        if interval.is_zero() {
            return;
        }
        // The task must not keep alive what ends it when it is dropped.
        let timer: Weak<Self> = Arc::downgrade(self);
        let (storage, options) = (store.storage.clone(), store.options.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                if timer.strong_count() == 0 {
                    return;
                }
                let store = ChunkStore {
                    storage: storage.clone(),
                    options: options.clone(),
                    timer: Arc::default(),
                };
                let outcome = Arc::new(store.cleanup().await);
                // Not held while it cleans up: whoever drops the last store then ends this at once.
                if let Some(timer) = timer.upgrade() {
                    timer.state().last = Some(outcome);
                }
            }
        });
        self.state().task = Some(task);
    }

    pub(super) fn end(&self) {
        if let Some(task) = self.state().task.take() {
            task.abort();
        }
    }

    pub(super) fn last(&self) -> Option<Arc<Result<CleanupReport>>> {
        self.state().last.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}
