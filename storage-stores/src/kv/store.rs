//! [`Kv`]: the store, how it is opened and closed, and how its documents are read and swapped.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use storage_core::bson::RawDocumentBuf;
use storage_core::{
    Capability, Collection, Condition, Error, Objects, PutOptions, Result, Storage, Timestamp, Version,
};

use super::access::Access;
use super::entry::{Entry, Found};
use super::evict;
use super::flight::Flight;
use super::ledger::Ledger;
use super::memory::Memory;
use super::names;
use super::options::{Eviction, KvOptions};
use super::timer::Timer;
use super::value::Values;
use super::write_back::Waiting;
use crate::keyed::Keyed;
use crate::race::unless_lost;

/// One namespace of keys and values on a [`Storage`]. Cheap to clone; clones share one memory and are closed together.
///
/// Dropping a future of any method is safe: an entry has its old value or its new one. Where a write may have happened or not, the error
/// says so ([`Error::applied`]).
///
/// # The size limit
/// Usage is one document a namespace. A handle takes up to a sixteenth of what is free, and at most 16 MiB, from it at once, and spends
/// that in memory. So the limit is never exceeded, by any number of processes; and a handle may be refused while others have set aside
/// that much. What a crashed process had set aside counts as used after ten minutes, until [`align`](Self::align) counts anew.
#[derive(Clone)]
pub struct Kv {
    pub(super) shared: Arc<Shared>,
    pub(super) access: Access,
}

pub(super) struct Shared {
    pub(super) storage: Storage,
    pub(super) options: KvOptions,
    pub(super) values: Values,
    pub(super) memory: Memory,
    pub(super) ledger: Arc<Ledger>,
    pub(super) flights: Keyed<Flight>,
    pub(super) locks: Keyed<tokio::sync::Mutex<()>>,
    pub(super) makers: Keyed<tokio::sync::Mutex<()>>,
    pub(super) waiting: Waiting,
    pub(super) timer: Timer,
    pub(super) audit: Option<storage_layers::AuditLog>,
    /// How many handles left something behind that crashed, as of the opening.
    pub(super) crashed: u64,
}

impl Kv {
    /// Opens a namespace of this storage, makes the indexes it needs, and counts what crashed handles left behind. Reads no values.
    ///
    /// # Errors
    /// `Unsupported` unless documents, indexes and unconditional writes of objects are declared, and logs where an audit trail is asked
    /// for; `InvalidName` and `LimitExceeded` for a namespace that cannot be; `FormatTooNew`; what is said at
    /// [`Sealing`](super::Sealing) where keys do not fit what is there; those of the medium.
    ///
    /// # Panics
    /// Outside a tokio runtime, unless the [interval](KvOptions::cleanup_interval) is zero and nothing is written back.
    pub async fn open(storage: Storage, options: KvOptions) -> Result<Self> {
        storage.require(&[Capability::Documents, Capability::Indexes])?;
        if options.actor.is_some() {
            storage.require(&[Capability::Logs])?;
        }
        let namespace = options.namespace.clone();
        let named = |error: Error| {
            error
                .with_operation("open key-value store")
                .with_backend(storage.declaration().backend.clone())
                .with_key(&namespace)
        };
        names::check_namespace(&storage, &namespace).map_err(named)?;
        let values = Values::open(&storage, &options).await.map_err(named)?;
        let entries: Documents = storage.collection(names::entries(&namespace));
        if options.access.writes() {
            for index in evict::indexes(options.eviction) {
                entries.ensure_index(index).await?;
            }
        }
        let ledger = Arc::new(Ledger::new(storage.clone(), &namespace, options.size_limit));
        let crashed = if options.access.writes() {
            ledger.reclaim().await.map_err(named)?
        } else {
            0
        };
        let tracks_uses =
            matches!(options.eviction, Some(Eviction::Lru | Eviction::Lfu)) && options.access.writes();
        let audit = match &options.actor {
            Some(actor) => {
                let place = Arc::clone(storage.adapter());
                let log = names::audit(&namespace);
                Some(
                    storage_layers::AuditLog::open(place, &log, actor, None)
                        .await
                        .map_err(named)?,
                )
            }
            None => None,
        };
        let shared = Arc::new(Shared {
            memory: Memory::new(options.memory_limit, options.staleness, tracks_uses),
            audit,
            values,
            ledger,
            flights: Keyed::default(),
            locks: Keyed::default(),
            makers: Keyed::default(),
            waiting: Waiting::default(),
            timer: Timer::default(),
            crashed,
            storage,
            options,
        });
        let kv = Self {
            access: shared.options.access,
            shared,
        };
        kv.begin_timers();
        Ok(kv)
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.shared.options.namespace
    }

