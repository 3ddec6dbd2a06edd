//! Leases: locks that expire, with fencing tokens. No clock is compared with another.
//!
//! The record of a lease is a document that is never deleted, so its token only grows. A contender that finds it held watches it:
//! when it has not changed for the whole time to live on the contender's own clock, the contender takes it over by a conditional
//! write. A holder that was paused notices at its next renewal, and a write under its [`Fence`] is refused before that.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Storage;
use super::collection::{Collection, Document, PutOptions};
use crate::adapter::DocumentGuard;
use crate::backend::Condition;
use crate::error::{Applied, Error, ErrorKind, Result};
use crate::name::Name;
use crate::query::Query;
use crate::version::Version;

/// Shorter than a durable write takes, a lease would be lost before it is held.
const MIN_TTL: Duration = Duration::from_millis(10);
/// Longer, and a crashed holder blocks everybody for longer than anybody waits: break the lease instead.
const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What a contender waits beyond the time to live: 1 % for clocks that run at different rates, and this for timer granularity.
const GRACE: Duration = Duration::from_millis(20);
/// How often a contender looks, at most and at least.
const POLL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// The record of a lease, a document under the lease's name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    token: i64,
    owner: Version,
    /// Which call wrote this state, so that a call whose answer was lost recognises its own.
    attempt: Version,
    ttl_ms: i64,
    held: bool,
}

/// A request for a lease.
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is acquired"]
pub struct LeaseRequest {
    storage: Storage,
    name: String,
    ttl: Duration,
    owner: Version,
}

/// A lease that is held, until its time to live has passed since it was acquired or last renewed.
///
/// Dropping it releases nothing: it runs out. Call [`release`](Self::release) to let others in at once.
#[derive(Clone)]
pub struct Lease {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Storage,
    name: Name,
    ttl: Duration,
    token: u64,
    owner: Version,
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    version: Version,
    /// On the storage's lease clock.
    deadline: Duration,
    lost: bool,
}

/// Proof of having held a lease: its name and token. Whoever acquires the lease later gets a greater token, and a write under
/// this fence is then refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fence {
    /// The lease.
    pub lease: String,
    /// Its token.
    pub token: u64,
}

/// What is known about a lease without holding it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// Its name.
    pub name: String,
    /// The token of its last holder.
    pub token: u64,
    /// Who held it last: 128 random bits of the request.
    pub owner: Version,
    /// Its time to live.
    pub ttl: Duration,
    /// Whether it was not released. It may have run out all the same.
    pub held: bool,
}

impl LeaseRequest {
    pub(super) fn new(storage: Storage, name: &str, ttl: Duration) -> Self {
        Self {
            storage,
            name: name.to_owned(),
            ttl,
            owner: Version::random(),
        }
    }

    /// Waits until the lease is free, released or run out, and acquires it. Drop the future to stop waiting.
    ///
    /// # Errors
    /// `InvalidArgument` for a time to live out of bounds; `Unsupported` without documents; those of the medium.
    pub async fn acquire(&self) -> Result<Lease> {
        loop {
            if let Some(lease) = self.try_acquire().await? {
                return Ok(lease);
            }
            tokio::time::sleep((self.ttl / 10).clamp(POLL.0, POLL.1)).await;
        }
    }

    /// Acquires the lease if it is free, released, or seen unchanged for its whole time to live by earlier calls on this
    /// storage. `None` if somebody holds it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub async fn try_acquire(&self) -> Result<Option<Lease>> {
        let name = self.checked()?;
        let records = records(&self.storage);
        let sent = self.storage.inner.clock.elapsed();
        let Some(current) = records.get(&self.name).await? else {
            return self.take(&name, 1, Condition::IfAbsent, sent).await;
        };
        let Record {
            token,
            held,
            ref owner,
            ..
        } = current.value;
        // Asking again for what this very request holds is a renewal, under the same token.
        let token = if held && *owner == self.owner {
            token
        } else {
            token.saturating_add(1)
        };
        if held && *owner != self.owner && !self.storage.ran_out(&name, &current, sent) {
            return Ok(None);
        }
        self.take(&name, token, Condition::IfVersion(current.version), sent)
            .await
    }

    async fn take(
        &self,
        name: &Name,
        token: i64,
        condition: Condition,
        sent: Duration,
    ) -> Result<Option<Lease>> {
        let record = Record {
            token,
            owner: self.owner.clone(),
            attempt: Version::random(),
            ttl_ms: i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX),
            held: true,
        };
        let Some(version) = write(&self.storage, name, &record, condition).await? else {
            return Ok(None);
        };
        self.storage.watched().remove(name);
        let deadline = sent + self.ttl.mul_f64(0.99);
        let shared = Shared {
            storage: self.storage.clone(),
            name: name.clone(),
            ttl: self.ttl,
            token: token.unsigned_abs(),
            owner: self.owner.clone(),
            state: Mutex::new(State {
                version,
                deadline,
                lost: false,
            }),
        };
        Ok(Some(Lease {
            shared: Arc::new(shared),
        }))
    }

    fn checked(&self) -> Result<Name> {
        let stamp = |error: Error| self.storage.stamped(error, "acquire lease", &self.name);
        if self.ttl < MIN_TTL || self.ttl > MAX_TTL {
            let message = format!("a lease lives for {MIN_TTL:?} to {MAX_TTL:?}, not {:?}", self.ttl);
            return Err(stamp(Error::invalid_argument(message)));
        }
        Name::new(&self.name).map_err(stamp)
    }
}

