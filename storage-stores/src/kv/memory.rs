//! [`Memory`]: values that were read or written, kept in memory up to a number of bytes.
//!
//! A read that was slow must not bring back what a write has replaced. Each key belongs to a shard with an epoch, which every write moves
//! on when it is over, however it ended; a value carries the epoch from before it was read, and counts only while that is the present one.
//! What another process writes is noticed when the value has been here for longer than the bound on staleness.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use storage_core::{Bytes, Timestamp, Version};

use super::entry::Kind;

/// Few enough to be small, enough that a write seldom takes a neighbour's value with it.
const SHARDS: usize = 1024;

/// What a value takes beside its bytes and its key: itself, moka's node and the key's second place in its queues.
const OVERHEAD: usize = 256;

/// Uses of values that are not in memory are remembered for so many keys; then the oldest knowledge gives way.
const MAX_USES: usize = 65_536;

pub(super) struct Memory {
    /// `None` where it is switched off.
    values: Option<moka::sync::Cache<Arc<str>, Arc<Cached>>>,
    epochs: Box<[AtomicU64]>,
    hasher: RandomState,
    limit: u64,
    staleness: Duration,
    /// Whether anybody wants to know what was used when.
    tracks_uses: bool,
    uses: Arc<Mutex<HashMap<Arc<str>, Use>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A value in memory.
pub(super) struct Cached {
    pub(super) bytes: Bytes,
    pub(super) kind: Kind,
    pub(super) version: Version,
    pub(super) expires_at: Option<Timestamp>,
    /// Where its key's epoch is: with it a hit needs no second hash of the key.
    shard: usize,
    epoch: u64,
    /// Until when it is given without looking, in milliseconds by the storage's clock.
    until: AtomicI64,
    used_at: AtomicI64,
    uses: AtomicU64,
    used: AtomicBool,
    /// The value as the type it was asked for as, so that sharing it costs neither parsing nor copying.
    typed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// When a key was last used, and how often since that was last written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) at: Timestamp,
    pub(super) times: u64,
}

/// When what is being read now was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadAt {
    shard: usize,
    epoch: u64,
    now: Timestamp,
}

/// A write under way. Dropped, whatever came of it, it takes out what it may have replaced.
pub(super) struct Writing<'a> {
    memory: &'a Memory,
    key: &'a str,
    shard: usize,
    before: u64,
    over: bool,
}

/// What is asked of memory.
pub(super) enum Looked {
    /// This is the value.
    Fresh(Arc<Cached>),
    /// This was the value, and counts if its version is still the one that is stored.
    Stale(Arc<Cached>),
    /// Nothing is known.
    Unknown,
}

