//! [`Storage`]: what users hold. Every check that can stand above a backend stands here.

mod batch;
mod call;
mod collection;
mod counters;
mod cursor;
mod lease;
mod log;
mod objects;
mod reader;
mod watch;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub use self::batch::Batch;
pub use self::collection::{Collection, Document, PutOptions};
pub use self::counters::Counters;
pub use self::cursor::{Found, Page};
pub use self::lease::{Fence, KeepAlive, Lease, LeaseInfo, LeaseRequest};
pub use self::log::{Follow, Log, LogEntries};
pub use self::objects::{ListObjects, Objects, WriteOptions};
pub use self::reader::ObjectReader;
pub use self::writer::ObjectUpload;
use crate::adapter::{StorageAdapter, SweepReport};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::declaration::{Capability, Declaration, DocumentsDeclaration, LogsDeclaration};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Name;
use crate::version::Version;

/// Storage on some backend: objects, documents with indexes, logs and leases.
///
/// Cheap to clone; clones share one connection and are closed together. Names are validated and limits checked before the
/// backend sees them, and what the backend does not declare is refused with `Unsupported`.
///
/// Dropping a future of any method is safe: the operation happens completely or not at all. It may still be on its way, and land
/// after something that was written later; where that matters, write under a condition.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    adapter: Arc<dyn StorageAdapter>,
    declaration: Declaration,
    clock: Arc<dyn Clock>,
    latest: AtomicI64,
    closed: AtomicBool,
    /// Wakes who waits for the end.
    ended: Notify,
    counters: counters::Counting,
    /// For each lease held by somebody else: the state seen, and since when it has not changed.
    watched: Mutex<HashMap<Name, (Version, Duration)>>,
}

impl Storage {
    /// Storage on this adapter. Most users call `storage_factory::open` instead.
    pub fn new(adapter: impl StorageAdapter) -> Self {
        Self::from_arc(Arc::new(adapter))
    }

    /// Storage on an adapter that is shared already.
    pub fn from_arc(adapter: Arc<dyn StorageAdapter>) -> Self {
        Self::with_clock(adapter, Arc::new(SystemClock))
    }

    /// Storage that reads time from `clock`, for tests.
    pub fn with_clock(adapter: Arc<dyn StorageAdapter>, clock: Arc<dyn Clock>) -> Self {
        let declaration = adapter.declaration().clone();
        let inner = Inner {
            adapter,
            declaration,
            clock,
            latest: AtomicI64::new(i64::MIN),
            closed: AtomicBool::new(false),
            ended: Notify::new(),
            counters: counters::Counting::default(),
            watched: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Refuses to go on unless every capability is declared: for programs that cannot do without.
    ///
    /// # Errors
    /// `Unsupported` naming what is missing.
    pub fn require(&self, capabilities: &[Capability]) -> Result<()> {
        for capability in capabilities {
            self.require_one(*capability)
                .map_err(|error| self.stamped(error, "open storage", ""))?;
        }
        Ok(())
    }

    /// What the backend can do.
    pub fn declaration(&self) -> &Declaration {
        &self.inner.declaration
    }

    /// The adapter underneath, without any of the checks: for layers and the conformance suite.
    pub fn adapter(&self) -> &Arc<dyn StorageAdapter> {
        &self.inner.adapter
    }

    /// Objects: bytes under keys.
    pub fn objects(&self) -> Objects {
        Objects::new(self.clone())
    }

    /// Documents of type `T` in the collection of this name. It comes to be with its first document or index.
    ///
    /// A name that cannot be is reported by the first call that uses it. Names that begin with `_storage.` are the library's own.
    pub fn collection<T>(&self, name: impl AsRef<str>) -> Collection<T> {
        Collection::new(self.clone(), name.as_ref())
    }

    /// The log of this name. It comes to be with its first entry.
    pub fn log(&self, name: impl AsRef<str>) -> Log {
        Log::new(self.clone(), name.as_ref())
    }

    /// A request for the lease of this name: a lock that expires after `ttl` unless renewed. 10 ms to 7 days.
    pub fn lease(&self, name: impl AsRef<str>, ttl: Duration) -> LeaseRequest {
        LeaseRequest::new(self.clone(), name.as_ref(), ttl)
    }

    /// Documents to write and delete all together or not at all, where `atomic-batch` is declared.
    pub fn batch(&self) -> Batch {
        Batch::new(self.clone())
    }

    /// The names of collections, in byte order.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn collections(&self) -> Result<Vec<Name>> {
        self.call("list collections", "", async {
            self.require_one(Capability::Documents)?;
            let mut names: Vec<Name> = Vec::new();
            let mut after: Option<Name> = None;
            loop {
                let page = self
                    .inner
                    .adapter
                    .collections(after.as_ref(), NAMES_PER_PAGE)
                    .await?;
                let Some(last) = page.last() else { return Ok(names) };
                after = Some(last.clone());
                names.extend(page.into_iter().filter(|name| !collection::is_reserved(name)));
            }
        })
        .await
    }

    /// The names of logs, in byte order.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn logs(&self) -> Result<Vec<Name>> {
        self.call("list logs", "", async {
            self.require_one(Capability::Logs)?;
            let mut names: Vec<Name> = Vec::new();
            loop {
                let page = self.inner.adapter.logs(names.last(), NAMES_PER_PAGE).await?;
                if page.is_empty() {
                    return Ok(names);
                }
                names.extend(page);
            }
        })
        .await
    }

