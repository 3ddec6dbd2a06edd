//! The audit trail of a namespace: who did what to which key, when, and what came of it.

use storage_core::{Error, Result};
use storage_layers::AuditTrail;
use storage_layers::audit::AuditCall;

use super::store::Kv;

/// What an entry of the trail calls the things of this store.
const ENTRY: &str = "entry";
const NAMESPACE: &str = "namespace";

impl Kv {
    /// The audit trail, to be read and verified; `None` where the [options](super::KvOptions::audit) ask for none.
    ///
    /// A change is recorded before it begins, and not made where that cannot be done; what came of it follows. A read is recorded once it is
    /// over, and what cannot be recorded is not given. Keys are recorded, values never. Each entry holds the hash of the one before it.
    ///
    /// # Errors
    /// `PermissionDenied`.
    pub fn audit_trail(&self) -> Result<Option<AuditTrail>> {
        self.access
            .require_reads()
            .map_err(|error| self.named(error, "read audit trail", ""))?;
        Ok(self.shared.audit.as_ref().map(storage_layers::AuditLog::trail))
    }

    /// Records a change, does it, records what came of it. Without a trail it is only done.
    pub(super) async fn recorded<R: Send + Sync>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl Future<Output = Result<R>> + Send,
    ) -> Result<R> {
        let Some(call) = self.begin(operation, key).await? else {
            return work.await;
        };
        let result = work.await;
        if let Some(log) = &self.shared.audit {
            // It was done, or refused, whatever can be recorded of it; the trail shows that the end is missing.
            let _ = log.end(call, &result).await;
        }
        result
    }

    /// Records a read that is over.
    pub(super) async fn record_read<R: Send + Sync>(
        &self,
        operation: &'static str,
        key: &str,
        result: Result<R>,
    ) -> Result<R> {
        if let Some(log) = &self.shared.audit {
            let (kind, name) = self.target(key);
            let recorded = log.did(operation, kind, name, &result).await;
            recorded.map_err(|error| self.unrecorded(error, operation, key))?;
        }
        result
    }

    async fn begin(&self, operation: &'static str, key: &str) -> Result<Option<AuditCall>> {
        let Some(log) = &self.shared.audit else {
            return Ok(None);
        };
        let (kind, name) = self.target(key);
        let begun = log.begin(operation, kind, name).await;
        begun
            .map(Some)
            .map_err(|error| self.unrecorded(error, operation, key))
    }

    fn target<'a>(&'a self, key: &'a str) -> (&'static str, &'a str) {
        if key.is_empty() {
            (NAMESPACE, self.namespace())
        } else {
            (ENTRY, key)
        }
    }

    fn unrecorded(&self, error: Error, operation: &'static str, key: &str) -> Error {
        self.named(
            error.with_context("audit", "it could not be recorded"),
            operation,
            key,
        )
    }
}
