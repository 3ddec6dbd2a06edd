//! The contract's documents, indexes and logs, each handed to its protocol.

use async_trait::async_trait;

use super::Overlay;
use super::engine::Engine;
use crate::adapter::{
    AppendRequest, Appended, BatchRequest, DeleteDocumentRequest, Explanation, FindPage, FindRequest,
    LogPage, PutRequest, StorageAdapter, StoredDocument, SweepReport,
};
use crate::backend::StorageBackend;
use crate::change::{Changes, WatchRequest};
use crate::clock::Timestamp;
use crate::declaration::Capability;
use crate::error::{Error, Result};
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::{DocumentId, Name};
use crate::version::Version;

impl<B: StorageBackend> Overlay<B> {
    fn documents(&self) -> Result<&Engine> {
        match self.declaration.documents {
            Some(_) => Ok(&self.engine),
            None => Err(Error::unsupported(Capability::Documents)),
        }
    }

    fn logs(&self) -> Result<&Engine> {
        match self.declaration.logs {
            Some(_) => Ok(&self.engine),
            None => Err(Error::unsupported(Capability::Logs)),
        }
    }

    /// Nothing is written under a guard the medium cannot check.
    fn guarded(&self, guarded: bool) -> Result<&Engine> {
        let able = self.declaration.support(Capability::GuardedWrite).is_present();
        match self.documents() {
            Ok(_) if guarded && !able => Err(Error::unsupported(Capability::GuardedWrite)),
            engine => engine,
        }
    }
}

#[async_trait]
impl<B: StorageBackend> StorageAdapter for Overlay<B> {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.guarded(request.guard.is_some())?
            .put(collection, &request)
            .await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        let loaded = self.documents()?.load(collection, id).await?;
        Ok(loaded.and_then(|loaded| loaded.record.into_document(id.clone(), now)))
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        let loaded = self.documents()?.load_many(collection, ids.to_vec()).await;
        loaded
            .into_iter()
            .map(|(id, loaded)| Ok(loaded?.and_then(|loaded| loaded.record.into_document(id, now))))
            .collect()
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.guarded(request.guard.is_some())?
            .delete(collection, &request)
            .await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let guarded = requests.iter().any(|request| request.guard.is_some());
        Ok(self.guarded(guarded)?.put_many(collection, requests).await)
    }

    async fn commit(&self, _batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        Err(Error::unsupported(Capability::AtomicBatch))
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.documents()?.find(collection, &request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.documents()?.count(collection, &request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.documents()?.explain(collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.documents()?.collections(after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.documents()?.ensure_index(collection, index, now).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.documents()?.drop_index(collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.documents()?.indexes(collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.documents()?.rebuild_index(collection, index, now).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.documents()?.index_stats(collection, index, now).await
    }

    /// No medium of plain objects tells everybody what anybody changed.
    async fn watch(&self, _collection: &Name, _request: WatchRequest) -> Result<Changes> {
        Err(self.declaration.unsupported(Capability::Watch))
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.logs()?.append(log, &request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.logs()?.read_log(log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.logs()?.close_log(log).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.logs()?.delete_log(log).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        Self::logs(self)?.logs(after, limit).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        // Without documents there is nothing to sweep, and that is no fault.
        match self.declaration.documents {
            Some(_) => self.engine.sweep(now).await,
            None => Ok(SweepReport::default()),
        }
    }
}
