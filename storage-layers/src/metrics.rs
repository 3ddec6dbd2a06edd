//! [`Metrics`]: counts and times every call, for whatever recorder the program has.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::BoxFuture;
use metrics::{Label, SharedString, Unit};
use storage_core::{Result, StorageAdapter, StorageBackend};

use crate::call::{Answer, Around, Call, Operation};
use crate::forward::{around, forward};
use crate::outcome::{CANCELLED, outcome};

/// Calls so far. Counter.
pub const OPERATIONS: &str = "storage_operations_total";
/// How long calls took, in seconds. Histogram.
pub const DURATION: &str = "storage_operation_duration_seconds";
/// Calls under way. Gauge, without `operation` and `outcome`.
pub const IN_FLIGHT: &str = "storage_operations_in_flight";
/// Bytes of objects, documents and log entries handed down, whatever came of the call. Counter, without `outcome`.
pub const SENT: &str = "storage_sent_bytes_total";
/// Bytes of objects, documents and log entries that came back. Counter, without `outcome`.
pub const RECEIVED: &str = "storage_received_bytes_total";

/// Counts and times every call through the [`metrics`] facade.
///
/// | name | kind | unit | labels |
/// |---|---|---|---|
/// | `storage_operations_total` | counter | | `backend`, `operation`, `outcome` |
/// | `storage_operation_duration_seconds` | histogram | seconds | `backend`, `operation`, `outcome` |
/// | `storage_operations_in_flight` | gauge | | `backend` |
/// | `storage_sent_bytes_total` | counter | bytes | `backend`, `operation` |
/// | `storage_received_bytes_total` | counter | bytes | `backend`, `operation` |
///
/// `operation` is the name of an [`Operation`], `outcome` is `ok`, `cancelled` where the caller went away, or the kind of the error such as
/// `precondition-failed`. Neither keys nor values are ever in a label: there are as many series as operations and kinds, no more. Items
/// that fail within `put_many` and `delete_many` leave the call `ok`.
///
/// It changes nothing and costs a few hundred nanoseconds a call. On top it measures what the program sees; a second one below a cache or
/// a retry measures what the medium sees, told apart by a [`label`](Self::label).
#[derive(Debug)]
pub struct Metrics<A: ?Sized> {
    labels: Vec<Label>,
    inner: Arc<A>,
}

impl<A: StorageBackend> Metrics<A> {
    /// This adapter, measured.
    pub fn new(inner: A) -> Self {
        describe();
        let backend = inner.declaration().backend.to_string();
        Self {
            labels: vec![Label::new("backend", backend)],
            inner: Arc::new(inner),
        }
    }

    /// Puts one more label on everything this layer counts, such as `layer`, `below-cache`.
    #[must_use]
    pub fn label(mut self, name: impl Into<SharedString>, value: impl Into<SharedString>) -> Self {
        self.labels.push(Label::new(name, value));
        self
    }

    fn labels(&self, operation: Operation) -> Vec<Label> {
        let mut labels = self.labels.clone();
        labels.push(Label::from_static_parts("operation", operation.as_str()));
        labels
    }
}

/// Says once what the names mean; a recorder keeps it.
fn describe() {
    metrics::describe_counter!(OPERATIONS, "Calls of the storage");
    metrics::describe_histogram!(DURATION, Unit::Seconds, "How long calls of the storage took");
    metrics::describe_gauge!(IN_FLIGHT, "Calls of the storage under way");
    metrics::describe_counter!(SENT, Unit::Bytes, "Bytes handed to the storage");
    metrics::describe_counter!(RECEIVED, Unit::Bytes, "Bytes the storage gave back");
}

/// A call under way. Dropped without an outcome, the caller went away.
struct Measured<'a, A: ?Sized> {
    layer: &'a Metrics<A>,
    operation: Operation,
    begun: Instant,
    outcome: &'static str,
}

impl<A: ?Sized> Drop for Measured<'_, A> {
    fn drop(&mut self) {
        let mut labels = self.layer.labels.clone();
        metrics::gauge!(IN_FLIGHT, labels.clone()).decrement(1.0);
        labels.push(Label::from_static_parts("operation", self.operation.as_str()));
        labels.push(Label::from_static_parts("outcome", self.outcome));
        metrics::counter!(OPERATIONS, labels.clone()).increment(1);
        metrics::histogram!(DURATION, labels).record(self.begun.elapsed().as_secs_f64());
    }
}

impl<A: StorageBackend> Around for Metrics<A> {
    async fn around<'a, R: Answer>(&'a self, call: Call, work: BoxFuture<'a, Result<R>>) -> Result<R> {
        let operation = call.operation;
        metrics::gauge!(IN_FLIGHT, self.labels.clone()).increment(1.0);
        let mut measured = Measured {
            layer: self,
            operation,
            begun: Instant::now(),
            outcome: CANCELLED,
        };
        if call.sent > 0 {
            metrics::counter!(SENT, self.labels(operation)).increment(call.sent);
        }
        let answer = work.await;
        measured.outcome = outcome(&answer);
        if let Ok(answer) = &answer
            && answer.received() > 0
        {
            metrics::counter!(RECEIVED, self.labels(operation)).increment(answer.received());
        }
        answer
    }
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Metrics<A> {
    forward! { inner: declaration }

    around! { inner: read, write, stat, delete, list, open_writer, copy, delete_many, presign, health, close }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Metrics<A> {
    around! { inner:
        put, get, get_many, delete_document, put_many, commit, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch,
        append, read_log, close_log, delete_log, logs, sweep
    }
}
