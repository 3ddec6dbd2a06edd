//! [`Trace`]: a span around every call.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::{Result, StorageAdapter, StorageBackend};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::call::{Answer, Around, Call};
use crate::forward::{around, forward};
use crate::outcome::outcome;

/// A [`tracing`] span around every call, named `storage`, at level `DEBUG` and target `storage_layers::trace`.
///
/// | field | is |
/// |---|---|
/// | `backend` | the backend's name |
/// | `operation` | the name of an [`Operation`](crate::Operation) |
/// | `sent` | bytes handed down |
/// | `received` | bytes that came back |
/// | `outcome` | `ok`, or the kind of the error such as `precondition-failed`; empty where the caller went away |
/// | `key` | what the call names, only [`with_keys`](Self::with_keys) |
///
/// Values are never in a span, and keys only where that is asked for: they may be names of people.
///
/// It changes nothing, and costs nothing to speak of while nobody listens at that level. It belongs on top, or wherever one wants to see
/// what comes through.
#[derive(Debug)]
pub struct Trace<A: ?Sized> {
    backend: String,
    keys: bool,
    inner: Arc<A>,
}

impl<A: StorageBackend> Trace<A> {
    /// This adapter, traced without keys.
    pub fn new(inner: A) -> Self {
        Self {
            backend: inner.declaration().backend.to_string(),
            keys: false,
            inner: Arc::new(inner),
        }
    }

    /// Whether keys, ids and names are in the spans; off.
    #[must_use]
    pub const fn with_keys(mut self, keys: bool) -> Self {
        self.keys = keys;
        self
    }

    fn span(&self, call: &Call) -> Span {
        let span = tracing::debug_span!(
            "storage",
            backend = self.backend,
            operation = call.operation.as_str(),
            key = Empty,
            sent = call.sent,
            received = Empty,
            outcome = Empty,
        );
        if self.keys && !span.is_disabled() {
            span.record("key", call.target.to_string());
        }
        span
    }
}

impl<A: StorageBackend> Around for Trace<A> {
    async fn around<'a, R: Answer>(&'a self, call: Call, work: BoxFuture<'a, Result<R>>) -> Result<R> {
        let span = self.span(&call);
        let answer = work.instrument(span.clone()).await;
        span.record("outcome", outcome(&answer));
        if let Ok(answer) = &answer {
            span.record("received", answer.received());
        }
        answer
    }
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Trace<A> {
    forward! { inner: declaration }

    around! { inner: read, write, stat, delete, list, open_writer, copy, delete_many, presign, health, close }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Trace<A> {
    around! { inner:
        put, get, get_many, delete_document, put_many, commit, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch,
        append, read_log, close_log, delete_log, logs, sweep
    }
}
