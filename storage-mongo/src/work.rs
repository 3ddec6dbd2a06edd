//! [`Work`]: what is under way on a handle, so that closing can wait for it.

use std::sync::Arc;

use storage_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

/// Counts what is under way, and refuses more once the handle is closed.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug)]
struct State {
    open: bool,
    busy: usize,
}

/// One thing under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Busy {
    state: Arc<watch::Sender<State>>,
}

impl Work {
    pub(crate) fn new() -> Self {
        let (state, _) = watch::channel(State { open: true, busy: 0 });
        Self {
            state: Arc::new(state),
        }
    }

    /// Begins one thing.
    ///
    /// # Errors
    /// `Closed` after [`close`](Self::close) was called.
    pub(crate) fn begin(&self) -> Result<Busy> {
        let mut begun = false;
        self.state.send_if_modified(|state| {
            begun = state.open;
            state.busy += usize::from(begun);
            // Nobody waits for work to begin.
            false
        });
        if begun {
            Ok(Busy {
                state: Arc::clone(&self.state),
            })
        } else {
            Err(closed())
        }
    }

    /// Lets nothing more begin; `true` for the first who asks.
    pub(crate) fn close(&self) -> bool {
        let mut first = false;
        self.state.send_if_modified(|state| {
            first = std::mem::take(&mut state.open);
            first
        });
        first
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        // The sender lives as long as this does, so the wait ends only with the condition.
        let _ = self.state.subscribe().wait_for(|state| state.busy == 0).await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.state.send_if_modified(|state| {
            state.busy -= 1;
            state.busy == 0
        });
    }
}

/// The answer to everybody who comes after the end.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the storage is closed; open it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn closing_waits_for_what_began_and_refuses_the_rest() {
        let work = Work::new();
        let busy = work.begin().unwrap();
        assert!(work.close() && !work.close());
        assert_eq!(work.begin().unwrap_err().kind(), ErrorKind::Closed);
        let waiting = tokio::spawn({
            let work = work.clone();
            async move { work.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(busy);
        waiting.await.unwrap();
    }
}
