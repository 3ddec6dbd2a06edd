//! [`StorageAdapter`] for [`Mongo`]: documents, indexes, queries and logs.

use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{
    AppendRequest, Appended, BatchOperation, BatchRequest, Capability, Changes, DeleteDocumentRequest,
    DocumentId, Error, ErrorKind, Explanation, FindPage, FindRequest, Index, IndexInfo, IndexStats, LogPage,
    Name, PutRequest, Result, StorageAdapter, StoredDocument, SweepReport, Timestamp, Version, WatchRequest,
};

use crate::batch::Done;
use crate::store::{Inner, Mongo};
use crate::work::Busy;
use crate::{batch, documents, indexes, logs, query, sweep, watch};

impl Mongo {
    /// Begins to read documents.
    fn reading(&self) -> Result<Busy> {
        self.inner.declaration.require(Capability::Documents)?;
        self.inner.begin()
    }

    /// What a write of documents takes along.
    fn writing(&self) -> Result<Arc<Inner>> {
        self.inner.declaration.require(Capability::Documents)?;
        Ok(Arc::clone(&self.inner))
    }

    /// As [`writing`](Self::writing), for what needs transactions.
    fn transacting(&self, capability: Capability) -> Result<Arc<Inner>> {
        self.inner.declaration.require(capability)?;
        Ok(Arc::clone(&self.inner))
    }

    /// What a write of logs takes along.
    fn logging(&self) -> Result<Arc<Inner>> {
        self.inner.declaration.require(Capability::Logs)?;
        Ok(Arc::clone(&self.inner))
    }
}

fn unexpected() -> Error {
    Error::new(
        ErrorKind::Internal,
        "a transaction came to something else than it was to do",
    )
}

#[async_trait]
impl StorageAdapter for Mongo {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        let name = collection.clone();
        if request.guard.is_none() {
            let inner = self.writing()?;
            let work = async move { documents::put(&inner, &name, &request).await };
            return self.inner.whole(work).await;
        }
        let inner = self.transacting(Capability::GuardedWrite)?;
        let work = async move { batch::guarded(&inner, &name, BatchOperation::Put(request)).await };
        match self.inner.whole(work).await? {
            Done::Put(version) => Ok(version),
            Done::Delete(_) => Err(unexpected()),
        }
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        let _busy = self.reading()?;
        documents::get(&self.inner, collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        let _busy = self.reading()?;
        documents::get_many(&self.inner, collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        let name = collection.clone();
        if request.guard.is_none() {
            let inner = self.writing()?;
            let work = async move { documents::delete(&inner, &name, &request).await };
            return self.inner.whole(work).await;
        }
        let inner = self.transacting(Capability::GuardedWrite)?;
        let work = async move { batch::guarded(&inner, &name, BatchOperation::Delete(request)).await };
        match self.inner.whole(work).await? {
            Done::Delete(was_there) => Ok(was_there),
            Done::Put(_) => Err(unexpected()),
        }
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let inner = if requests.iter().any(|request| request.guard.is_some()) {
            self.transacting(Capability::GuardedWrite)?
        } else {
            self.writing()?
        };
        let name = collection.clone();
        let work = async move { batch::put_many(&inner, &name, &requests).await };
        self.inner.whole(work).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        let inner = self.transacting(Capability::AtomicBatch)?;
        let work = async move { batch::commit(&inner, batch.operations).await };
        self.inner.whole(work).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        let _busy = self.reading()?;
        query::find(&self.inner, collection, &request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        let _busy = self.reading()?;
        query::count(&self.inner, collection, &request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        let _busy = self.reading()?;
        query::explain(&self.inner, collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let _busy = self.reading()?;
        documents::collections(&self.inner, after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        let (inner, name, index) = (self.writing()?, collection.clone(), index.clone());
        let work = async move { indexes::ensure(&inner, &name, &index, now).await };
        self.inner.whole(work).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        let (inner, name, index) = (self.writing()?, collection.clone(), index.clone());
        let work = async move { indexes::remove(&inner, &name, &index).await };
        self.inner.whole(work).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        let _busy = self.reading()?;
        indexes::list(&self.inner, collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        let (inner, name, index) = (self.writing()?, collection.clone(), index.clone());
        let work = async move { indexes::rebuild(&inner, &name, &index, now).await };
        self.inner.whole(work).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        let _busy = self.reading()?;
        indexes::stats(&self.inner, collection, index, now).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.inner.declaration.require(Capability::Watch)?;
        // Beginning to is under way; waiting for changes is not, or closing would wait for them.
        let _busy = self.inner.begin()?;
        watch::watch(&self.inner, collection, &request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        let (inner, log) = (self.logging()?, log.clone());
        let work = async move { logs::append(&inner, &log, &request).await };
        self.inner.whole(work).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        let inner = self.logging()?;
        let _busy = self.inner.begin()?;
        logs::read(&inner, log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        let (inner, log) = (self.logging()?, log.clone());
        let work = async move { logs::close(&inner, &log).await };
        self.inner.whole(work).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        let (inner, log) = (self.logging()?, log.clone());
        let work = async move { logs::delete(&inner, &log).await };
        self.inner.whole(work).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let inner = self.logging()?;
        let _busy = self.inner.begin()?;
        logs::list(&inner, after, limit).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        let inner = Arc::clone(&self.inner);
        let work = async move { sweep::sweep(&inner, now).await };
        self.inner.whole(work).await
    }
}
