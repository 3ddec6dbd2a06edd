//! [`Entities`]: the store, and what its parts share.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use storage_core::bson::RawDocumentBuf;
use storage_core::{Collection, DocumentId, Error, Index, Result, Storage};
use tokio::sync::{Mutex, OnceCell};

use super::cache::{Cache, CacheStats};
use super::entity::Entity;
use super::ids::Ids;
use super::options::EntityOptions;
use super::read::Flight;
use crate::keyed::Keyed;

/// The entities of one type on a [`Storage`].
///
/// Cheap to clone, and clones share one cache and one queue for each entity: make it once and clone it. Dropping a future of any method
/// is safe: the operation then happened completely or not at all.
pub struct Entities<T> {
    pub(super) shared: Arc<Shared>,
    types: PhantomData<fn() -> T>,
}

pub(super) struct Shared {
    pub(super) storage: Storage,
    pub(super) options: EntityOptions,
    pub(super) documents: Collection<RawDocumentBuf>,
    pub(super) cache: Cache,
    /// Reads of what is not in the cache: one at a time for each id.
    pub(super) flights: Keyed<Flight>,
    /// Updates: one at a time for each id, in the order they came.
    pub(super) updates: Keyed<Mutex<()>>,
    /// Who holds the lock of an id in this process, and who waits.
    pub(super) locks: Keyed<Mutex<()>>,
    /// The stamp of a new entity.
    pub(super) latest: Option<String>,
    ids: Ids,
    /// Set once the indexes of the type are there.
    indexed: OnceCell<()>,
    /// Definitions known to be there, so that a question by index costs no look at the catalog.
    pub(super) known: RwLock<Vec<Index>>,
}

impl<T: Entity> Entities<T> {
    /// The store on this storage.
    pub fn new(storage: Storage) -> Self {
        Self::with_options(storage, EntityOptions::new())
    }

    /// The store on this storage, with options.
    pub fn with_options(storage: Storage, options: EntityOptions) -> Self {
        let latest = options
            .migrations
            .as_ref()
            .and_then(|known| known.latest(T::COLLECTION));
        let shared = Shared {
            latest: latest.map(|version| version.to_string()),
            documents: storage.collection(T::COLLECTION),
            storage,
            cache: Cache::new(&options),
            options,
            flights: Keyed::default(),
            updates: Keyed::default(),
            locks: Keyed::default(),
            ids: Ids::default(),
            indexed: OnceCell::new(),
            known: RwLock::default(),
        };
        Self {
            shared: Arc::new(shared),
            types: PhantomData,
        }
    }

    /// The storage underneath.
    pub fn storage(&self) -> &Storage {
        &self.shared.storage
    }

    /// An id as [`create`](Self::create) gives it: a UUID of version 7, so ids order by the time they were made, and are unique without
    /// asking anybody.
    ///
    /// # Errors
    /// None as it is; an id is a name, and names are checked.
    pub fn generate_id(&self) -> Result<DocumentId> {
        self.shared.ids.next(self.shared.storage.now())
    }

    /// Forgets what is in the cache: the next reads look.
    pub fn clear_cache(&self) {
        self.shared.cache.clear();
    }

    /// How the cache stands.
    pub async fn cache_stats(&self) -> CacheStats {
        self.shared.cache.stats().await
    }

    /// Makes the indexes of the type, once. A failure is the caller's, and the next call tries again.
    pub(super) async fn ensure_indexes(&self) -> Result<()> {
        let ensure = || async {
            for index in T::indexes() {
                self.shared.documents.ensure_index(index.clone()).await?;
                self.remember_index(index);
            }
            Ok(())
        };
        self.shared.indexed.get_or_try_init(ensure).await?;
        Ok(())
    }

    pub(super) fn remember_index(&self, index: Index) {
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.name != index.name);
        known.push(index);
    }

    pub(super) fn forget_index(&self, index: &str) {
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.name != index);
    }

    /// Says in an error of this store's own what was being done, and to what; core says it in its own.
    pub(super) fn named(&self, error: Error, operation: impl Into<Cow<'static, str>>, id: &str) -> Error {
        let key = if id.is_empty() {
            T::COLLECTION.to_owned()
        } else {
            format!("{}/{id}", T::COLLECTION)
        };
        error
            .with_operation(operation)
            .with_backend(self.shared.storage.declaration().backend.clone())
            .with_key(key)
    }
}

impl<T> Clone for Entities<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            types: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Entities<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities")
            .field("documents", &self.shared.documents)
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
