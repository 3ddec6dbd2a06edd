//! [`Job`]: a request on its way to the thread that writes, whatever its answer is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use storage_core::{Applied, Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::connect::Session;

/// A request, whatever its answer is.
pub(super) trait Job: Send {
    fn bytes(&self) -> usize;
    /// Does the work and keeps the answer. `false` if it has to be undone.
    fn run(&mut self, session: &mut Session) -> bool;
    /// Gives the answer, or tells why the transaction came to nothing.
    fn settle(self: Box<Self>, outcome: Result<(), Error>);
}

pub(super) struct Request<W, T> {
    pub(super) bytes: usize,
    pub(super) work: Option<W>,
    pub(super) answer: Option<Result<T>>,
    pub(super) reply: oneshot::Sender<Result<T>>,
}

impl<W, T> Job for Request<W, T>
where
    W: FnOnce(&mut Session) -> Result<T> + Send,
    T: Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, session: &mut Session) -> bool {
        let answer = match self.work.take() {
            Some(work) => catch_unwind(AssertUnwindSafe(|| work(session)))
                .unwrap_or_else(|panic| Err(panicked(&*panic))),
            None => Err(Error::new(ErrorKind::Internal, "a request ran twice")),
        };
        let keep = answer.is_ok();
        self.answer = Some(answer);
        keep
    }

    fn settle(self: Box<Self>, outcome: Result<(), Error>) {
        let answer = match (self.answer, outcome) {
            (Some(answer), Ok(())) => answer,
            (None, Ok(())) => Err(Error::new(ErrorKind::Internal, "a request was never run")),
            (Some(Err(own)), Err(_)) if is_failure_of_medium(own.kind()) => Err(own),
            // It may have been refused for what the group wrote before it, which came to nothing.
            (Some(Err(_)), Err(group)) => Err(group.with_applied(Applied::No)),
            (_, Err(group)) => Err(group),
        };
        // Whoever asked may be gone; the work is done all the same.
        let _ = self.reply.send(answer);
    }
}

/// Whether an error tells of the medium, and not of what was there.
const fn is_failure_of_medium(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Corrupt
            | ErrorKind::Internal
            | ErrorKind::Io
            | ErrorKind::NoSpace
            | ErrorKind::PermissionDenied
    )
}

pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(
        ErrorKind::Internal,
        format!(
            "a write panicked and was undone: {}",
            said.unwrap_or("no message")
        ),
    )
}
