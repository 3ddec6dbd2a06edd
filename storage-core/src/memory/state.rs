//! Everything that is in memory, and writes to it, one or several at a time.

use std::collections::BTreeMap;

use super::collection::Collection;
use super::feed::Feed;
use super::log::Log;
use crate::adapter::{
    BatchOperation, BatchRequest, DeleteDocumentRequest, DocumentGuard, PutRequest, StoredDocument,
};
use crate::change::ChangeKind;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::name::{DocumentId, Name};
use crate::version::Version;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) collections: BTreeMap<Name, Collection>,
    pub(super) logs: BTreeMap<Name, Log>,
    /// Of the collections that anybody ever watched.
    pub(super) feeds: BTreeMap<Name, Feed>,
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
    /// Tells those who watch the collection.
    fn tell(&mut self, collection: &Name, id: &DocumentId, kind: ChangeKind) {
        if let Some(feed) = self.feeds.get_mut(collection) {
            feed.tell(id, kind);
        }
    }

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
        let id = request.id.clone();
        let version = self.put_untold(collection, request, max_index_key_bytes)?;
        self.tell(collection, &id, ChangeKind::Written);
        Ok(version)
    }

    pub(super) fn delete(&mut self, collection: &Name, request: &DeleteDocumentRequest) -> Result<bool> {
        let was_there = self.delete_untold(collection, request)?;
        if was_there {
            self.tell(collection, &request.id, ChangeKind::Deleted);
        }
        Ok(was_there)
    }

    fn put_untold(
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

    fn delete_untold(&mut self, collection: &Name, request: &DeleteDocumentRequest) -> Result<bool> {
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
        let mut changes = Vec::with_capacity(batch.operations.len());
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
                id: id.clone(),
            });
            let outcome = match operation {
                BatchOperation::Put(request) => self
                    .put_untold(&collection, request, max_index_key_bytes)
                    .map(|version| (Some(version), Some(ChangeKind::Written))),
                BatchOperation::Delete(request) => self
                    .delete_untold(&collection, &request)
                    .map(|was_there| (None, was_there.then_some(ChangeKind::Deleted))),
            };
            match outcome {
                Ok((version, kind)) => {
                    versions.push(version);
                    changes.extend(kind.map(|kind| (collection, id, kind)));
                }
                Err(error) => {
                    self.take_back(before);
                    return Err(error.with_context("operation", at.to_string()));
                }
            }
        }
        for (collection, id, kind) in changes {
            self.tell(&collection, &id, kind);
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
