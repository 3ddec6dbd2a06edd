//! [`Faulty`]: an adapter that makes the unlikely happen at a given call: that the process dies there, that what it reads is damaged,
//! or that somebody else comes between.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use storage_core::{
    AppendRequest, Appended, Applied, Area, BatchRequest, Changes, Declaration, DeleteDocumentRequest,
    DeleteRequest, DocumentId, Error, ErrorKind, Explanation, FindPage, FindRequest, Index, IndexInfo,
    IndexStats, Key, ListPage, ListRequest, LogPage, Name, Object, ObjectMeta, ObjectWriter, PutRequest,
    ReadRequest, Result, StorageAdapter, StorageBackend, StoredDocument, SweepReport, Timestamp, Version,
    WatchRequest, WriteRequest,
};

/// What happens at the call, and at every later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The process dies before the call has an effect.
    BeforeTheCall,
    /// The process dies before it learns that the call succeeded.
    AfterTheCall,
    /// It lives, and what it reads from there on is damaged.
    Damaged,
}

/// An adapter that lets calls through until a given one.
///
/// Dead, it answers every call with `Unavailable`, so that whatever the code under test does about errors has no effect, as in a
/// process that is gone.
pub struct Faulty {
    inner: Arc<dyn StorageAdapter>,
    calls: AtomicUsize,
    at: usize,
    event: Event,
}

/// What happens at that call.
enum Event {
    Dies(Fault),
    /// Somebody else does this first.
    Meanwhile(Mutex<Option<BoxFuture<'static, ()>>>),
}

impl Faulty {
    /// Goes wrong at call `at`, the first being 0.
    pub fn new(inner: Arc<dyn StorageAdapter>, at: usize, fault: Fault) -> Self {
        Self::with(inner, at, Event::Dies(fault))
    }

    /// Right before call `at` somebody else does this.
    pub fn overtaken(inner: Arc<dyn StorageAdapter>, at: usize, others: BoxFuture<'static, ()>) -> Self {
        Self::with(inner, at, Event::Meanwhile(Mutex::new(Some(others))))
    }

    fn with(inner: Arc<dyn StorageAdapter>, at: usize, event: Event) -> Self {
        Self {
            inner,
            calls: AtomicUsize::new(0),
            at,
            event,
        }
    }

    /// Whether the call was made at which something happens.
    pub fn was_reached(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.at
    }

    async fn call<R>(&self, work: impl Future<Output = Result<R>> + Send) -> Result<R> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match &self.event {
            Event::Meanwhile(others) => {
                let others = others
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take_if(|_| call == self.at);
                if let Some(others) = others {
                    others.await;
                }
                work.await
            }
            Event::Dies(_) if call < self.at => work.await,
            Event::Dies(Fault::AfterTheCall) if call == self.at => {
                work.await?;
                Err(died(Applied::Unknown))
            }
            Event::Dies(Fault::Damaged) => Err(Error::corrupt("the catalog", "it is damaged")),
            Event::Dies(_) => Err(died(Applied::No)),
        }
    }
}

/// A streamed write each piece of which is a call. Where the process dies, it is dropped.
#[derive(Debug)]
struct FaultyWriter {
    faulty: Arc<Faulty>,
    writer: Box<dyn ObjectWriter>,
}

#[async_trait]
impl ObjectWriter for FaultyWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.faulty.call(self.writer.write(bytes)).await
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        let Self { faulty, writer } = *self;
        faulty.call(writer.finish()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { faulty, writer } = *self;
        faulty.call(writer.abort()).await
    }
}

fn died(applied: Applied) -> Error {
    Error::new(ErrorKind::Unavailable, "the process died here").with_applied(applied)
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faulty").field(&self.inner).finish()
    }
}

#[async_trait]
impl StorageBackend for Faulty {
    fn declaration(&self) -> &Declaration {
        self.inner.declaration()
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.call(self.inner.read(area, key, request)).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.call(self.inner.write(area, key, bytes, request)).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.call(self.inner.stat(area, key)).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.call(self.inner.delete(area, key, request)).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.call(self.inner.list(area, request)).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let opening = Arc::clone(&self.inner).open_writer(area, key, request);
        let writer = self.call(opening).await?;
        Ok(Box::new(FaultyWriter {
            faulty: Arc::clone(&self),
            writer,
        }))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.call(self.inner.copy(area, from, to, request)).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.call(self.inner.presign(area, key, valid_for)).await
    }
}

#[async_trait]
impl StorageAdapter for Faulty {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.call(self.inner.put(collection, request)).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.call(self.inner.get(collection, id, now)).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.call(self.inner.get_many(collection, ids, now)).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.call(self.inner.delete_document(collection, request)).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.call(self.inner.put_many(collection, requests)).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.call(self.inner.commit(batch)).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.call(self.inner.find(collection, request)).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.call(self.inner.count(collection, request)).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.call(self.inner.explain(collection, request)).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.call(self.inner.collections(after, limit)).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.call(self.inner.ensure_index(collection, index, now)).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.call(self.inner.drop_index(collection, index)).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.call(self.inner.indexes(collection)).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.call(self.inner.rebuild_index(collection, index, now)).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.call(self.inner.index_stats(collection, index, now)).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.call(self.inner.watch(collection, request)).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.call(self.inner.append(log, request)).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.call(self.inner.read_log(log, from, limit)).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.call(self.inner.close_log(log)).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.call(self.inner.delete_log(log)).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.call(self.inner.logs(after, limit)).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.call(self.inner.sweep(now)).await
    }
}