impl Memory {
    pub(super) fn new(limit: u64, staleness: Duration, tracks_uses: bool) -> Self {
        let uses = Arc::<Mutex<HashMap<Arc<str>, Use>>>::default();
        let values = (limit > 0).then(|| {
            let uses = Arc::clone(&uses);
            moka::sync::Cache::builder()
                .max_capacity(limit)
                .weigher(|key: &Arc<str>, value: &Arc<Cached>| weight(key, &value.bytes))
                .eviction_listener(move |key, value: Arc<Cached>, _| {
                    if let Some(used) = value.take_use() {
                        note(&uses, Arc::clone(&key), used);
                    }
                })
                .build()
        });
        Self {
            values,
            epochs: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            limit,
            staleness,
            tracks_uses,
            uses,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.values.is_some()
    }

    /// What is known of this key. A hit takes no lock and copies nothing.
    pub(super) fn look(&self, key: &str, now: Timestamp) -> Looked {
        let found = self.values.as_ref().and_then(|values| values.get(key));
        let Some(cached) =
            found.filter(|cached| cached.epoch == self.epoch(cached.shard) && !cached.is_expired(now))
        else {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return Looked::Unknown;
        };
        if now.as_millis() >= cached.until.load(Ordering::Acquire) {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return Looked::Stale(cached);
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        if self.tracks_uses {
            cached.touch(now);
        }
        Looked::Fresh(cached)
    }

    /// To be asked for before a read begins.
    pub(super) fn read_at(&self, key: &str, now: Timestamp) -> ReadAt {
        let shard = self.shard(key);
        ReadAt {
            shard,
            epoch: self.epoch(shard),
            now,
        }
    }

    /// Whether nothing was written through this handle since.
    pub(super) fn is_current(&self, read: ReadAt) -> bool {
        self.epoch(read.shard) == read.epoch
    }

    /// Whether something read then may be given now.
    pub(super) fn is_fresh(&self, read: ReadAt, now: Timestamp) -> bool {
        self.is_current(read) && now < read.now.after(self.staleness)
    }

    /// It was looked at again, and is what is stored.
    pub(super) fn still(&self, cached: &Cached, read: ReadAt) {
        cached
            .until
            .fetch_max(read.now.after(self.staleness).as_millis(), Ordering::AcqRel);
        if self.tracks_uses {
            cached.touch(read.now);
        }
    }

    /// Makes a value of what was read.
    pub(super) fn cached(
        &self,
        bytes: Bytes,
        kind: Kind,
        version: Version,
        expires_at: Option<Timestamp>,
        read: ReadAt,
    ) -> Arc<Cached> {
        Arc::new(Cached {
            bytes,
            kind,
            version,
            expires_at,
            shard: read.shard,
            epoch: read.epoch,
            until: AtomicI64::new(read.now.after(self.staleness).as_millis()),
            used_at: AtomicI64::new(read.now.as_millis()),
            uses: AtomicU64::new(1),
            used: AtomicBool::new(self.tracks_uses),
            typed: OnceLock::new(),
        })
    }

    /// Keeps what was read. If something was written meanwhile it never counts.
    pub(super) fn keep(&self, key: &str, cached: &Arc<Cached>) {
        let fits = u64::from(weight(key, &cached.bytes)) <= self.limit;
        match &self.values {
            Some(values) if fits => values.insert(key.into(), Arc::clone(cached)),
            _ => {
                if let Some(used) = cached.take_use() {
                    note(&self.uses, key.into(), used);
                }
            }
        }
    }

    /// To be held while something is written.
    pub(super) fn writing<'a>(&'a self, key: &'a str) -> Writing<'a> {
        let shard = self.shard(key);
        Writing {
            memory: self,
            key,
            shard,
            before: self.epoch(shard),
            over: false,
        }
    }

    /// Forgets everything, and what is being read now.
    pub(super) fn clear(&self) {
        for epoch in &self.epochs {
            epoch.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(values) = &self.values {
            values.invalidate_all();
        }
        self.uses().clear();
    }

    /// The use of a key that is not written down yet; it is taken for written down from here on.
    pub(super) fn take_use(&self, key: &str) -> Option<Use> {
        let here = self
            .values
            .as_ref()
            .and_then(|values| values.get(key))
            .and_then(|cached| cached.take_use());
        let there = self.uses().remove(key);
        match (here, there) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        }
    }

    /// Every use that is not written down yet.
    pub(super) fn take_uses(&self) -> HashMap<Arc<str>, Use> {
        let mut uses = std::mem::take(&mut *self.uses());
        for (key, cached) in self.values.iter().flatten() {
            if let Some(used) = cached.take_use() {
                let key: Arc<str> = Arc::clone(&key);
                let all = uses.get(&key).map_or(used, |other| used.and(*other));
                uses.insert(key, all);
            }
        }
        uses
    }

    /// How many values there are, and their bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        let Some(values) = &self.values else { return (0, 0) };
        values.run_pending_tasks();
        (values.entry_count(), values.weighted_size())
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(super) fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    fn shard(&self, key: &str) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let hash = self.hasher.hash_one(key) as usize;
        hash % SHARDS
    }

    fn epoch(&self, shard: usize) -> u64 {
        self.epochs[shard].load(Ordering::SeqCst)
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<Arc<str>, Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cached {
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The value as this type, which is parsed once.
    pub(super) fn shared<T: Send + Sync + 'static>(
        &self,
        parse: impl FnOnce(&Self) -> storage_core::Result<T>,
    ) -> storage_core::Result<Arc<T>> {
        if let Some(typed) = self.typed.get()
            && let Ok(typed) = Arc::clone(typed).downcast::<T>()
        {
            return Ok(typed);
        }
        let typed = Arc::new(parse(self)?);
        // Somebody may have been faster, or wants another type; then this one is not kept.
        let _ = self.typed.set(Arc::clone(&typed) as Arc<dyn Any + Send + Sync>);
        Ok(typed)
    }

    fn touch(&self, now: Timestamp) {
        self.used_at.fetch_max(now.as_millis(), Ordering::Relaxed);
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.used.store(true, Ordering::Release);
    }

    fn take_use(&self) -> Option<Use> {
        self.used.swap(false, Ordering::AcqRel).then(|| Use {
            at: Timestamp::from_millis(self.used_at.load(Ordering::Relaxed)),
            times: self.uses.swap(0, Ordering::Relaxed),
        })
    }
}

impl Use {
    fn and(self, other: Self) -> Self {
        Self {
            at: self.at.max(other.at),
            times: self.times.saturating_add(other.times),
        }
    }
}

impl Writing<'_> {
    /// The write is done and this is what is there now, unless somebody else wrote meanwhile.
    pub(super) fn stored(
        mut self,
        bytes: Bytes,
        kind: Kind,
        version: Version,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let epoch = self.end();
        if epoch == self.before + 1 && self.memory.is_enabled() {
            let read = ReadAt {
                shard: self.shard,
                epoch,
                now,
            };
            let cached = self.memory.cached(bytes, kind, version, expires_at, read);
            // Its document says already that it was written now.
            cached.take_use();
            self.memory.keep(self.key, &cached);
        }
    }

    /// The write is done and nothing is there now.
    pub(super) fn deleted(mut self) {
        self.end();
        if let Some(values) = &self.memory.values {
            values.invalidate(self.key);
        }
    }

    fn end(&mut self) -> u64 {
        self.over = true;
        self.memory.epochs[self.shard].fetch_add(1, Ordering::SeqCst) + 1
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.end();
        }
    }
}

