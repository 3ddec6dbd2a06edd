//! [`Cache`]: what was read stays at hand, and never longer than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use storage_core::{
    Area, BatchOperation, BatchRequest, Changes, Consistency, Declaration, DeleteDocumentRequest,
    DeleteRequest, DocumentId, ErrorKind, Key, Name, Object, ObjectMeta, ObjectWriter, PutRequest,
    ReadRequest, Result, StorageAdapter, StorageBackend, StoredDocument, Timestamp, Version, WatchRequest,
    WriteRequest,
};

use crate::forward::forward;

mod disk;
mod flights;
mod shelf;
mod upload;

use self::disk::Disk;
use self::flights::Flights;
use self::shelf::{AtHand, Found, Shelf, Slot};

/// Keeps whole objects and documents that were read by key, in memory and, if wanted, on a disk of its own.
///
/// # What is promised
/// - After a write through this layer has ended, however it ended, what was there before it is never given again.
/// - What others wrote is seen after [`max_age`](CacheOptions::max_age) at the latest, counted from before the read that is remembered. At
///   0, the default, every read of an object asks below whether it changed (`unless_version`), which spares its bytes and gives up nothing:
///   the declared consistency stays what it is below. Above 0 the declaration says `Eventual` with the bound, and documents are kept too.
/// - A change that is [watched](storage_core::Collection::watch) through this layer is forgotten before it is told: who reads the document
///   then sees it.
/// - Where a read may be answered from memory, many that miss at once are one read below.
/// - Memory and disk hold no more bytes than they may.
///
/// Conditional reads, writes, guards, lists, queries and logs always go below. So do ranges of what is not kept whole, and the library's own
/// collections (`_storage.…`), so that leases are never a matter of age. A write whose answer was lost may come late: what is read before it
/// comes is kept for `max_age`.
///
/// # What it costs
/// Memory. It belongs below what seals and compresses, so that it holds more and no plain text lies on its disk, and above quotas and
/// retries. Under the overlay only users' objects are kept.
#[derive(Debug)]
pub struct Cache<A: ?Sized> {
    options: CacheOptions,
    declaration: Declaration,
    shelf: Arc<Shelf>,
    disk: Option<Disk>,
    flights: Flights,
    counters: Counters,
    inner: Arc<A>,
}

/// How much is kept, and how long it is believed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CacheOptions {
    /// The most bytes in memory, names and bookkeeping included; 64 MiB.
    pub memory_bytes: u64,
    /// The largest object or document kept; 4 MiB, and never more than an eighth of the memory.
    pub entry_bytes: u64,
    /// How long something is given without asking whether it changed; 0, which always asks.
    pub max_age: Duration,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            memory_bytes: 64 * 1024 * 1024,
            entry_bytes: 4 * 1024 * 1024,
            max_age: Duration::ZERO,
        }
    }
}

