//! [`Quota`]: how much may be kept, refused before it is too much.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, Area, BatchRequest, Capability, Condition, Declaration, DeleteDocumentRequest,
    DeleteRequest, Error, Key, Name, ObjectMeta, ObjectWriter, PutRequest, Result, StorageAdapter,
    StorageBackend, Support, Version, WriteRequest,
};

use crate::forward::forward;

mod amount;
mod documents;
mod ledger;
mod record;
mod recount;
mod upload;

pub use self::amount::{QuotaLimits, Usage};
use self::ledger::{Ledger, Ticket, lost};

/// Refuses with `NoSpace` what would go past a limit of bytes, objects or documents, before it has an effect. The message and the context
/// (`quota`, `limit`, `used`, `needed`) say which and how far.
///
/// # What is promised
/// - What is kept never goes past a limit, with any number of handles and processes at once, as long as every writer goes through a quota
///   of the same limits: room is taken before anything is written.
/// - Usage survives a restart: it is a document in the collection `_storage.quota`. It is never told too low, but for one case: a write
///   whose caller went away, or which took longer than half of [`abandoned_after`](QuotaOptions::abandoned_after), and that happens only
///   after a recount has passed its place. The next recount finds it.
/// - It may be told too high. A crash leaves the share the handle had taken; documents that expired, logs that were deleted, what a
///   streamed write replaced and, where `delete-if` is not declared, deleted objects are not taken off at once. A [`recount`](Self::recount)
///   puts that right, beside writers; one is made before anything is refused, at most once in
///   [`recount_at_most_every`](QuotaOptions::recount_at_most_every).
/// - Several handles leave each other a little less than everything: each holds up to a sixteenth of what is left, and no more than
///   [`share`](QuotaOptions::share).
///
/// # What is counted
/// Bytes of objects, of documents' bodies and of log entries as they come from above; not names, indexes, or collections that begin with
/// `_storage.`, where leases are.
///
/// # What it costs
/// A look at what is there before each write and delete, which is then bound to what was seen and done again where somebody else was
/// first; a write of the record now and then. Copies inside the medium are not offered, since their size is not known before.
///
/// Right above a [`Namespace`](crate::Namespace) it is that namespace's quota. It belongs below a cache, which may show what is past.
#[derive(Debug)]
pub struct Quota<A> {
    declaration: Declaration,
    ledger: Arc<Ledger>,
    inner: Arc<A>,
}

/// How a quota is kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QuotaOptions {
    /// What may be kept.
    pub limits: QuotaLimits,
    /// The most a handle takes for itself at once beyond what it needs: 1 MiB, 256 objects and 256 documents. More means fewer writes
    /// of the record, and more that is told as used after a crash.
    pub share: Usage,
    /// A recount takes back shares that were not confirmed for so long; 1 hour.
    pub abandoned_after: Duration,
    /// Before a refusal it is counted anew, but not more often than this; 1 minute.
    pub recount_at_most_every: Duration,
}

impl QuotaOptions {
    /// These limits, and everything else as it usually is.
    pub const fn new(limits: QuotaLimits) -> Self {
        Self {
            limits,
            share: Usage {
                bytes: 1024 * 1024,
                objects: 256,
                documents: 256,
            },
            abandoned_after: Duration::from_secs(60 * 60),
            recount_at_most_every: Duration::from_secs(60),
        }
    }
}

impl<A: StorageAdapter> Quota<A> {
    /// This adapter, with limits. What is there already is counted when there is no record yet.
    ///
    /// # Errors
    /// `Unsupported` where the adapter has no documents, or no conditional writes of objects; those of the adapter.
    pub async fn open(inner: A, options: QuotaOptions) -> Result<Self> {
        let declaration = inner.declaration();
        for needed in [
            Capability::CompareAndSwap,
            Capability::CreateIfAbsent,
            Capability::Documents,
        ] {
            declaration.require(needed)?;
        }
        let quota = Self {
            declaration: declare(declaration),
            ledger: Arc::new(Ledger::new(options)),
            inner: Arc::new(inner),
        };
        let (_, condition) = ledger::read(&*quota.inner, quota.ledger.clock()).await?;
        if condition == Condition::IfAbsent {
            quota.recount().await?;
        }
        Ok(quota)
    }

    /// What is used, and reserved by whoever is writing.
    ///
    /// # Errors
    /// Those of the adapter; `Corrupt` where the record cannot be read.
    pub async fn usage(&self) -> Result<Usage> {
        self.ledger.usage(&*self.inner).await
    }

    /// Counts everything anew, while others write, and gives what is used now. It reads every document and log and lists every object.
    ///
    /// # Errors
    /// Those of the adapter; the record is then as it was.
    pub async fn recount(&self) -> Result<Usage> {
        recount::recount(&self.ledger, &*self.inner).await?;
        self.usage().await
    }

    async fn take(&self, need: Usage) -> Result<Ticket> {
        if need == Usage::default() {
            return Ok(self.ledger.nothing());
        }
        self.ledger.take(&*self.inner, need).await
    }
}

