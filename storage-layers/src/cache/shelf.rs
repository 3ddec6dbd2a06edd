//! [`Shelf`]: what is kept in memory, and when it counts.
//!
//! A read that was slow must not bring back what a write has replaced. Each slot belongs to a shard with an epoch, which every write moves
//! on when it is over, however it ended. An entry carries the epoch from before it was read and counts only while that is the present one.

use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage_core::{DocumentId, Key, Name, Object, StoredDocument};
use tokio::time::Instant;

/// Few enough to be small, enough that a write seldom takes a neighbour's entry with it.
const SHARDS: usize = 1024;

/// What an entry costs beside its name and bytes, about.
const BOOKKEEPING: u64 = 256;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    Document(Name, DocumentId),
    Object(Key),
}

/// What was found below.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Absent,
    Document(StoredDocument),
    /// Something too large to be kept.
    Large,
    Object(Object),
}

#[derive(Debug)]
struct Entry {
    found: Found,
    read: Reading,
}

/// What is at hand, without a copy of it.
#[derive(Debug)]
pub(super) struct AtHand(Arc<Entry>);

impl Deref for AtHand {
    type Target = Found;

    fn deref(&self) -> &Found {
        &self.0.found
    }
}

/// A read that is about to begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Where its slot's epoch is: with it a hit needs no second hash of the slot.
    shard: usize,
    epoch: u64,
    at: Instant,
}

#[derive(Debug)]
pub(super) struct Shelf {
    entries: moka::sync::Cache<Slot, Arc<Entry>>,
    epochs: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// A write under way. When it is dropped the write is over.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    shelf: &'a Shelf,
    slot: Slot,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.shelf.written(&self.slot);
    }
}

impl Slot {
    pub(super) fn document(collection: &Name, id: &DocumentId) -> Self {
        Self::Document(collection.clone(), id.clone())
    }

    fn len(&self) -> usize {
        match self {
            Self::Document(collection, id) => collection.as_str().len() + id.as_str().len(),
            Self::Object(key) => key.as_str().len(),
        }
    }
}

impl Entry {
    fn weight(&self, slot: &Slot) -> u64 {
        let bytes = match &self.found {
            Found::Absent | Found::Large => 0,
            Found::Document(document) => document.body.as_bytes().len(),
            Found::Object(object) => object.bytes.len(),
        };
        BOOKKEEPING + (slot.len() + bytes) as u64
    }
}

impl Shelf {
    pub(super) fn new(bytes: u64) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(bytes)
            .weigher(|slot: &Slot, entry: &Arc<Entry>| u32::try_from(entry.weight(slot)).unwrap_or(u32::MAX))
            .build();
        Self {
            entries,
            epochs: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// What is kept, counts, and is younger than this.
    pub(super) fn get(&self, slot: &Slot, max_age: Duration) -> Option<AtHand> {
        if max_age.is_zero() {
            return None;
        }
        let entry = self.entries.get(slot)?;
        let counts = entry.read.epoch == self.epoch(entry.read.shard) && entry.read.at.elapsed() < max_age;
        counts.then_some(AtHand(entry))
    }

    /// The object that was there once: to be asked about, not to be given.
    pub(super) fn peek(&self, slot: &Slot) -> Option<Object> {
        match &self.entries.get(slot)?.found {
            Found::Object(object) => Some(object.clone()),
            _ => None,
        }
    }

    /// To be asked for before a read begins.
    pub(super) fn reading(&self, slot: &Slot) -> Reading {
        let shard = self.shard(slot);
        Reading {
            shard,
            epoch: self.epoch(shard),
            at: Instant::now(),
        }
    }

    /// Keeps what was read. If something was written meanwhile it never counts.
    pub(super) fn keep(&self, slot: &Slot, read: Reading, found: Found) {
        self.entries.insert(slot.clone(), Arc::new(Entry { found, read }));
    }

    /// To be held while something is written.
    pub(super) const fn writing(&self, slot: Slot) -> Writing<'_> {
        Writing { shelf: self, slot }
    }

    /// A write is over.
    pub(super) fn written(&self, slot: &Slot) {
        self.epochs[self.shard(slot)].fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }

    fn shard(&self, slot: &Slot) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let hash = self.hasher.hash_one(slot) as usize;
        hash % SHARDS
    }

    fn epoch(&self, shard: usize) -> u64 {
        self.epochs[shard].load(Ordering::SeqCst)
    }
}
