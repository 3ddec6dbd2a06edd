//! [`Volume`]: names and their blocks, as a channel tells them.

mod change;
mod keep;
mod snapshot;
mod view;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, TryStreamExt};
use storage_core::{Bytes, Error, ErrorKind, Result};

pub use self::change::Change;
pub use self::keep::Keep;
pub use self::snapshot::Snapshot;
pub use self::view::Entry;

use self::view::View;
use super::channel::{Channel, Refreshed};
use super::event::Event;
use super::hash::Hash;
use super::signing::{PublicKey, Signer};
use super::store::VolumeStore;

/// The longest name, in bytes. Names are text inside events, never paths, so any will do.
const MAX_NAME_BYTES: usize = 4096;

/// Names and their blocks: what the events of a channel come to when they are replayed in their order.
///
/// A write is durable once it returns, first its block and then its event, and follows everything that was acknowledged before it began, by
/// whatever process. Writes that did not know of each other are ordered by hash, the same way for everybody, and the later one counts.
///
/// Reading names answers from what this handle has seen: when it was opened, at its last write, at its last [`refresh`](Self::refresh).
/// Cheap to clone; clones see the same.
#[derive(Clone)]
pub struct Volume {
    channel: Channel,
    view: Arc<Mutex<View>>,
}

impl Volume {
    /// Opens the volume of this signer, to read and write.
    ///
    /// # Errors
    /// As [`Channel::refresh`].
    pub async fn open(store: &VolumeStore, signer: impl Signer + 'static) -> Result<Self> {
        Self::on(store.channel_of(signer)).await
    }

    /// Opens the volume of this key, to read.
    ///
    /// # Errors
    /// As [`Channel::refresh`].
    pub async fn open_read_only(store: &VolumeStore, key: PublicKey) -> Result<Self> {
        Self::on(store.channel(key)).await
    }

    async fn on(channel: Channel) -> Result<Self> {
        let volume = Self {
            channel,
            view: Arc::default(),
        };
        volume.refresh().await?;
        Ok(volume)
    }

    /// The channel it is told in.
    pub const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The store it is in.
    pub const fn store(&self) -> &VolumeStore {
        self.channel.store()
    }

    /// Gives a name these bytes, whatever it had before. Where it has them already, no event is made.
    ///
    /// # Errors
    /// `InvalidName` for none, one with NUL and one over 4,096 bytes; as [`Blocks::put`](super::Blocks::put) and [`Channel::append`].
    pub async fn put(&self, name: &str, bytes: impl Into<Bytes>) -> Result<Entry> {
        check_name(name)?;
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        let block = self.store().blocks().put(bytes).await?;
        self.name_block(name, block, size).await
    }

    /// Gives a name the bytes of a stream, as one block. An error of the stream leaves everything as it was.
    ///
    /// # Errors
    /// As [`put`](Self::put) and [`Blocks::put_stream`](super::Blocks::put_stream).
    pub async fn put_stream<S>(&self, name: &str, stream: S) -> Result<Entry>
    where
        S: Stream<Item = Result<Bytes>> + Send,
    {
        check_name(name)?;
        let size = AtomicU64::new(0);
        let counted = stream.inspect_ok(|bytes| {
            size.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        let block = self.store().blocks().put_stream(counted).await?;
        self.name_block(name, block, size.into_inner()).await
    }

    async fn name_block(&self, name: &str, block: Hash, size: u64) -> Result<Entry> {
        let change = Change::Put {
            name: name.to_owned(),
            block,
            size,
        };
        let mut there = None;
        let event = self
            .change(|view| {
                there = view.entry(name).filter(|entry| entry.block == block).cloned();
                there.is_none().then_some(change)
            })
            .await?;
        match (event, there) {
            (Some(event), _) => Ok(Entry {
                name: name.to_owned(),
                block,
                size,
                event: event.hash(),
            }),
            (None, Some(entry)) => Ok(entry),
            (None, None) => Err(Error::new(
                ErrorKind::Internal,
                "a name was to get its bytes and did not",
            )),
        }
    }

    /// The bytes of a name; `None` where it has none.
    ///
    /// # Errors
    /// `Corrupt` where its block is damaged or gone; as [`Blocks::get`](super::Blocks::get).
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        match self.entry(name) {
            Some(entry) => self.read(&entry.block).await.map(Some),
            None => Ok(None),
        }
    }

    /// The bytes of a block that something names.
    async fn read(&self, block: &Hash) -> Result<Bytes> {
        let bytes = self.store().blocks().get(block).await?;
        bytes.ok_or_else(|| {
            Error::corrupt(
                block.to_string(),
                "the block is gone, or has not arrived yet; a replica that has it can be reconciled",
            )
        })
    }

    /// What a name has; `None` where it has nothing.
    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.view().entry(name).cloned()
    }

    /// What every name that begins so has, in the byte order of names.
    pub fn list(&self, prefix: &str) -> Vec<Entry> {
        self.view().list(prefix)
    }

    /// Takes a name out; `false` where it had nothing. Its block stays until it is collected.
    ///
    /// # Errors
    /// As [`Channel::append`].
    pub async fn delete(&self, name: &str) -> Result<bool> {
        let change = Change::Delete {
            name: name.to_owned(),
        };
        let event = self.change(|view| view.entry(name).map(|_| change)).await?;
        Ok(event.is_some())
    }

    /// Reads what others changed, and tells what was found on the way.
    ///
    /// # Errors
    /// As [`Channel::refresh`].
    pub async fn refresh(&self) -> Result<Refreshed> {
        let refreshed = self.channel.refresh().await?;
        self.view().follow(&self.channel.known());
        Ok(refreshed)
    }

    /// The changes in order, as far as this handle has seen them; `None` for an event that is no change of a volume.
    pub fn log(&self) -> Vec<(Event, Option<Change>)> {
        let events = self.channel.known().events().to_vec();
        let with_change = |event: Event| {
            let change = Change::decode(event.payload()).ok();
            (event, change)
        };
        events.into_iter().map(with_change).collect()
    }

    /// Appends a change that depends on what there is by then.
    async fn change(&self, decide: impl FnOnce(&View) -> Option<Change> + Send) -> Result<Option<Event>> {
        let decide = |order: &super::order::Order| {
            let mut view = self.view();
            view.follow(order);
            decide(&view).map(|change| change.encode()).transpose()
        };
        let event = self.channel.append_with(decide).await?;
        self.view().follow(&self.channel.known());
        Ok(event)
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!("a name in a volume has 1 to {MAX_NAME_BYTES} bytes, and no NUL"),
        )
        .with_key(name.chars().take(100).collect::<String>()));
    }
    Ok(())
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