fn declare(inner: &Declaration) -> Declaration {
    let mut declaration = inner.clone();
    if declaration.objects.copy.is_present() {
        declaration.objects.copy = Support::Absent;
        let reason = "a quota must know a size before it lets it be written; read and write instead";
        declaration.reasons.insert(Capability::Copy, reason.into());
    }
    declaration
}

/// A write bound to what was seen, so that what it adds and takes away is known exactly.
struct Pinned {
    condition: Condition,
    adds: Usage,
    frees: Usage,
}

impl Pinned {
    /// `None` of `before` is nothing there. A condition that does not hold is decided at once.
    fn new(condition: &Condition, before: Option<(&Version, Usage)>, after: Usage) -> Result<Self> {
        condition.check(before.map(|(version, _)| version))?;
        let (condition, old) = match before {
            None => (Condition::IfAbsent, Usage::default()),
            Some((version, old)) => (Condition::IfVersion(version.clone()), old),
        };
        Ok(Self {
            condition,
            adds: after.minus(old),
            frees: old.minus(after),
        })
    }
}

/// Whether it is to be tried again: the caller set no condition, and it was ours that did not hold.
fn ours_was_lost(asked: &Condition, error: &Error) -> bool {
    *asked == Condition::Always && lost(error) && !error.is_guard_failed()
}

fn size(meta: &ObjectMeta) -> (&Version, Usage) {
    (&meta.version, Usage::object(meta.size))
}

#[async_trait]
impl<A: StorageAdapter> StorageBackend for Quota<A> {
    forward! { inner: read, stat, list, presign, health }

    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        if area != Area::Objects {
            return self.inner.write(area, key, bytes, request).await;
        }
        loop {
            let before = self.inner.stat(area, key).await?;
            let after = Usage::object(bytes.len() as u64);
            let pinned = Pinned::new(&request.condition, before.as_ref().map(size), after)?;
            let ticket = self.take(pinned.adds).await?;
            let mut bound = request.clone();
            bound.condition = pinned.condition;
            let answer = self.inner.write(area, key, bytes.clone(), bound).await;
            ticket.settle(&answer, pinned.frees);
            match answer {
                Err(error) if ours_was_lost(&request.condition, &error) => {}
                answer => return answer,
            }
        }
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        let counted = area == Area::Objects && self.inner.declaration().objects.delete_if.is_present();
        if !counted {
            return self.inner.delete(area, key, request).await;
        }
        loop {
            let ticket = self.ledger.nothing();
            let before = self.inner.stat(area, key).await?;
            let Some((version, old)) = before.as_ref().map(size) else {
                ticket.settle_part(Usage::default(), Usage::default());
                return self.inner.delete(area, key, request).await;
            };
            let expected = request.if_version.as_ref().unwrap_or(version);
            let freed = if expected == version {
                old
            } else {
                Usage::default()
            };
            let answer = self
                .inner
                .delete(area, key, DeleteRequest::if_version(expected.clone()))
                .await;
            ticket.settle(&answer, freed);
            match answer {
                Err(error) if request.if_version.is_none() && lost(&error) => {}
                answer => return answer,
            }
        }
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let inner = Arc::clone(&self.inner);
        if area != Area::Objects {
            return inner.open_writer(area, key, request).await;
        }
        upload::open(&self, inner, key, request).await
    }

    async fn copy(&self, _: Area, _: &Key, _: &Key, _: WriteRequest) -> Result<Option<Version>> {
        Err(self.declaration.unsupported(Capability::Copy))
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let counted = area == Area::Objects && self.inner.declaration().objects.delete_if.is_present();
        if !counted {
            return self.inner.delete_many(area, keys).await;
        }
        let mut results = Vec::with_capacity(keys.len());
        for key in keys {
            results.push(self.delete(area, key, DeleteRequest::default()).await);
        }
        Ok(results)
    }

    /// Accounts for what was written and gives the share back, then closes what is below, also when that failed.
    async fn close(&self) -> Result<()> {
        let settled = self.ledger.settle(&*self.inner).await;
        self.inner.close().await.and(settled)
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Quota<A> {
    forward! { inner:
        get, get_many, find, count, explain,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch,
        read_log, close_log, delete_log, logs, sweep
    }

    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.put_counted(collection, request).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.delete_counted(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.put_many_counted(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.commit_counted(batch).await
    }

    /// Without the record's own.
    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        // One more than asked for, so that leaving one out never makes a page look like the last.
        let names = self.inner.collections(after, limit.saturating_add(1)).await?;
        let others = names
            .into_iter()
            .filter(|name| name.as_str() != record::COLLECTION);
        Ok(others.take(limit).collect())
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        let bytes = request.entries.iter().map(|entry| entry.len() as u64).sum();
        let ticket = self.take(Usage::bytes(bytes)).await?;
        let answer = self.inner.append(log, request).await;
        ticket.settle(&answer, Usage::default());
        answer
    }
}
