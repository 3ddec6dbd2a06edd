//! The one way to blocking work: every operation of a handle makes one such hop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use storage_core::{Applied, Error, ErrorKind, Result};
use tokio::sync::RwLock;

/// Runs blocking work, counts it, and knows when the handle was closed.
#[derive(Debug, Default)]
pub(crate) struct Blocking {
    /// Held for reading by work under way; `true` once closed.
    closed: Arc<RwLock<bool>>,
    hops: AtomicU64,
}

impl Blocking {
    /// Runs `work` where it may block. If the future is dropped, work that began is finished.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pass = Arc::clone(&self.closed).read_owned().await;
        if *pass {
            return Err(Error::new(
                ErrorKind::Closed,
                "the storage was closed; open it again",
            ));
        }
        self.hops.fetch_add(1, Ordering::Relaxed);
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "files are read and written on a tokio runtime",
            )
            .with_source(error)
        })?;
        let done = runtime.spawn_blocking(move || {
            let _pass = pass;
            work()
        });
        done.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "the work was cut short")
                .with_applied(Applied::Unknown)
                .with_source(error))
        })
    }

    /// Whether the handle is open, for work that needs no hop.
    pub(crate) fn is_open(&self) -> bool {
        self.closed.try_read().is_ok_and(|closed| !*closed)
    }

    /// Waits for work under way and refuses any from now on.
    pub(crate) async fn close(&self) {
        *self.closed.write().await = true;
    }

    /// How often [`run`](Self::run) was called.
    #[cfg(test)]
    pub(crate) fn hops(&self) -> u64 {
        self.hops.load(Ordering::Relaxed)
    }
}

/// Drops something that may block, elsewhere if there is an elsewhere.
pub(crate) fn dispose<T: Send + 'static>(what: T) {
    match tokio::runtime::Handle::try_current() {
        // The work is queued: nobody waits for it.
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(what))),
        Err(_) => drop(what),
    }
}
