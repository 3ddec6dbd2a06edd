//! [`EntityLock`]: one holder of an entity at a time, in this process and in all others.

use std::time::Duration;

use storage_core::{Capability, DocumentId, Error, ErrorKind, Fence, KeepAlive, Lease, Result, Retry};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::entities::Entities;
use super::entity::{Entity, Stored};
use crate::keyed::Slot;

/// How long the lease of a holder lives that crashed; one that lives renews it.
const LEASE_TTL: Duration = Duration::from_secs(10);

/// How often a waiting call looks whether another process has let go.
const POLL: Duration = Duration::from_millis(50);

const OPERATION: &str = "lock entity";

/// The lock of an entity, held until it is [released](Self::release) or dropped.
///
/// It keeps out others who ask for the lock, not those who write without: what they write is seen by the next write through the lock,
/// which never overwrites it. A holder that was paused for so long that somebody else has the lock cannot write through it any more.
#[derive(Debug)]
pub struct EntityLock<T: Entity> {
    entities: Entities<T>,
    id: DocumentId,
    lease: Lease,
    /// `None` once it is let go.
    held: Option<Held>,
}

/// What is let go of in this order.
#[derive(Debug)]
struct Held {
    keep_alive: KeepAlive,
    /// In this process; the slot has to outlive it.
    _turn: OwnedMutexGuard<()>,
    _slot: Slot<Mutex<()>>,
}

/// Under what an entity is written.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    lease: Lease,
    /// Where the backend decides about the lease together with the write.
    fence: Option<Fence>,
}

impl Guard {
    /// Refuses to go on once the lease is not held any more.
    pub(super) fn check(&self) -> Result<()> {
        if self.lease.is_held() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LeaseLost,
            "the lock is no longer held; nothing was written, lock again",
        ))
    }

    pub(super) fn fence(&self) -> Option<Fence> {
        self.fence.clone()
    }
}

impl<T: Entity> Entities<T> {
    /// Waits for the lock of an entity, which need not be there. Within this process callers get it in the order they came.
    ///
    /// Across processes it is the lease `entities/<collection>/<id>` (`%` and `/` of the collection's name are written `%25` and `%2F`),
    /// renewed while the lock is held. A holder that crashed is out after 10 seconds. One that hangs and still renews shows in
    /// [`Storage::leases`](storage_core::Storage::leases), and [`break_lease`](storage_core::Storage::break_lease) takes it away.
    ///
    /// # Errors
    /// `Timeout` naming the lease when it was not to be had within [`lock_timeout`](super::EntityOptions::lock_timeout); `InvalidName`;
    /// `LimitExceeded` for an id too long for a lease; those of the medium.
    pub async fn lock(&self, id: impl AsRef<str>) -> Result<EntityLock<T>> {
        let id = DocumentId::new(id).map_err(|error| self.named(error, OPERATION, ""))?;
        let timeout = self.shared.options.lock_timeout;
        let deadline = Instant::now() + timeout;
        let name = lease_name(T::COLLECTION, &id);
        let busy = || {
            let message = format!(
                "somebody else has held the lock for {timeout:?}; it is the lease {name:?}, which Storage::leases shows and \
                 Storage::break_lease takes from a holder that is stuck"
            );
            let error = Error::new(ErrorKind::Timeout, message).with_retry(Retry::Later);
            self.named(error, OPERATION, id.as_str())
        };
        let slot = self.shared.locks.enter(&id);
        let turn = slot.value().clone().lock_owned();
        let turn = tokio::time::timeout_at(deadline, turn)
            .await
            .map_err(|_| busy())?;
        let request = self.shared.storage.lease(&name, LEASE_TTL);
        let lease = loop {
            if let Some(lease) = request.try_acquire().await? {
                break lease;
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(busy());
            }
            tokio::time::sleep(POLL.min(deadline - now)).await;
        };
        Ok(EntityLock {
            entities: self.clone(),
            id,
            held: Some(Held {
                keep_alive: lease.keep_alive(),
                _turn: turn,
                _slot: slot,
            }),
            lease,
        })
    }
}

impl<T: Entity> EntityLock<T> {
    /// The id of the entity.
    pub const fn id(&self) -> &DocumentId {
        &self.id
    }

    /// The lease behind it; its [fence](Lease::fence) guards other writes that belong together with this entity.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Whether it is still held, as far as can be known without asking.
    pub fn is_held(&self) -> bool {
        self.lease.is_held()
    }

    /// Returns when the lock is lost: the holder must stop.
    pub async fn lost(&mut self) {
        if let Some(held) = &mut self.held {
            held.keep_alive.lost().await;
        }
    }

    /// The entity as it is now, past the cache.
    ///
    /// # Errors
    /// As [`Entities::get_by_id`].
    pub async fn get(&self) -> Result<Option<Stored<T>>> {
        self.entities.read("get entity", &self.id).await
    }

    /// Reads the entity, lets `change` edit it, and stores it while the lock is held. `None` when there is none.
    ///
    /// # Errors
    /// `LeaseLost`, and nothing was written; as [`Entities::update`].
    pub async fn update(&self, mut change: impl FnMut(&mut T) + Send) -> Result<Option<Stored<T>>> {
        let deadline = Instant::now() + self.entities.shared.options.lock_timeout;
        let change = |value: &mut T| {
            change(value);
            Ok(())
        };
        self.entities
            .change(&self.id, deadline, Some(self.guard()), change)
            .await
    }

    /// Deletes the entity while the lock is held; `true` if it was there.
    ///
    /// # Errors
    /// `LeaseLost`, and nothing was deleted; as [`Entities::delete`].
    pub async fn delete(&self) -> Result<bool> {
        self.entities.delete_guarded(&self.id, &self.guard()).await
    }

    /// Lets others in at once.
    ///
    /// # Errors
    /// `LeaseLost` when somebody else has it already; those of the medium, and then it runs out.
    pub async fn release(mut self) -> Result<()> {
        let held = self.held.take();
        let released = self.lease.clone().release().await;
        drop(held);
        released
    }

    fn guard(&self) -> Guard {
        let storage = self.entities.storage();
        let fenced = storage
            .declaration()
            .support(Capability::GuardedWrite)
            .is_present();
        Guard {
            lease: self.lease.clone(),
            fence: fenced.then(|| self.lease.fence()),
        }
    }
}

impl<T: Entity> Drop for EntityLock<T> {
    /// Releases it behind the scenes; outside a runtime it runs out.
    fn drop(&mut self) {
        let (Some(held), Ok(runtime)) = (self.held.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let lease = self.lease.clone();
        runtime.spawn(async move {
            // Whatever stands in the way: the lease runs out.
            let _ = lease.release().await;
            drop(held);
        });
    }
}

fn lease_name(collection: &str, id: &DocumentId) -> String {
    // Collection and id must not be told apart in two ways.
    let collection = collection.replace('%', "%25").replace('/', "%2F");
    format!("entities/{collection}/{id}")
}