/// What a [`Cache`] did so far, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CacheStats {
    /// Reads answered without asking below.
    pub hits: u64,
    /// Reads below that gave only the answer that nothing had changed.
    pub validated: u64,
    /// Of those, how many were about bytes from the disk.
    pub from_disk: u64,
    /// Reads below that brought bytes, or nothing.
    pub misses: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes on the disk.
    pub disk_bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    validated: AtomicU64,
    from_disk: AtomicU64,
    misses: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl<A: StorageBackend> Cache<A> {
    /// This adapter, remembered in memory.
    pub fn new(inner: A, options: CacheOptions) -> Self {
        Self {
            declaration: declare(inner.declaration(), options.max_age),
            shelf: Arc::new(Shelf::new(options.memory_bytes)),
            disk: None,
            flights: Flights::default(),
            counters: Counters::default(),
            inner: Arc::new(inner),
            options,
        }
    }

    /// Keeps objects also on this backend, at most so many bytes, which must be for this cache alone and may be emptied at any time. What
    /// is read from it is always checked: its bytes by their hash, and by asking below whether they are still what is there.
    ///
    /// # Errors
    /// Those of the backend, which is listed once.
    pub async fn with_disk(mut self, backend: Arc<dyn StorageBackend>, bytes: u64) -> Result<Self> {
        self.disk = Some(Disk::open(backend, bytes).await?);
        Ok(self)
    }

    /// What it did so far, and what it holds.
    pub async fn stats(&self) -> CacheStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&self.counters.hits),
            validated: read(&self.counters.validated),
            from_disk: read(&self.counters.from_disk),
            misses: read(&self.counters.misses),
            memory_bytes: self.shelf.bytes(),
            disk_bytes: match &self.disk {
                Some(disk) => disk.bytes().await,
                None => 0,
            },
        }
    }

    fn entry_bytes(&self) -> u64 {
        self.options.entry_bytes.min(self.options.memory_bytes / 8)
    }

    /// What is kept and may be given without asking.
    fn at_hand(&self, slot: &Slot) -> Option<AtHand> {
        let found = self.shelf.get(slot, self.options.max_age)?;
        if !matches!(*found, Found::Large) {
            count(&self.counters.hits);
        }
        Some(found)
    }

    async fn read_whole(&self, key: &Key) -> Result<Option<Object>> {
        let slot = Slot::Object(key.clone());
        if self.options.max_age.is_zero() {
            return self.fetch(&slot, key).await;
        }
        let _flight = self.flights.join(&slot).await;
        match self.at_hand(&slot).as_deref() {
            Some(Found::Object(object)) => Ok(Some(object.clone())),
            Some(Found::Absent) => Ok(None),
            _ => self.fetch(&slot, key).await,
        }
    }

    /// Asks below, only for news where something is kept.
    async fn fetch(&self, slot: &Slot, key: &Key) -> Result<Option<Object>> {
        let read = self.shelf.reading(slot);
        let kept = match self.shelf.peek(slot) {
            Some(object) => Some((object, false)),
            None => self.on_disk(key).await.map(|object| (object, true)),
        };
        let mut request = ReadRequest::default();
        request.unless_version = kept.as_ref().map(|(object, _)| object.meta.version.clone());
        match (self.inner.read(Area::Objects, key, request).await, kept) {
            (Err(error), Some((object, from_disk))) if error.kind() == ErrorKind::NotModified => {
                count(&self.counters.validated);
                if from_disk {
                    count(&self.counters.from_disk);
                }
                self.shelf.keep(slot, read, Found::Object(object.clone()));
                Ok(Some(object))
            }
            (Ok(Some(object)), _) => {
                count(&self.counters.misses);
                let small = object.bytes.len() as u64 <= self.entry_bytes();
                if small && let Some(disk) = &self.disk {
                    disk.keep(key, &object).await;
                }
                let found = if small {
                    Found::Object(object.clone())
                } else {
                    Found::Large
                };
                self.shelf.keep(slot, read, found);
                Ok(Some(object))
            }
            (Ok(None), _) => {
                count(&self.counters.misses);
                self.shelf.keep(slot, read, Found::Absent);
                Ok(None)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn on_disk(&self, key: &Key) -> Option<Object> {
        self.disk.as_ref()?.get(key).await
    }

    fn writing(&self, area: Area, key: &Key) -> Option<shelf::Writing<'_>> {
        (area == Area::Objects).then(|| self.shelf.writing(Slot::Object(key.clone())))
    }
}

fn declare(inner: &Declaration, max_age: Duration) -> Declaration {
    let mut declaration = inner.clone();
    if max_age.is_zero() {
        return declaration;
    }
    let later = |consistency: Consistency| match consistency {
        Consistency::Eventual { bound } => Consistency::Eventual {
            bound: bound + max_age,
        },
        _ => Consistency::Eventual { bound: max_age },
    };
    declaration.objects.consistency = later(declaration.objects.consistency);
    if let Some(documents) = &mut declaration.documents {
        documents.consistency = later(documents.consistency);
    }
    declaration
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Cache<A> {
    forward! { inner: list, presign, health }

    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let conditional = request.if_version.is_some() || request.unless_version.is_some();
        if area != Area::Objects || conditional {
            return self.inner.read(area, key, request).await;
        }
        let large = match self.at_hand(&Slot::Object(key.clone())).as_deref() {
            Some(Found::Object(object)) => {
                return Object::answer(object.meta.clone(), &object.bytes, &request).map(Some);
            }
            Some(Found::Absent) => return Ok(None),
            found => matches!(found, Some(Found::Large)),
        };
        if large || request.range.is_some() {
            return self.inner.read(area, key, request).await;
        }
        // In a box of its own, so that the future of a hit is small.
        Box::pin(self.read_whole(key)).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        let _writing = self.writing(area, key);
        self.inner.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        if area == Area::Objects {
            match self.at_hand(&Slot::Object(key.clone())).as_deref() {
                Some(Found::Object(object)) => return Ok(Some(object.meta.clone())),
                Some(Found::Absent) => return Ok(None),
                _ => {}
            }
        }
        self.inner.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        let _writing = self.writing(area, key);
        self.inner.delete(area, key, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let writer = Arc::clone(&self.inner).open_writer(area, key, request).await?;
        if area != Area::Objects {
            return Ok(writer);
        }
        Ok(upload::over(self, Slot::Object(key.clone()), writer))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        let _writing = self.writing(area, to);
        self.inner.copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let _writing: Vec<_> = keys.iter().map(|key| self.writing(area, key)).collect();
        self.inner.delete_many(area, keys).await
    }

    /// Closes what is below, and the disk, also when the first fails.
    async fn close(&self) -> Result<()> {
        let closed = self.inner.close().await;
        match &self.disk {
            Some(disk) => closed.and(disk.close().await),
            None => closed,
        }
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Cache<A> {
    forward! { inner:
        get_many, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats,
        append, read_log, close_log, delete_log, logs, sweep
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        let changes = self.inner.watch(collection, request).await?;
        let (shelf, collection) = (Arc::clone(&self.shelf), collection.clone());
        let forgotten = changes.inspect(move |change| {
            if let Ok(change) = change {
                shelf.written(&Slot::document(&collection, &change.id));
            }
        });
        Ok(forgotten.boxed())
    }

    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        let _writing = self.shelf.writing(Slot::document(collection, &request.id));
        self.inner.put(collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        if self.options.max_age.is_zero() || collection.as_str().starts_with("_storage.") {
            return self.inner.get(collection, id, now).await;
        }
        let slot = Slot::document(collection, id);
        if let Some(answer) = self.document_at_hand(&slot, now) {
            return Ok(answer);
        }
        let _flight = self.flights.join(&slot).await;
        if let Some(answer) = self.document_at_hand(&slot, now) {
            return Ok(answer);
        }
        let read = self.shelf.reading(&slot);
        let answer = self.inner.get(collection, id, now).await?;
        count(&self.counters.misses);
        let found = match &answer {
            None => Found::Absent,
            Some(document) if document.body.as_bytes().len() as u64 > self.entry_bytes() => Found::Large,
            Some(document) => Found::Document(document.clone()),
        };
        self.shelf.keep(&slot, read, found);
        Ok(answer)
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        let _writing = self.shelf.writing(Slot::document(collection, &request.id));
        self.inner.delete_document(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let slots = requests
            .iter()
            .map(|request| Slot::document(collection, &request.id));
        let _writing: Vec<_> = slots.map(|slot| self.shelf.writing(slot)).collect();
        self.inner.put_many(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        let slots = batch
            .operations
            .iter()
            .map(|(collection, operation)| match operation {
                BatchOperation::Put(request) => Slot::document(collection, &request.id),
                BatchOperation::Delete(request) => Slot::document(collection, &request.id),
            });
        let _writing: Vec<_> = slots.map(|slot| self.shelf.writing(slot)).collect();
        self.inner.commit(batch).await
    }
}

impl<A: StorageAdapter> Cache<A> {
    /// What is kept of a document, unless it expired meanwhile.
    fn document_at_hand(&self, slot: &Slot, now: Timestamp) -> Option<Option<StoredDocument>> {
        match &*self.at_hand(slot)? {
            Found::Absent => Some(None),
            Found::Document(document) => {
                let live = document.expires_at.is_none_or(|at| at > now);
                live.then(|| Some(document.clone()))
            }
            _ => None,
        }
    }
}
