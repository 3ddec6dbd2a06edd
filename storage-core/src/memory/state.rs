//! Everything that is in memory, and writes to it, one or several at a time.

use std::collections::BTreeMap;

use super::collection::Collection;
use super::log::Log;
use crate::adapter::{
    BatchOperation, BatchRequest, DeleteDocumentRequest, DocumentGuard, PutRequest, StoredDocument,
};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::name::{DocumentId, Name};
use crate::version::Version;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) collections: BTreeMap<Name, Collection>,
    pub(super) logs: BTreeMap<Name, Log>,
}

/// What an operation of a batch found.
struct Before {
    collection: Name,
    /// Whether the collection was not there.
    created: bool,
    id: DocumentId,
    document: Option<StoredDocument>,
}

impl State {
    fn check_guard(&self, guard: Option<&DocumentGuard>, now: Timestamp) -> Result<()> {
        let Some(guard) = guard else { return Ok(()) };
        let document = self
            .collections
            .get(&guard.collection)
            .and_then(|collection| collection.live(&guard.id, now));
        if document.map(|document| &document.version) == Some(&guard.version) {
            return Ok(());
        }
        Err(Error::guard_failed(guard.id.as_str()))
    }

    pub(super) fn put(
        &mut self,
        collection: &Name,
        request: PutRequest,
        max_index_key_bytes: u64,
    ) -> Result<Version> {
        self.check_guard(request.guard.as_ref(), request.now)?;
        if let Some(collection) = self.collections.get_mut(collection) {
            return collection.put(request, max_index_key_bytes);
        }
        // Only a write that succeeds creates the collection.
        let mut created = Collection::default();
        let version = created.put(request, max_index_key_bytes)?;
        self.collections.insert(collection.clone(), created);
        Ok(version)
    }

    pub(super) fn delete(&mut self, collection: &Name, request: &DeleteDocumentRequest) -> Result<bool> {
        self.check_guard(request.guard.as_ref(), request.now)?;
        match self.collections.get_mut(collection) {
            Some(collection) => collection.delete(request),
            None if request.if_version.is_some() => Err(Error::precondition_failed(None)),
            None => Ok(false),
        }
    }

    /// Applies operations one by one up to the first refusal, and takes back those before it.
    pub(super) fn apply(
        &mut self,
        batch: BatchRequest,
        max_index_key_bytes: u64,
    ) -> Result<Vec<Option<Version>>> {
        let mut versions = Vec::with_capacity(batch.operations.len());
        let mut before = Vec::with_capacity(batch.operations.len());
        for (at, (collection, operation)) in batch.operations.into_iter().enumerate() {
            let id = match &operation {
                BatchOperation::Put(request) => request.id.clone(),
                BatchOperation::Delete(request) => request.id.clone(),
            };
            let there = self.collections.get(&collection);
            before.push(Before {
                created: there.is_none(),
                document: there.and_then(|there| there.kept(&id)).cloned(),
                collection: collection.clone(),
                id,
            });
            let outcome = match operation {
                BatchOperation::Put(request) => self.put(&collection, request, max_index_key_bytes).map(Some),
                BatchOperation::Delete(request) => self.delete(&collection, &request).map(|_| None),
            };
            match outcome {
                Ok(version) => versions.push(version),
                Err(error) => {
                    self.take_back(before);
                    return Err(error.with_context("operation", at.to_string()));
                }
            }
        }
        Ok(versions)
    }

    /// Makes documents what they were, the last first; a collection that was not there is gone again.
    fn take_back(&mut self, before: Vec<Before>) {
        for before in before.into_iter().rev() {
            if before.created {
                self.collections.remove(&before.collection);
            } else if let Some(collection) = self.collections.get_mut(&before.collection) {
                collection.restore(&before.id, before.document);
            }
        }
    }
}
