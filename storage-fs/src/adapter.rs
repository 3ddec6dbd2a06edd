//! [`Fs`]: the full contract. Documents as the overlay keeps them, logs as files of their own.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{Either, select};
use storage_core::{
    AppendRequest, Appended, Area, BatchRequest, Changes, Declaration, DeleteDocumentRequest, DeleteRequest,
    DocumentId, Explanation, FindPage, FindRequest, Index, IndexInfo, IndexStats, Key, ListPage, ListRequest,
    LogPage, LogsDeclaration, Name, Object, ObjectMeta, ObjectWriter, Overlay, PutRequest, ReadRequest,
    Result, StorageAdapter, StorageBackend, StoredDocument, SweepReport, Timestamp, Version, WatchRequest,
    WriteRequest,
};

use crate::backend::FsBackend;
use crate::config::FsConfig;
use crate::handle::Handle;
use crate::lock::Claim;
use crate::logs::{Logs, names};

/// Objects, documents, indexes, queries and logs in one directory. Cheap to clone.
///
/// Documents are JSON files under `.storage/documents`, logs JSON lines under `.storage/logs`.
#[derive(Debug, Clone)]
pub struct Fs {
    overlay: Overlay<FsBackend>,
    logs: Arc<Logs>,
    declaration: Arc<Declaration>,
}

impl Fs {
    /// Opens a root.
    ///
    /// # Errors
    /// As [`FsBackend::open`].
    pub async fn open(config: FsConfig) -> Result<Self> {
        let logs = LogsDeclaration::new(config.durability);
        let overlay = Overlay::new(FsBackend::open(config).await?);
        let mut declaration = overlay.declaration().clone();
        declaration.logs = Some(logs);
        Ok(Self {
            overlay,
            logs: Arc::default(),
            declaration: Arc::new(declaration),
        })
    }

    /// The objects alone.
    pub fn backend(&self) -> &Arc<FsBackend> {
        self.overlay.backend()
    }

    fn handle(&self) -> &Arc<Handle> {
        self.backend().handle()
    }

    /// Waits for the turn to write a log.
    async fn claim(&self, log: &Name) -> Claim {
        self.handle()
            .locks
            .claim(&[self.handle().root.layout.log(log).path()])
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StorageBackend for Fs {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.backend().read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.backend().write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.backend().stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.backend().delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.backend().list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Arc::clone(self.backend()).open_writer(area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.backend().copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.backend().delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.backend().presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        self.backend().health().await
    }

    async fn close(&self) -> Result<()> {
        self.overlay.close().await
    }
}

#[async_trait]
impl StorageAdapter for Fs {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.overlay.put(collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.overlay.get(collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.overlay.get_many(collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.overlay.delete_document(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.overlay.put_many(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.overlay.commit(batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.overlay.find(collection, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.overlay.count(collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.overlay.explain(collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.overlay.collections(after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.overlay.ensure_index(collection, index, now).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.overlay.drop_index(collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.overlay.indexes(collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.overlay.rebuild_index(collection, index, now).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.overlay.index_stats(collection, index, now).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.overlay.watch(collection, request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        let mut ticket = self.logs.wait(log, request);
        // Alone, its outcome is asked for when it is there: whoever waits for it besides the work is woken twice.
        let mut free = self
            .handle()
            .locks
            .try_claim(self.handle().root.layout.log(log).path());
        loop {
            let claim = match free.take() {
                Some(claim) => claim,
                // Whoever has the turn does what waits: most often it is done before it is this one's.
                None => match select(pin!(ticket.outcome()), pin!(self.claim(log))).await {
                    Either::Left((outcome, _)) => return outcome,
                    Either::Right((claim, _)) => claim,
                },
            };
            let (logs, root, log) = (
                Arc::clone(&self.logs),
                Arc::clone(&self.handle().root),
                log.clone(),
            );
            let append = move || {
                logs.append_waiting(&root, &log, claim);
                Ok(())
            };
            self.handle().blocking.run(append).await?;
        }
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        let mut claim = None;
        loop {
            let (logs, root, name) = (
                Arc::clone(&self.logs),
                Arc::clone(&self.handle().root),
                log.clone(),
            );
            if let Some(page) = self
                .handle()
                .blocking
                .run(move || logs.read(&root, &name, from, limit, claim))
                .await?
            {
                return Ok(page);
            }
            claim = Some(self.claim(log).await);
        }
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        let claim = self.claim(log).await;
        let (logs, root, log) = (
            Arc::clone(&self.logs),
            Arc::clone(&self.handle().root),
            log.clone(),
        );
        self.handle()
            .blocking
            .run(move || logs.close(&root, &log, claim))
            .await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        let claim = self.claim(log).await;
        let (logs, root, log) = (
            Arc::clone(&self.logs),
            Arc::clone(&self.handle().root),
            log.clone(),
        );
        self.handle()
            .blocking
            .run(move || logs.delete(&root, &log, claim))
            .await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let (root, after) = (Arc::clone(&self.handle().root), after.cloned());
        self.handle()
            .blocking
            .run(move || names(&root, after.as_ref(), limit))
            .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        let mut report = self.overlay.sweep(now).await?;
        report.temporaries += self.backend().sweep().await?.temporaries;
        Ok(report)
    }
}
