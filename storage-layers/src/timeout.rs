//! [`Timeout`]: no call takes longer than it may.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::{Applied, Error, ErrorKind, Result, Retry as RetryAdvice, StorageAdapter, StorageBackend};

use crate::call::{Answer, Around, Call, OperationClass};
use crate::forward::{around, forward};

/// Gives every call its time and answers `Timeout` when that is over.
///
/// It promises the truth about what became of a call: one that reads, or opens a writer, says `applied: No`; one that may have changed
/// something says `Unknown`, for what is below may have done it, or may still. Both say that a later try makes sense. A call that ran
/// out is dropped, and by the contract a dropped call happens whole or not at all.
///
/// It costs a timer a call. It belongs below [`Retry`](crate::Retry), so that each attempt has its own time; a bound over all of them is
/// the retry's deadline.
///
/// `close` has no bound: it waits for what is under way, and giving up on it would lose that.
#[derive(Debug)]
pub struct Timeout<A: ?Sized> {
    options: TimeoutOptions,
    inner: Arc<A>,
}

/// How long calls may take, by the kind of work. `None` is for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutOptions {
    /// Reading one thing, or asking after it; 30 seconds, as object_store's clients have it.
    pub read: Option<Duration>,
    /// One page of a listing or a query, and counting; 60 seconds.
    pub scan: Option<Duration>,
    /// Changing something, or one step of a streamed write; 60 seconds.
    pub write: Option<Duration>,
    /// Building indexes and sweeping, which take as long as the data is large; for ever.
    pub maintenance: Option<Duration>,
}

impl Default for TimeoutOptions {
    fn default() -> Self {
        Self {
            read: Some(Duration::from_secs(30)),
            scan: Some(Duration::from_secs(60)),
            write: Some(Duration::from_secs(60)),
            maintenance: None,
        }
    }
}

impl TimeoutOptions {
    /// The same bound for everything but maintenance.
    pub fn of(limit: Duration) -> Self {
        Self {
            read: Some(limit),
            scan: Some(limit),
            write: Some(limit),
            ..Self::default()
        }
    }

    const fn limit(&self, class: OperationClass) -> Option<Duration> {
        match class {
            OperationClass::Maintenance => self.maintenance,
            OperationClass::Read => self.read,
            OperationClass::Scan => self.scan,
            OperationClass::Write => self.write,
        }
    }
}

impl<A: StorageBackend> Timeout<A> {
    /// This adapter, with these bounds.
    pub fn new(inner: A, options: TimeoutOptions) -> Self {
        Self {
            options,
            inner: Arc::new(inner),
        }
    }
}

impl<A: StorageBackend> Around for Timeout<A> {
    async fn around<'a, R: Answer>(&'a self, call: Call, work: BoxFuture<'a, Result<R>>) -> Result<R> {
        let Some(limit) = self.options.limit(call.operation.class()) else {
            return work.await;
        };
        match tokio::time::timeout(limit, work).await {
            Ok(answer) => answer,
            Err(_) => Err(ran_out(&call, limit)),
        }
    }
}

fn ran_out(call: &Call, limit: Duration) -> Error {
    let applied = if call.operation.changes() {
        Applied::Unknown
    } else {
        Applied::No
    };
    let message = format!(
        "{} took longer than {limit:?}, which is all it has",
        call.operation
    );
    Error::new(ErrorKind::Timeout, message)
        .with_applied(applied)
        .with_retry(RetryAdvice::Later)
        .with_context("limit_ms", limit.as_millis().to_string())
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Timeout<A> {
    forward! { inner: declaration, close }

    around! { inner: read, write, stat, delete, list, open_writer, copy, delete_many, presign, health }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Timeout<A> {
    around! { inner:
        put, get, get_many, delete_document, put_many, commit, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch,
        append, read_log, close_log, delete_log, logs, sweep
    }
}