    /// What this handle may do.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// A handle that may do what this one may, and no more than `access` allows. There is no way back from it.
    #[must_use]
    pub fn narrowed(&self, access: Access) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            access: self.access.and(access),
        }
    }

    /// The options it was opened with.
    pub fn options(&self) -> &KvOptions {
        &self.shared.options
    }

    /// Stores what was acknowledged and is not stored yet, tells the namespace what is used, and closes the storage underneath, with all
    /// its clones. Every later call is `Closed`; closing again is `Ok`.
    ///
    /// # Errors
    /// What could not be stored, released or made durable.
    pub async fn close(&self) -> Result<()> {
        let flushed = self.finish().await;
        let closed = self.shared.storage.close().await;
        flushed.and(closed)
    }

    /// As [`close`](Self::close), and leaves the storage underneath open.
    ///
    /// # Errors
    /// What could not be stored.
    pub async fn finish(&self) -> Result<()> {
        self.shared.timer.end();
        if self
            .shared
            .storage
            .health()
            .await
            .is_err_and(|error| error.kind() == storage_core::ErrorKind::Closed)
        {
            return Ok(());
        }
        if !self.shared.options.access.writes() {
            return Ok(());
        }
        self.store_waiting().await?;
        self.write_uses().await?;
        self.shared.ledger.settle().await
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.shared.storage
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.storage.now()
    }

    pub(super) fn entries(&self) -> Documents {
        self.shared.storage.collection(names::entries(self.namespace()))
    }

    pub(super) fn objects(&self) -> Objects {
        self.shared.storage.objects()
    }

    /// What is stored of a key, expired or not.
    pub(super) async fn find(&self, key: &str) -> Result<Option<Found>> {
        let Some(found) = self.entries().get(key).await? else {
            return Ok(None);
        };
        let entry = Entry::read(key, &found.value)?;
        Ok(Some(Found {
            key: key.to_owned(),
            version: found.version,
            entry,
        }))
    }

    /// Writes the document of a key where this version is, or nothing; `None` when somebody else was faster.
    pub(super) async fn swap(
        &self,
        key: &str,
        expected: Option<&Version>,
        entry: &Entry,
        fence: Option<storage_core::Fence>,
    ) -> Result<Option<Version>> {
        let condition = match expected {
            Some(version) => Condition::IfVersion(version.clone()),
            None => Condition::IfAbsent,
        };
        let mut options = PutOptions::new().condition(condition);
        if let Some(fence) = fence {
            options = options.fence(fence);
        }
        unless_lost(self.entries().put_with(key, &entry.write()?, options).await)
    }

    /// Deletes the document of a key where this version is; `None` when somebody else was faster.
    pub(super) async fn remove(&self, key: &str, expected: &Version) -> Result<Option<()>> {
        unless_lost(self.entries().delete_if(key, expected.clone()).await)
    }

    /// Says in an error of this store's own what was being done, and to what; core says it in its own.
    pub(super) fn named(&self, error: Error, operation: impl Into<Cow<'static, str>>, key: &str) -> Error {
        let error = error
            .with_operation(operation)
            .with_backend(self.shared.storage.declaration().backend.clone());
        let error = if key.is_empty() {
            error
        } else {
            error.with_key(key)
        };
        error.with_context("namespace", self.namespace())
    }

    pub(super) fn check_key(&self, key: &str) -> Result<()> {
        names::check_key(self.storage(), self.namespace(), key)
    }
}

/// Documents as bytes: what is damaged is told apart from what is not there.
pub(super) type Documents = Collection<RawDocumentBuf>;

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv")
            .field("storage", &self.shared.storage)
            .field("namespace", &self.namespace())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
