//! What is shared is what it shares: an [`Arc`] of a backend or an adapter is one itself, so a layer takes either.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

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
use crate::declaration::Declaration;
use crate::error::Result;
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::{DocumentId, Key, Name};
use crate::version::Version;

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<B: StorageBackend + ?Sized> StorageBackend for Arc<B> {
    fn declaration(&self) -> &Declaration {
        (**self).declaration()
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        (**self).read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        (**self).write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        (**self).stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        (**self).delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        (**self).list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Self::clone(&self).open_writer(area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        (**self).copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        (**self).delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        (**self).presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        (**self).health().await
    }

    async fn close(&self) -> Result<()> {
        (**self).close().await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<A: StorageAdapter + ?Sized> StorageAdapter for Arc<A> {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        (**self).put(collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        (**self).get(collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        (**self).get_many(collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        (**self).delete_document(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        (**self).put_many(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        (**self).commit(batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        (**self).find(collection, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        (**self).count(collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        (**self).explain(collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        (**self).collections(after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        (**self).ensure_index(collection, index, now).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        (**self).drop_index(collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        (**self).indexes(collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        (**self).rebuild_index(collection, index, now).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        (**self).index_stats(collection, index, now).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        (**self).watch(collection, request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        (**self).append(log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        (**self).read_log(log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        (**self).close_log(log).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        (**self).delete_log(log).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        (**self).logs(after, limit).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        (**self).sweep(now).await
    }
}
