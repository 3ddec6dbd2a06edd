//! [`Bent`]: an adapter with one fault, over any other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::*;

/// One fault: override the method that has it. Everything else goes through.
#[async_trait]
#[allow(dead_code, reason = "each program that uses it bends other methods")]
pub(crate) trait Bend: fmt::Debug + Send + Sync + 'static {
    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        inner.read(area, key, request).await
    }

    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        inner.write(area, key, bytes, request).await
    }

    async fn delete(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        request: DeleteRequest,
    ) -> Result<()> {
        inner.delete(area, key, request).await
    }

    async fn list(&self, inner: &dyn StorageAdapter, area: Area, request: ListRequest) -> Result<ListPage> {
        inner.list(area, request).await
    }

    async fn put(
        &self,
        inner: &dyn StorageAdapter,
        collection: &Name,
        request: PutRequest,
    ) -> Result<Version> {
        inner.put(collection, request).await
    }

    async fn get(
        &self,
        inner: &dyn StorageAdapter,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        inner.get(collection, id, now).await
    }

    async fn commit(&self, inner: &dyn StorageAdapter, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        inner.commit(batch).await
    }

    async fn collections(
        &self,
        inner: &dyn StorageAdapter,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Name>> {
        inner.collections(after, limit).await
    }

    async fn append(
        &self,
        inner: &dyn StorageAdapter,
        log: &Name,
        request: AppendRequest,
    ) -> Result<Appended> {
        inner.append(log, request).await
    }

    async fn open_writer(
        &self,
        inner: Arc<dyn StorageAdapter>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        inner.open_writer(area, key, request).await
    }
}

pub(crate) struct Bent<B> {
    pub(crate) bend: B,
    pub(crate) inner: Arc<dyn StorageAdapter>,
}

impl<B: Bend> fmt::Debug for Bent<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bend.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Bend> StorageBackend for Bent<B> {
    fn declaration(&self) -> &Declaration {
        self.inner.declaration()
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.bend.read(&*self.inner, area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.bend.write(&*self.inner, area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.inner.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.bend.delete(&*self.inner, area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.bend.list(&*self.inner, area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.bend
            .open_writer(Arc::clone(&self.inner), area, key, request)
            .await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.inner.copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.inner.delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.inner.presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Bend> StorageAdapter for Bent<B> {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.bend.put(&*self.inner, collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.bend.get(&*self.inner, collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.inner.get_many(collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.inner.delete_document(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.inner.put_many(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.bend.commit(&*self.inner, batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.inner.find(collection, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.inner.count(collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.inner.explain(collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.bend.collections(&*self.inner, after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.inner.ensure_index(collection, index, now).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.inner.drop_index(collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.inner.indexes(collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.inner.rebuild_index(collection, index, now).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.inner.index_stats(collection, index, now).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.bend.append(&*self.inner, log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.inner.read_log(log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.inner.close_log(log).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.inner.delete_log(log).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.inner.logs(after, limit).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.inner.watch(collection, request).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.inner.sweep(now).await
    }
}