impl Lease {
    /// Its name.
    pub fn name(&self) -> &str {
        self.shared.name.as_str()
    }

    /// Its fencing token: greater than that of every earlier holder.
    pub fn token(&self) -> u64 {
        self.shared.token
    }

    /// What to write under, so that the write is refused once the lease is somebody else's.
    pub fn fence(&self) -> Fence {
        Fence {
            lease: self.name().to_owned(),
            token: self.token(),
        }
    }

    /// How long the holder may still work, by its own clock; zero once that has passed or the lease is known to be lost.
    pub fn remaining(&self) -> Duration {
        let state = self.state();
        if state.lost {
            return Duration::ZERO;
        }
        state
            .deadline
            .saturating_sub(self.shared.storage.inner.clock.elapsed())
    }

    /// Whether the holder may still work.
    pub fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// Begins the time to live anew, under the same token.
    ///
    /// # Errors
    /// `LeaseLost` when somebody else has it, or it was released or broken; those of the medium.
    pub async fn renew(&self) -> Result<()> {
        let sent = self.shared.storage.inner.clock.elapsed();
        let version = self.rewrite(true).await?;
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.version = version;
        state.deadline = sent + self.shared.ttl.mul_f64(0.99);
        Ok(())
    }

    /// Lets others in at once. The record stays, so that the token keeps growing.
    ///
    /// # Errors
    /// `LeaseLost` when somebody else has it already; those of the medium.
    pub async fn release(self) -> Result<()> {
        self.rewrite(false).await?;
        self.mark_lost();
        Ok(())
    }

    /// Renews the lease at a third of its time to live until the returned handle is dropped or the lease is lost.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn keep_alive(&self) -> KeepAlive {
        let lease = self.clone();
        let (tell, lost) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(lease.shared.ttl / 3).await;
                match lease.renew().await {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::LeaseLost => break,
                    // The medium is in trouble; the lease may still be ours until it has run out.
                    Err(_) if lease.is_held() => {}
                    Err(_) => break,
                }
            }
            lease.mark_lost();
            tell.send_replace(true);
        });
        KeepAlive { task, lost }
    }

    /// Writes the record anew, held or released, and gives its version.
    async fn rewrite(&self, held: bool) -> Result<Version> {
        let shared = &self.shared;
        let record = Record {
            token: i64::try_from(shared.token).unwrap_or(i64::MAX),
            owner: shared.owner.clone(),
            attempt: Version::random(),
            ttl_ms: i64::try_from(shared.ttl.as_millis()).unwrap_or(i64::MAX),
            held,
        };
        let state = self.state();
        if !state.lost {
            let condition = Condition::IfVersion(state.version);
            if let Some(version) = write(&shared.storage, &shared.name, &record, condition).await? {
                return Ok(version);
            }
            // Another call of this very holder may have renewed it meanwhile.
            let current = records(&shared.storage).get(&shared.name).await?;
            if let Some(current) = current
                && current.value.owner == shared.owner
                && current.value.token == record.token
                && current.value.held
            {
                let condition = Condition::IfVersion(current.version);
                if let Some(version) = write(&shared.storage, &shared.name, &record, condition).await? {
                    return Ok(version);
                }
            }
        }
        self.mark_lost();
        Err(lost(&shared.storage, self.name()))
    }

    fn state(&self) -> State {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn mark_lost(&self) {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lost = true;
    }
}

