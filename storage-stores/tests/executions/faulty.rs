//! Adapters that make the unlikely happen at a given call: that the process dies there, or that somebody else comes between.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::*;

use crate::place::Place;

/// Whether the call it dies at still has its effect.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    BeforeTheCall,
    AfterTheCall,
    /// Not dead, but what it reads from there on is damaged.
    Damaged,
}

struct Faulty {
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

/// Runs `attempt` with a storage that dies at call 0, then at call 1, and so on, until it says that it got through. Gives how many
/// calls that took.
pub(crate) async fn each_call(
    place: &Place,
    fault: Fault,
    mut attempt: impl AsyncFnMut(Storage, usize) -> bool,
) -> usize {
    for at in 0..1_000 {
        let faulty = Faulty {
            inner: place.adapter().await,
            calls: AtomicUsize::new(0),
            at,
            event: Event::Dies(fault),
        };
        if attempt(Storage::new(faulty), at).await {
            return at;
        }
    }
    panic!("it never gets through");
}

/// Runs `attempt` with a storage whose caller is overtaken by `others` right before call 0, then before call 1, and so on, until
/// it makes no such call. Gives how many there were.
pub(crate) async fn each_interruption(
    place: &Place,
    others: impl Fn() -> BoxFuture<'static, ()>,
    mut attempt: impl AsyncFnMut(Storage, usize),
) -> usize {
    for at in 0..1_000 {
        let faulty = Arc::new(Faulty {
            inner: place.adapter().await,
            calls: AtomicUsize::new(0),
            at,
            event: Event::Meanwhile(Mutex::new(Some(others()))),
        });
        attempt(Storage::from_arc(faulty.clone()), at).await;
        if faulty.calls.load(Ordering::SeqCst) <= at {
            return at;
        }
    }
    panic!("it never stops calling");
}

fn died(applied: Applied) -> Error {
    Error::new(ErrorKind::Unavailable, "the process died here").with_applied(applied)
}

impl Faulty {
    async fn call<R>(&self, work: impl Future<Output = Result<R>> + Send) -> Result<R> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match &self.event {
            Event::Meanwhile(others) => {
                if call == self.at {
                    let others = others.lock().unwrap().take().unwrap();
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

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