    /// Housekeeping beside readers and writers: purges expired documents, sweeps what crashed writers left. It never changes
    /// what anybody can read; run it now and then.
    ///
    /// # Errors
    /// Those of the medium; what was done stays done.
    pub async fn sweep(&self) -> Result<SweepReport> {
        self.call("sweep", "", self.inner.adapter.sweep(self.now())).await
    }

    /// Whether the medium answers now.
    ///
    /// # Errors
    /// What stands in the way; `Closed` after [`close`](Self::close).
    pub async fn health(&self) -> Result<()> {
        self.call("check health", "", self.inner.adapter.health()).await
    }

    /// Ends the work of this storage and all its clones: waits for what is under way and releases files and connections.
    /// Every later call is `Closed`; closing again is `Ok`.
    ///
    /// # Errors
    /// What could not be released or made durable.
    pub async fn close(&self) -> Result<()> {
        if self.inner.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.inner.ended.notify_waiters();
        self.inner
            .adapter
            .close()
            .await
            .map_err(|error| self.stamped(error, "close storage", ""))
    }

    /// How many calls were made and how they ended.
    pub fn counters(&self) -> Counters {
        self.inner.counters.snapshot()
    }

    /// What time it is by this storage's clock. It never steps back within this storage and its clones.
    pub fn now(&self) -> Timestamp {
        let now = self.inner.clock.now().as_millis();
        let latest = &self.inner.latest;
        // Within a millisecond of another call there is nothing to write down, and threads need not take turns.
        let before = match latest.load(Ordering::Acquire) {
            before if before >= now => before,
            _ => latest.fetch_max(now, Ordering::AcqRel),
        };
        Timestamp::from_millis(now.max(before))
    }

    pub(crate) fn documents_section(&self) -> Result<&DocumentsDeclaration> {
        let declaration = &self.inner.declaration;
        let section = declaration.documents.as_ref();
        section.ok_or_else(|| declaration.unsupported(Capability::Documents))
    }

    pub(crate) fn logs_section(&self) -> Result<&LogsDeclaration> {
        let declaration = &self.inner.declaration;
        let section = declaration.logs.as_ref();
        section.ok_or_else(|| declaration.unsupported(Capability::Logs))
    }

    pub(crate) fn require_one(&self, capability: Capability) -> Result<()> {
        self.inner.declaration.require(capability)
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Name, (Version, Duration)>> {
        self.inner.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many names one page of a listing asks for; a page of S3's size.
const NAMES_PER_PAGE: usize = 1000;

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("backend", &self.inner.declaration.backend)
            .field("closed", &self.inner.closed)
            .finish_non_exhaustive()
    }
}

/// Refuses with the limit named.
pub(crate) fn check_limit(what: &'static str, limit: u64, got: usize) -> Result<()> {
    if got as u64 > limit {
        return Err(Error::limit_exceeded(what, limit, got as u64));
    }
    Ok(())
}

/// What a closed storage answers.
fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the storage was closed; open it again")
}
