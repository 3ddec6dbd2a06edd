//! [`Retry`]: what may be tried again is, and nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::{
    Applied, Area, Condition, DocumentId, Error, Key, Name, ObjectWriter, PutRequest, Result,
    Retry as Advice, StorageAdapter, StorageBackend, Version, WriteRequest,
};

use crate::call::{Answer, Call, Operation};
use crate::forward::{forward, repeat};

mod many;
mod pace;

use self::pace::Pace;
pub use self::pace::RetryOptions;

/// Tries calls again that failed for a reason that passes.
///
/// It promises that no call has its effect twice. A call is repeated only where its error says that a later try makes sense, and
/// - if it did not happen (`applied: No`): any call;
/// - if that is not known (`Unknown`): only what is the same done twice, whatever others do in between: reads, and appends that name
///   their place. With [`repeat_overwrites`](RetryOptions::repeat_overwrites) also unconditional writes and deletes of objects and
///   unconditional puts.
///
/// What was tried as often as the options allow fails with `retry: Exhausted` and the number of attempts as context `attempts`. Of
/// `put_many` and `delete_many` only the items that failed are repeated. Of a streamed write only the opening is: its bytes are gone.
///
/// It costs a copy of each request and, where the medium fails, time: up to the deadline. It belongs above [`Timeout`](crate::Timeout),
/// so that each attempt has its own time, and below all that seals or compresses, so that what is repeated has the same bytes.
#[derive(Debug)]
pub struct Retry<A: ?Sized> {
    options: RetryOptions,
    counters: Counters,
    inner: Arc<A>,
}

/// What a [`Retry`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RetryStats {
    /// Calls that came from above.
    pub calls: u64,
    /// Attempts beyond the first.
    pub repeated: u64,
    /// Calls that succeeded, or were properly refused, after they had failed before.
    pub recovered: u64,
    /// Calls given up after as many attempts, or as much time, as the options allow.
    pub exhausted: u64,
    /// Calls that would pass later and were not repeated, because they may have had their effect.
    pub unknown: u64,
}

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    repeated: AtomicU64,
    recovered: AtomicU64,
    exhausted: AtomicU64,
    unknown: AtomicU64,
}

impl<A: StorageBackend> Retry<A> {
    /// This adapter, tried again as the options say.
    pub fn new(inner: A, options: RetryOptions) -> Self {
        Self {
            options,
            counters: Counters::default(),
            inner: Arc::new(inner),
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> RetryStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RetryStats {
            calls: read(&self.counters.calls),
            repeated: read(&self.counters.repeated),
            recovered: read(&self.counters.recovered),
            exhausted: read(&self.counters.exhausted),
            unknown: read(&self.counters.unknown),
        }
    }

    async fn repeat<'a, R: Answer>(
        &'a self,
        call: Call,
        mut work: impl FnMut() -> BoxFuture<'a, Result<R>> + Send + 'a,
    ) -> Result<R> {
        count(&self.counters.calls);
        let mut pace = Pace::new(&self.options);
        loop {
            match work().await {
                Err(error) if self.may_repeat(&call, &error) => {
                    if !pace.again(call.operation, &error).await {
                        count(&self.counters.exhausted);
                        return Err(pace.exhausted(error));
                    }
                    count(&self.counters.repeated);
                }
                answer => {
                    if pace.attempts() > 1 {
                        count(&self.counters.recovered);
                    }
                    return answer;
                }
            }
        }
    }

    /// Whether this call may be made again after this error. The one place that decides it.
    fn may_repeat(&self, call: &Call, error: &Error) -> bool {
        if error.retry() != Advice::Later {
            return false;
        }
        let harmless = error.applied() == Applied::No
            || call.repeatable
            || (call.overwrites && self.options.repeat_overwrites);
        if !harmless {
            count(&self.counters.unknown);
        }
        harmless
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Retry<A> {
    forward! { inner: declaration, close }

    repeat! { inner: read, write, stat, delete, list, copy, presign, health }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let mut pace = Pace::new(&self.options);
        let call = Call::object(Operation::OpenWriter, area, key);
        loop {
            let opening = Arc::clone(&self.inner).open_writer(area, key, request.clone());
            match opening.await {
                Err(error) if self.may_repeat(&call, &error) => {
                    if !pace.again(call.operation, &error).await {
                        count(&self.counters.exhausted);
                        return Err(pace.exhausted(error));
                    }
                    count(&self.counters.repeated);
                }
                answer => return answer,
            }
        }
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let attempt = |chosen: &[usize]| -> BoxFuture<'_, _> {
            let keys: Vec<Key> = chosen.iter().map(|at| keys[*at].clone()).collect();
            Box::pin(async move { self.inner.delete_many(area, &keys).await })
        };
        let item = Call::new(Operation::DeleteMany).overwrites_if(true);
        let items = vec![item.clone(); keys.len()];
        self.repeat_items(item, items, attempt).await
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Retry<A> {
    repeat! { inner:
        put, get, get_many, delete_document, commit, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch,
        append, read_log, close_log, delete_log, logs, sweep
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let whole = Call::collection(Operation::PutMany, collection);
        let attempt = |chosen: &[usize]| -> BoxFuture<'_, _> {
            let requests: Vec<PutRequest> = chosen.iter().map(|at| requests[*at].clone()).collect();
            self.inner.put_many(collection, requests)
        };
        let ids: HashSet<&DocumentId> = requests.iter().map(|request| &request.id).collect();
        if ids.len() < requests.len() {
            // Two writes of one document have an order, which trying the first again would turn round.
            let all: Vec<usize> = (0..requests.len()).collect();
            return self.repeat(whole, || attempt(&all)).await;
        }
        let item = |request: &PutRequest| {
            Call::document(Operation::Put, collection, &request.id)
                .overwrites_if(request.condition == Condition::Always)
        };
        let items = requests.iter().map(item).collect();
        self.repeat_items(whole, items, attempt).await
    }
}
