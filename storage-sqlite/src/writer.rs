//! [`Writer`]: the one thread that writes, and its group commit.

mod group;
mod job;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use storage_core::{Applied, Error, ErrorKind, Result};
use tokio::sync::oneshot;

pub(crate) use self::group::within_savepoint;
use self::job::{Job, Request, panicked};
use self::turns::Turns;
use crate::connect::Session;

/// The connection that writes. In memory, readers share it.
pub(crate) type Shared = Arc<Mutex<Option<Session>>>;

/// Takes requests to the thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Writer {
    /// Starts the thread on an open connection.
    pub(crate) fn start(session: Shared, busy_timeout: Duration) -> Result<Self> {
        let (queue, requests) = channel();
        let thread = std::thread::Builder::new()
            .name("storage-sqlite".into())
            .spawn(move || Turns::new(session, busy_timeout).serve(&requests))
            .map_err(|error| {
                Error::new(ErrorKind::Io, "the thread that writes cannot be started").with_source(error)
            })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Does work in a transaction that is committed, together with others, before this returns. `bytes` is about how much it writes.
    ///
    /// Once asked for, it happens even when nobody waits for the answer.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask(bytes, work)?.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Asks for work without waiting.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Request {
            bytes,
            work: Some(work),
            answer: None,
            reply,
        });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or_else(closed)?;
        queue
            .send(job)
            .map_err(|_| Error::new(ErrorKind::Internal, "the thread that writes ended"))?;
        Ok(answer)
    }

    /// Lets the thread finish what was asked for and waits for its end. Blocks; the second call finds nothing to do.
    pub(crate) fn close(&self) -> Result<()> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(panicked(&*panic)),
        }
    }
}

/// The thread took a request and never answered.
pub(crate) fn ended() -> Error {
    Error::new(ErrorKind::Internal, "the thread that writes ended").with_applied(Applied::Unknown)
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the database was closed; open it again")
}
