//! [`Kv::lock`]: one at a time with a key, in this process and in all others.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use storage_core::{
    Bytes, Capability, DocumentId, Error, ErrorKind, Fence, KeepAlive, Lease, LeaseRequest, Result, Retry,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::entry::Kind;
use super::lifetime::SetOptions;
use super::names;
use super::store::Kv;
use crate::keyed::Slot;

const OPERATION: &str = "lock key";

/// How long the lease of a holder lives that crashed; one that lives renews it.
const LEASE_TTL: Duration = Duration::from_secs(10);

/// How often a waiting call looks whether another process has let go.
const POLL: Duration = Duration::from_millis(50);

/// What the holder of a key's lock works with: the entry itself, so that nothing waits for its own lock.
///
/// Cheap to clone. Once the lock is no longer held, writes through it are refused.
#[derive(Debug, Clone)]
pub struct Locked {
    kv: Kv,
    key: Arc<str>,
    lease: Lease,
}

/// What is let go of in this order.
struct Held {
    lease: Option<Lease>,
    keep_alive: Option<KeepAlive>,
    turn: Option<OwnedMutexGuard<()>>,
    slot: Option<Slot<Mutex<()>>>,
}

impl Kv {
    /// Waits for the lock of a key, which need not have a value, does the work, and lets go, however the work ends. Within this process
    /// callers get their turn in the order they came.
    ///
    /// The work reads and writes through the [`Locked`] it is given, and may use the store beside it. The lock keeps out others who ask for
    /// it, not those who write without. Across processes it is the lease `kv/<namespace>/<key>` (`%` and `/` of the namespace are written
    /// `%25` and `%2F`), renewed while the work goes on; a holder that crashed is out after 10 seconds, and one that was paused for so long
    /// that somebody else has the lock cannot write through it any more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
    /// # let storage = storage_core::Storage::new(storage_core::Memory::new());
    /// # let kv = storage_stores::kv::Kv::open(storage, Default::default()).await?;
    /// kv.set("visits", &1).await?;
    /// let visits = kv
    ///     .lock("visits", |entry| async move {
    ///         let visits = entry.get::<u32>().await?.unwrap_or(0) + 1;
    ///         entry.set(&visits).await?;
    ///         Ok(visits)
    ///     })
    ///     .await?;
    /// assert_eq!(visits, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Timeout` naming the lease when it was not to be had within [`lock_timeout`](super::KvOptions::lock_timeout); the work's own;
    /// `PermissionDenied`; `InvalidName`; those of the medium.
    pub async fn lock<R, F>(
        &self,
        key: impl AsRef<str> + Send,
        work: impl FnOnce(Locked) -> F + Send,
    ) -> Result<R>
    where
        R: Send,
        F: Future<Output = Result<R>> + Send,
    {
        let key = key.as_ref();
        let mut held = self
            .acquire(key)
            .await
            .map_err(|error| self.named(error, OPERATION, key))?;
        let Some(lease) = held.lease.clone() else {
            return Err(self.named(
                Error::new(ErrorKind::Internal, "a lock without a lease"),
                OPERATION,
                key,
            ));
        };
        let locked = Locked {
            kv: self.clone(),
            key: key.into(),
            lease,
        };
        let done = work(locked).await;
        let released = held.release().await;
        match (done, released) {
            // Whether the lease ran out meanwhile is the work's business: its writes were refused.
            (Ok(done), Err(error)) if error.kind() != ErrorKind::LeaseLost => {
                drop(done);
                Err(self.named(error, OPERATION, key))
            }
            (done, _) => done,
        }
    }

    async fn acquire(&self, key: &str) -> Result<Held> {
        self.access.require_all()?;
        self.check_key(key)?;
        let id = DocumentId::new(key)?;
        let timeout = self.shared.options.lock_timeout;
        let deadline = Instant::now() + timeout;
        let name = names::lease(self.namespace(), key);
        let slot = self.shared.locks.enter(&id);
        let turn = tokio::time::timeout_at(deadline, slot.value().clone().lock_owned())
            .await
            .map_err(|_| waited(timeout, &name))?;
        let mut held = Held {
            lease: None,
            keep_alive: None,
            turn: Some(turn),
            slot: Some(slot),
        };
        let request = self.storage().lease(&name, LEASE_TTL);
        let lease = acquire_by(&request, deadline)
            .await?
            .ok_or_else(|| waited(timeout, &name))?;
        held.keep_alive = Some(lease.keep_alive());
        held.lease = Some(lease);
        self.store_waiting_of(key).await?;
        Ok(held)
    }
}

