//! [`Channel`]: the signed events of one key, in causal order.

mod refresh;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use storage_core::{Bytes, Error, ErrorKind, Result, Version};

use self::refresh::Look;
pub use self::refresh::{Refreshed, Refused};

use super::event::{Event, MAX_PARENTS};
use super::order::Order;
use super::signing::{PublicKey, Signer};
use super::site::Site;
use super::store::{Item, VolumeStore};

/// The signed events of one key: `channels/<public key>/<event hash>.bin`, a file each.
///
/// Anybody can read a channel; who has the key can append to it, from any number of processes and machines at once. Each event names the
/// events its writer had seen, so that the order of [`events`](Self::events) is causes before effects, ties by hash: a function of the
/// set of events alone, whatever arrived first. What is not an event of this channel is told and breaks nothing.
///
/// A channel is held in memory as far as it was read; cheap to clone, and clones share that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let storage = storage_core::Storage::new(storage_core::Memory::new());
/// use storage_stores::volumes::{Ed25519Key, VolumeOptions, VolumeStore};
///
/// let store = VolumeStore::open(storage, VolumeOptions::new()).await?;
/// let channel = store.channel_of(Ed25519Key::generate());
/// channel.append("first").await?;
/// channel.append("second").await?;
/// let payloads: Vec<_> = channel.events().await?.into_iter().map(|event| event.payload().clone()).collect();
/// assert_eq!(payloads, ["first", "second"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Channel {
    store: VolumeStore,
    key: PublicKey,
    signer: Option<Arc<dyn Signer>>,
    known: Arc<Mutex<Order>>,
    /// The mark of each replica all of whose events were read.
    seen: Arc<Mutex<HashMap<String, Version>>>,
    /// One append or refresh of this handle at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl VolumeStore {
    /// The channel of this key, to read.
    pub fn channel(&self, key: PublicKey) -> Channel {
        Channel::new(self.clone(), key, None)
    }

    /// The channel of this signer, to read and append to.
    pub fn channel_of(&self, signer: impl Signer + 'static) -> Channel {
        let signer: Arc<dyn Signer> = Arc::new(signer);
        Channel::new(self.clone(), signer.public_key(), Some(signer))
    }
}

impl Channel {
    fn new(store: VolumeStore, key: PublicKey, signer: Option<Arc<dyn Signer>>) -> Self {
        Self {
            store,
            key,
            signer,
            known: Arc::default(),
            seen: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Its key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The store it is in.
    pub const fn store(&self) -> &VolumeStore {
        &self.store
    }

    /// Appends an event on top of everything that was acknowledged before the call began, as far as the storage shows it; of what came there
    /// by other means than this library it may know only after a [`refresh`](Self::refresh). It costs the same however many events there
    /// are, unless somebody else appended since this handle last did: then the channel is listed. Appending again
    /// after an error whose outcome is unknown makes a second event, unless the payload tells them apart.
    ///
    /// # Errors
    /// `PermissionDenied` for a channel that is only read; `LimitExceeded` for an event over 1 MiB; that of a durable replica where none
    /// took it; as [`refresh`](Self::refresh).
    pub async fn append(&self, payload: impl Into<Bytes>) -> Result<Event> {
        let payload = payload.into();
        let appended = self.append_with(|_| Ok(Some(payload))).await?;
        appended.ok_or_else(|| Error::new(ErrorKind::Internal, "an event was to be appended and was not"))
    }

    /// Appends what `decide` makes of the events there are, if it wants to; nobody else on this handle comes between.
    pub(super) async fn append_with(
        &self,
        decide: impl FnOnce(&Order) -> Result<Option<Bytes>> + Send,
    ) -> Result<Option<Event>> {
        let operation = |error: Error| error.with_operation("append event");
        let Some(signer) = &self.signer else {
            let message = "this channel was opened without its signer, to read only";
            return Err(operation(Error::new(ErrorKind::PermissionDenied, message)));
        };
        let _turn = self.turn.lock().await;
        self.read_new(Look::Changed).await.map_err(operation)?;
        let (payload, parents) = {
            let known = self.known();
            // Heads beyond that are merged by the next one.
            let parents = known.heads().iter().take(MAX_PARENTS).copied().collect();
            (decide(&known).map_err(operation)?, parents)
        };
        let Some(payload) = payload else {
            return Ok(None);
        };
        let event =
            Event::sign(self.store.hash_algorithm(), signer.as_ref(), parents, payload).map_err(operation)?;
        self.take(event.clone()).await.map_err(operation)?;
        Ok(Some(event))
    }

    /// Takes in an event that came from elsewhere, whatever came before it. Taking one that is there already is fine.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no event of this channel, and for a signature that is wrong or cannot be checked; `FormatTooNew`; that of
    /// a durable replica where none took it.
    pub async fn accept(&self, bytes: impl Into<Bytes>) -> Result<Event> {
        let operation = |error: Error| error.with_operation("accept event");
        let event = self
            .store
            .check_event(&self.key, bytes.into())
            .map_err(|refusal| operation(refusal.into_error()))?;
        self.take(event.clone()).await.map_err(operation)?;
        Ok(event)
    }

    /// The events in order: causes before effects, ties by hash. Those whose parents are not there yet are not among them; what else was
    /// found is told by [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub async fn events(&self) -> Result<Vec<Event>> {
        self.refresh().await?;
        Ok(self.known().events().to_vec())
    }

    async fn take(&self, event: Event) -> Result<()> {
        let item = Item::Event(self.key.clone(), event.hash());
        let placing = self
            .store
            .sites()
            .iter()
            .map(|site| self.place_on(site, &item, event.bytes()));
        let placed = join_all(placing).await;
        self.store
            .settle(self.store.sites().iter().zip(placed).collect())?;
        let mut known = self.known();
        known.insert(event);
        known.settle();
        Ok(())
    }

    /// Tells of the event before it is acknowledged, so that who appends after that sees it.
    async fn place_on(&self, site: &Site, item: &Item, bytes: &Bytes) -> Result<()> {
        self.store.place_untold(site, item, bytes).await?;
        let seen = self.seen().remove(&site.name);
        if let Some(mark) = site.tell(&self.key, seen).await? {
            self.seen().insert(site.name.clone(), mark);
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Version>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read so far. Events never change, so none is read twice.
    pub(super) fn known(&self) -> MutexGuard<'_, Order> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("key", &self.key)
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}