/// Renews a lease in the background until it is dropped.
#[derive(Debug)]
pub struct KeepAlive {
    task: tokio::task::JoinHandle<()>,
    lost: tokio::sync::watch::Receiver<bool>,
}

impl KeepAlive {
    /// Returns when the lease is lost: the holder must stop.
    pub async fn lost(&mut self) {
        // The sender goes only with the task, which ends only when the lease is lost.
        let _ = self.lost.wait_for(|lost| *lost).await;
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fence {
    /// The record as it is now, if the lease is still the one this fence is from.
    pub(super) async fn guard(&self, storage: &Storage) -> Result<DocumentGuard> {
        let records = records(storage);
        let current = records.get(&self.lease).await?;
        match current {
            Some(current) if current.value.held && current.value.token.unsigned_abs() == self.token => {
                Ok(DocumentGuard {
                    collection: records.checked_name()?,
                    id: current.id,
                    version: current.version,
                })
            }
            _ => Err(lost(storage, &self.lease)),
        }
    }
}

impl Storage {
    /// Every lease there ever was, by name.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn leases(&self) -> Result<Vec<LeaseInfo>> {
        let records = records(self).find(Query::all()).await?.collect().await?;
        Ok(records.into_iter().map(LeaseInfo::from).collect())
    }

    /// Takes a lease from whoever holds it, so that the next contender gets it at once; `true` if it was held. The holder's
    /// writes under its fence are refused from now on.
    ///
    /// # Errors
    /// `Conflict` when the record changes at the same moment; those of the medium.
    pub async fn break_lease(&self, name: impl AsRef<str>) -> Result<bool> {
        let name = name.as_ref();
        let Some(current) = records(self).get(name).await? else {
            return Ok(false);
        };
        if !current.value.held {
            return Ok(false);
        }
        let record = Record {
            held: false,
            attempt: Version::random(),
            ..current.value
        };
        match write(
            self,
            &Name::new(name)?,
            &record,
            Condition::IfVersion(current.version),
        )
        .await?
        {
            Some(_) => Ok(true),
            None => {
                let error = Error::new(
                    ErrorKind::Conflict,
                    "the lease changed at the same moment; look again",
                );
                Err(self.stamped(error, "break lease", name))
            }
        }
    }

    /// Whether a held record has been seen unchanged for its whole time to live, by this storage's own clock.
    fn ran_out(&self, name: &Name, current: &Document<Record>, now: Duration) -> bool {
        let mut watched = self.watched();
        match watched.get(name) {
            Some((version, since)) if *version == current.version => {
                let ttl = Duration::from_millis(current.value.ttl_ms.unsigned_abs());
                now.saturating_sub(*since) >= ttl.mul_f64(1.01) + GRACE
            }
            _ => {
                watched.insert(
                    name.clone(),
                    (current.version.clone(), self.inner.clock.elapsed()),
                );
                false
            }
        }
    }
}

impl From<Document<Record>> for LeaseInfo {
    fn from(document: Document<Record>) -> Self {
        let Record {
            token,
            owner,
            ttl_ms,
            held,
            ..
        } = document.value;
        Self {
            name: document.id.to_string(),
            token: token.unsigned_abs(),
            owner,
            ttl: Duration::from_millis(ttl_ms.unsigned_abs()),
            held,
        }
    }
}

fn records(storage: &Storage) -> Collection<Record> {
    Collection::own(storage.clone(), "leases")
}

/// Writes a record under a condition; `None` when somebody else was faster. A lost answer is looked up by the attempt.
async fn write(
    storage: &Storage,
    name: &Name,
    record: &Record,
    condition: Condition,
) -> Result<Option<Version>> {
    let records = records(storage);
    match records
        .put_with(name, record, PutOptions::new().condition(condition))
        .await
    {
        Ok(version) => Ok(Some(version)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed
            ) =>
        {
            Ok(None)
        }
        Err(error) if error.applied() == Applied::Unknown => match records.get(name).await? {
            Some(current) if current.value.attempt == record.attempt => Ok(Some(current.version)),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn lost(storage: &Storage, name: &str) -> Error {
    let error = Error::new(
        ErrorKind::LeaseLost,
        "the lease is no longer held; stop the work it protects",
    );
    storage.stamped(error, "use lease", name)
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("name", &self.shared.name)
            .field("token", &self.shared.token)
            .field("ttl", &self.shared.ttl)
            .finish_non_exhaustive()
    }
}