async fn acquire_by(request: &LeaseRequest, deadline: Instant) -> Result<Option<Lease>> {
    loop {
        if let Some(lease) = request.try_acquire().await? {
            return Ok(Some(lease));
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL.min(deadline - now)).await;
    }
}

fn waited(timeout: Duration, name: &str) -> Error {
    let message = format!(
        "somebody else has held the lock for {timeout:?}; it is the lease {name:?}, which Storage::leases shows and \
         Storage::break_lease takes from a holder that is stuck"
    );
    Error::new(ErrorKind::Timeout, message).with_retry(Retry::Later)
}

impl Held {
    async fn release(&mut self) -> Result<()> {
        drop(self.keep_alive.take());
        let released = match self.lease.take() {
            Some(lease) => lease.release().await,
            None => Ok(()),
        };
        drop(self.turn.take());
        drop(self.slot.take());
        released
    }
}

impl Drop for Held {
    /// The work panicked, or its future was dropped: lets go behind the scenes; outside a runtime the lease runs out.
    fn drop(&mut self) {
        let (Some(lease), Ok(runtime)) = (self.lease.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let held = (self.keep_alive.take(), self.turn.take(), self.slot.take());
        runtime.spawn(async move {
            // Whatever stands in the way: the lease runs out.
            let _ = lease.release().await;
            drop(held);
        });
    }
}

impl Locked {
    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The lease behind the lock; its [fence](Lease::fence) guards other writes that belong together with this entry.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The value as it is now, past the memory.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub async fn get<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        self.forget();
        self.kv.get(&self.key).await
    }

    /// Its bytes as they are now, past the memory.
    ///
    /// # Errors
    /// As [`Kv::get_raw`].
    pub async fn get_raw(&self) -> Result<Option<Bytes>> {
        self.forget();
        self.kv.get_raw(&self.key).await
    }

    /// Stores a value while the lock is held.
    ///
    /// # Errors
    /// `LeaseLost`, and nothing was written; as [`Kv::set`].
    pub async fn set<T: Serialize + ?Sized + Sync>(&self, value: &T) -> Result<()> {
        self.set_with(value, SetOptions::new()).await
    }

    /// Stores a value as the options say while the lock is held.
    ///
    /// # Errors
    /// As [`set`](Self::set) and [`Kv::set_with`].
    pub async fn set_with<T: Serialize + ?Sized + Sync>(&self, value: &T, options: SetOptions) -> Result<()> {
        let plain = self.kv.to_json(&self.key, value)?;
        self.give(plain, Kind::Json, options).await
    }

    /// Stores bytes while the lock is held.
    ///
    /// # Errors
    /// As [`set`](Self::set) and [`Kv::set_raw`].
    pub async fn set_raw(&self, bytes: impl Into<Bytes>, options: SetOptions) -> Result<()> {
        self.give(bytes.into(), Kind::Bytes, options).await
    }

    /// Deletes the entry while the lock is held; `true` if it was there.
    ///
    /// # Errors
    /// `LeaseLost`, and nothing was deleted; as [`Kv::delete`].
    pub async fn delete(&self) -> Result<bool> {
        self.check_held()?;
        self.kv.delete(&self.key).await
    }

    async fn give(&self, plain: Bytes, kind: Kind, options: SetOptions) -> Result<()> {
        self.check_held()?;
        let kv = &self.kv;
        let done = Box::pin(kv.recorded("set", &self.key, async {
            let given = kv.admit_value(&self.key, plain, kind, options)?;
            kv.forget_waiting(&self.key).await;
            kv.store(&self.key, &given, None, self.fence()).await
        }));
        done.await
            .map_err(|error| kv.named(error, "set value under its lock", &self.key))
    }

    /// Where the backend decides about the lease together with the write.
    fn fence(&self) -> Option<Fence> {
        let declaration = self.kv.storage().declaration();
        declaration
            .support(Capability::GuardedWrite)
            .is_present()
            .then(|| self.lease.fence())
    }

    fn check_held(&self) -> Result<()> {
        if self.lease.is_held() {
            return Ok(());
        }
        let error = Error::new(
            ErrorKind::LeaseLost,
            "the lock is no longer held; nothing was written, lock again",
        );
        Err(self.kv.named(error, "use lock", &self.key))
    }

    /// What another process wrote before it let go is seen at once.
    fn forget(&self) {
        drop(self.kv.shared.memory.writing(&self.key));
    }
}
