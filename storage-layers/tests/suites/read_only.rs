//! What can be read through a read-only view is what is there: writes go past it, every read goes through it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use libtest_mimic::Trial;
use storage_core::*;
use storage_layers::ReadOnly;

use crate::over_memory;

pub(crate) fn trials() -> Vec<Trial> {
    over_memory("read-only", |memory| Past {
        view: ReadOnly::new(memory.clone()),
        memory: Arc::new(memory),
    })
}

/// Reads through the view, writes past it. It declares what memory can do, since it can.
#[derive(Debug)]
struct Past {
    view: ReadOnly<Memory>,
    memory: Arc<Memory>,
}

#[async_trait]
impl StorageBackend for Past {
    fn declaration(&self) -> &Declaration {
        self.memory.declaration()
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.view.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.memory.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.view.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.memory.delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.view.list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Arc::clone(&self.memory).open_writer(area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.memory.copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.memory.delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.view.presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        self.view.health().await
    }

    async fn close(&self) -> Result<()> {
        self.view.close().await
    }
}

#[async_trait]
impl StorageAdapter for Past {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.memory.put(collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.view.get(collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.view.get_many(collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.memory.delete_document(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.memory.put_many(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.memory.commit(batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.view.find(collection, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.view.count(collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.view.explain(collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.view.collections(after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        match self.view.ensure_index(collection, index, now).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.memory.ensure_index(collection, index, now).await
            }
            answer => answer,
        }
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.memory.drop_index(collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.view.indexes(collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.memory.rebuild_index(collection, index, now).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.view.index_stats(collection, index, now).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.view.watch(collection, request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.memory.append(log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.view.read_log(log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.memory.close_log(log).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.memory.delete_log(log).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.view.logs(after, limit).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.memory.sweep(now).await
    }
}