fn weight(key: &str, bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len() + key.len() + OVERHEAD).unwrap_or(u32::MAX)
}

fn note(uses: &Mutex<HashMap<Arc<str>, Use>>, key: Arc<str>, used: Use) {
    let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
    if uses.len() >= MAX_USES && !uses.contains_key(&key) {
        uses.clear();
    }
    let all = uses.get(&key).map_or(used, |other| used.and(*other));
    uses.insert(key, all);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn memory() -> Memory {
        Memory::new(1 << 20, Duration::from_secs(1), true)
    }

    fn keep(memory: &Memory, bytes: &'static str, read: ReadAt) {
        let cached = memory.cached(bytes.into(), Kind::Bytes, Version::from_u128(1), None, read);
        memory.keep("a", &cached);
    }

    fn fresh(memory: &Memory) -> Option<Bytes> {
        match memory.look("a", NOW) {
            Looked::Fresh(cached) => Some(cached.bytes.clone()),
            _ => None,
        }
    }

    fn stored(writing: Writing<'_>, bytes: &'static str) {
        writing.stored(bytes.into(), Kind::Bytes, Version::from_u128(2), None, NOW);
    }

    #[test]
    fn what_was_read_before_a_write_ended_never_counts_after_it() {
        let memory = memory();
        let slow = memory.read_at("a", NOW);
        stored(memory.writing("a"), "new");
        keep(&memory, "old", slow);
        assert_eq!(fresh(&memory), None);
    }

    #[test]
    fn of_two_writes_at_once_neither_is_kept() {
        let memory = memory();
        let (one, two) = (memory.writing("a"), memory.writing("a"));
        stored(one, "one");
        stored(two, "two");
        assert_eq!(fresh(&memory), None);
    }

    #[test]
    fn a_dropped_write_takes_out_what_it_may_have_replaced() {
        let memory = memory();
        keep(&memory, "old", memory.read_at("a", NOW));
        assert_eq!(fresh(&memory).unwrap(), "old");
        drop(memory.writing("a"));
        assert_eq!(fresh(&memory), None);
    }

    #[test]
    fn a_value_is_looked_at_again_after_the_bound_and_then_counts_anew() {
        let memory = memory();
        keep(&memory, "a value", memory.read_at("a", NOW));
        let later = NOW.after(Duration::from_secs(1));
        let Looked::Stale(cached) = memory.look("a", later) else {
            panic!("the bound is over")
        };
        memory.still(&cached, memory.read_at("a", later));
        assert!(matches!(memory.look("a", later), Looked::Fresh(_)));
    }

    #[test]
    fn an_expired_value_is_nothing() {
        let memory = memory();
        let read = memory.read_at("a", NOW);
        let cached = memory.cached("x".into(), Kind::Bytes, Version::from_u128(1), Some(NOW), read);
        memory.keep("a", &cached);
        assert!(matches!(memory.look("a", NOW), Looked::Unknown));
    }

    #[test]
    fn uses_are_told_once_also_of_values_that_left() {
        let memory = memory();
        keep(&memory, "x", memory.read_at("a", NOW));
        assert!(fresh(&memory).is_some() && fresh(&memory).is_some());
        assert_eq!(memory.take_use("a"), Some(Use { at: NOW, times: 3 }));
        assert_eq!(memory.take_use("a"), None);
        assert!(fresh(&memory).is_some());
        if let Some(values) = &memory.values {
            values.invalidate("a");
            values.run_pending_tasks();
        }
        assert_eq!(memory.take_uses().len(), 1);
    }
}
