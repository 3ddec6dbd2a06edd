//! [`Executions`]: the store, and where it keeps what.

use std::borrow::Cow;
use std::time::Duration;

use storage_core::bson::RawDocumentBuf;
use storage_core::{Collection, DocumentId, Error, LeaseRequest, Log, Result, Storage};

use super::options::ExecutionOptions;

/// Programs, executions and their output on a [`Storage`], with [options](ExecutionOptions). Cheap to make and to clone.
///
/// Dropping a future of any method is safe: the operation then happened completely or not at all, or is finished by the same call
/// made again.
#[derive(Debug, Clone)]
pub struct Executions {
    pub(super) storage: Storage,
    pub(super) options: ExecutionOptions,
}

/// Documents as bytes: the types of this store are read and written by [`fields`](super::fields).
pub(super) type Documents = Collection<RawDocumentBuf>;

/// What stands before the id in the name of an execution's log.
const OUTPUTS: &str = "outputs/";
/// What stands before the id in the name of an execution's lease.
const LEASES: &str = "executions/";

impl Executions {
    /// The store on this storage.
    pub const fn new(storage: Storage, options: ExecutionOptions) -> Self {
        Self { storage, options }
    }

    /// The storage underneath.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A request for the lease of an execution, so that one runner at a time works on it. 10 ms to 7 days. The execution need not be
    /// there.
    ///
    /// A lease alone does not stop a runner that was paused for longer than its lease lives: let it save with
    /// [`save_execution_fenced`](Self::save_execution_fenced) or [`save_execution_if`](Self::save_execution_if).
    pub fn execution_lease(&self, id: &str, ttl: Duration) -> LeaseRequest {
        self.storage.lease(format!("{LEASES}{id}"), ttl)
    }

    pub(super) fn programs(&self) -> Documents {
        self.storage.collection("programs")
    }

    pub(super) fn executions(&self) -> Documents {
        self.storage.collection("executions")
    }

    pub(super) fn metadata(&self) -> Documents {
        self.storage.collection("metadata")
    }

    pub(super) fn log(&self, id: &str) -> Log {
        self.storage.log(format!("{OUTPUTS}{id}"))
    }

    /// Refuses an id that a document, a log or a lease of this backend could not have, whichever of them it is for: an execution
    /// that can be saved can also print, be leased and be deleted.
    pub(super) fn check_id(&self, what: &'static str, id: &str) -> Result<()> {
        DocumentId::new(id)?;
        let declaration = self.storage.declaration();
        let documents = declaration.documents.as_ref().map(|section| section.max_id_bytes);
        let logs = declaration.logs.as_ref().map(|section| section.max_name_bytes);
        let limit = documents
            .map_or(u64::MAX, |limit| limit.saturating_sub(LEASES.len() as u64))
            .min(logs.map_or(u64::MAX, |limit| limit.saturating_sub(OUTPUTS.len() as u64)));
        if id.len() as u64 > limit {
            return Err(Error::limit_exceeded(what, limit, id.len() as u64));
        }
        Ok(())
    }

    /// Says in an error of this store's own what was being done, and to what; core says it in its own.
    pub(super) fn named(
        &self,
        error: Error,
        operation: impl Into<Cow<'static, str>>,
        entry: impl Into<String>,
    ) -> Error {
        let error = error
            .with_operation(operation)
            .with_backend(self.storage.declaration().backend.clone());
        let entry = entry.into();
        if entry.is_empty() {
            error
        } else {
            error.with_key(entry)
        }
    }
}
