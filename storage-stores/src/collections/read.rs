//! Reading by id, through the cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use storage_core::{DocumentId, Result};
use tokio::sync::Mutex;

use super::cache::ReadAt;
use super::entities::{Entities, Shared};
use super::entity::{Entity, Stored};
use super::record::Record;

/// One id that several want and one reads.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// How many reads are over.
    landed: AtomicU64,
    last: Mutex<Option<Landed>>,
}

/// What a read gave: nothing, too, which is not cached.
#[derive(Debug)]
struct Landed {
    read: ReadAt,
    record: Option<Arc<Record>>,
}

impl<T: Entity> Entities<T> {
    /// An entity; `None` when there is none. From the cache where it has it: see [`cache_ttl`](super::EntityOptions::cache_ttl).
    ///
    /// # Errors
    /// `InvalidName`; `Corrupt` when what is stored is no entity; `InvalidArgument` when it does not fit `T`; those of the medium.
    pub async fn get_by_id(&self, id: impl AsRef<str>) -> Result<Option<Stored<T>>> {
        const OPERATION: &str = "get entity";
        let id = DocumentId::new(id).map_err(|error| self.named(error, OPERATION, ""))?;
        let record = self.shared.load(&id).await?;
        match record {
            Some(record) => self.decode(OPERATION, Record::clone(&record)),
            None => Ok(None),
        }
    }

    /// An entity as it is on the medium now, past the cache.
    pub(super) async fn read(&self, operation: &'static str, id: &DocumentId) -> Result<Option<Stored<T>>> {
        let document = self.shared.documents.get(id).await?;
        match document {
            Some(document) => self.decode(operation, document.into()),
            None => Ok(None),
        }
    }
}

impl Shared {
    async fn load(&self, id: &DocumentId) -> Result<Option<Arc<Record>>> {
        if !self.cache.is_enabled() {
            return self.fetch(id).await;
        }
        if let Some(record) = self.cache.get(id, self.storage.now()).await {
            return Ok(Some(record));
        }
        let flight = self.flights.enter(id);
        let seen = flight.landed.load(Ordering::SeqCst);
        let mut last = flight.last.lock().await;
        // What a read gave that ended while this call waited is as good as one's own, unless it was written since.
        if let Some(landed) = &*last
            && flight.landed.load(Ordering::SeqCst) > seen
            && self.cache.is_current(id, landed.read)
        {
            return Ok(landed.record.clone());
        }
        // One that ended between the look above and the wait is in the cache.
        if let Some(record) = self.cache.look(id, self.storage.now()).await {
            return Ok(Some(record));
        }
        let read = self.cache.read_at(id, self.storage.now());
        let record = self.fetch(id).await?;
        if let Some(record) = &record {
            self.cache.insert(Arc::clone(record), read).await;
        }
        *last = Some(Landed {
            read,
            record: record.clone(),
        });
        flight.landed.fetch_add(1, Ordering::SeqCst);
        Ok(record)
    }

    async fn fetch(&self, id: &DocumentId) -> Result<Option<Arc<Record>>> {
        let document = self.documents.get(id).await?;
        Ok(document.map(|document| Arc::new(document.into())))
    }
}
