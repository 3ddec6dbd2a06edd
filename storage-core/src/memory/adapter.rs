//! [`Memory`]: the reference adapter. One lock, one copy of the truth; what it does is what the contract means.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::backend::MemoryBackend;
use super::collection::Collection;
use super::feed;
use super::log::Log;
use super::state::State;
use crate::adapter::{
    AppendRequest, Appended, BatchRequest, DeleteDocumentRequest, Explanation, FindPage, FindRequest,
    LogPage, PutRequest, StorageAdapter, StoredDocument, SweepReport,
};
use crate::backend::{
    Area, DeleteRequest, ListPage, ListRequest, Object, ObjectMeta, ObjectWriter, ReadRequest,
    StorageBackend, WriteRequest,
};
use crate::change::{Changes, WatchRequest};
use crate::clock::Timestamp;
use crate::declaration::{Declaration, DocumentsDeclaration, Durability, LogsDeclaration, Support};
use crate::error::Result;
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::{DocumentId, Key, Name};
use crate::version::Version;

/// Everything in memory, gone with the last clone. Clones share their data.
///
/// It is stricter than any real backend: every call is atomic, nothing is eventual, nothing is truncated. Memory grows with the
/// data; nothing bounds it.
///
/// # Crash recovery
/// There is none: what is acknowledged ends with the process, and the declaration says so.
///
/// # Concurrent writers
/// Any number of tasks and threads may share the data through clones; each call is one step under one lock. Other processes cannot
/// reach it. A collection keeps its last 10,000 changes from when it was first watched.
#[derive(Debug, Clone)]
pub struct Memory {
    backend: Arc<MemoryBackend>,
    declaration: Arc<Declaration>,
    state: Arc<Mutex<State>>,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        let backend = MemoryBackend::new();
        let mut declaration = backend.declaration().clone();
        let mut documents = DocumentsDeclaration::new(Durability::Memory);
        documents.atomic_batch = Support::Native;
        documents.expiry = Support::Native;
        documents.guarded_write = Support::Native;
        documents.indexes = Support::Native;
        documents.unique_indexes = Support::Native;
        documents.watch = Support::Native;
        declaration.documents = Some(documents);
        declaration.logs = Some(LogsDeclaration::new(Durability::Memory));
        Self {
            backend: Arc::new(backend),
            declaration: Arc::new(declaration),
            state: Arc::default(),
        }
    }

    /// The state. A panic while it is held is a defect of this file; what others see is still what the last whole call left.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn max_index_key_bytes(&self) -> u64 {
        self.declaration
            .documents
            .as_ref()
            .map_or(u64::MAX, |section| section.max_index_key_bytes)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StorageBackend for Memory {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.backend.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.backend.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.backend.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.backend.delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.backend.list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        MemoryBackend::open_writer(Arc::clone(&self.backend), area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.backend.copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.backend.delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.backend.presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        self.backend.health().await
    }

    async fn close(&self) -> Result<()> {
        self.backend.close().await
    }
}

#[async_trait]
impl StorageAdapter for Memory {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.state().put(collection, request, self.max_index_key_bytes())
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        let state = self.state();
        Ok(state
            .collections
            .get(collection)
            .and_then(|collection| collection.live(id, now))
            .cloned())
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        let state = self.state();
        let collection = state.collections.get(collection);
        Ok(ids
            .iter()
            .map(|id| {
                collection
                    .and_then(|collection| collection.live(id, now))
                    .cloned()
            })
            .collect())
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.state().delete(collection, &request)
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let mut state = self.state();
        Ok(requests
            .into_iter()
            .map(|request| state.put(collection, request, self.max_index_key_bytes()))
            .collect())
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.state().apply(batch, self.max_index_key_bytes())
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        match self.state().collections.get(collection) {
            Some(collection) => collection.find(&request),
            None => Collection::default().find(&request),
        }
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        match self.state().collections.get(collection) {
            Some(collection) => collection.count(&request),
            None => Collection::default().count(&request),
        }
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        match self.state().collections.get(collection) {
            Some(collection) => Ok(collection.plan(request)?.explain()),
            None => Ok(Collection::default().plan(request)?.explain()),
        }
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        Ok(names_after(&self.state().collections, after, limit))
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        let max_index_key_bytes = self.max_index_key_bytes();
        let mut state = self.state();
        state
            .collections
            .entry(collection.clone())
            .or_default()
            .ensure_index(index, now, max_index_key_bytes)
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        let mut state = self.state();
        Ok(state
            .collections
            .get_mut(collection)
            .is_some_and(|collection| collection.drop_index(index.as_str())))
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        Ok(self
            .state()
            .collections
            .get(collection)
            .map(Collection::indexes)
            .unwrap_or_default())
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        let max_index_key_bytes = self.max_index_key_bytes();
        match self.state().collections.get_mut(collection) {
            Some(collection) => collection.rebuild_index(index.as_str(), now, max_index_key_bytes),
            None => Collection::default().rebuild_index(index.as_str(), now, max_index_key_bytes),
        }
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        match self.state().collections.get(collection) {
            Some(collection) => collection.index_stats(index.as_str(), now),
            None => Collection::default().index_stats(index.as_str(), now),
        }
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        feed::watch(&self.state, collection, &request)
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        let mut state = self.state();
        match state.logs.get_mut(log) {
            Some(log) => log.append(request),
            None => {
                // Only an append that succeeds creates the log.
                let mut created = Log::new();
                let appended = created.append(request)?;
                if appended.next > 0 {
                    state.logs.insert(log.clone(), created);
                }
                Ok(appended)
            }
        }
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        Ok(self
            .state()
            .logs
            .get(log)
            .map(|log| log.read(from, limit))
            .unwrap_or_default())
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.state()
            .logs
            .entry(log.clone())
            .or_insert_with(Log::new)
            .close();
        Ok(())
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.state().logs.remove(log);
        Ok(())
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        Ok(names_after(&self.state().logs, after, limit))
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        let mut state = self.state();
        let purged_documents = state
            .collections
            .values_mut()
            .map(|collection| collection.purge(now))
            .sum();
        Ok(SweepReport {
            purged_documents,
            ..SweepReport::default()
        })
    }
}

fn names_after<V>(map: &BTreeMap<Name, V>, after: Option<&Name>, limit: usize) -> Vec<Name> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<Name, _>((from, Bound::Unbounded))
        .take(limit)
        .map(|(name, _)| name.clone())
        .collect()
}
