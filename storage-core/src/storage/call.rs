//! What every call of [`Storage`](super::Storage) goes through: refused after close, counted, traced, errors stamped.

use std::future::Future;
use std::sync::atomic::Ordering;

use super::{Storage, closed};
use crate::error::{Error, Result};

impl Storage {
    /// Does one operation on one key, which may be empty.
    pub(crate) async fn call<R>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl Future<Output = Result<R>> + Send,
    ) -> Result<R> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(self.stamped(closed(), operation, key));
        }
        let result = work.await;
        self.inner.counters.count(&result);
        result.map_err(|error| {
            let error = self.stamped(error, operation, key);
            tracing::debug!(operation, backend = %self.inner.declaration.backend, key, kind = ?error.kind(), "failed");
            error
        })
    }

    pub(crate) fn stamped(&self, error: Error, operation: &'static str, key: &str) -> Error {
        let error = error
            .with_operation(operation)
            .with_backend(self.inner.declaration.backend.clone());
        if key.is_empty() {
            error
        } else {
            error.with_key(key)
        }
    }
}
