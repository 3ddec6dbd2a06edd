//! [`Cache`]: what was read by id, as bytes, so that nothing mutable is shared.
//!
//! A read that was slow must not bring back what a write has replaced. Each id belongs to a shard with an epoch, which every write moves
//! on when it is over, however it ended. An entry carries the epoch from before it was read and counts only while that is the present
//! one: what was read before a write ended is never given after it, and a write that was dropped half way takes out what it may have
//! replaced.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage_core::{DocumentId, Timestamp};

use super::options::EntityOptions;
use super::record::Record;

/// Few enough to be small, enough that a write seldom takes a neighbour's entry with it.
const SHARDS: usize = 1024;

/// The longest time to live moka takes is a thousand years.
const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How a cache stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many entities it holds, those that are about to be replaced included.
    pub size: u64,
    /// How many it holds at most.
    pub max_size: u64,
    /// How long it gives an entity without looking.
    pub ttl: Duration,
    /// Whether there is one.
    pub enabled: bool,
    /// How many reads by id it answered.
    pub hits: u64,
    /// How many it did not.
    pub misses: u64,
}

pub(super) struct Cache {
    /// `None` where it is switched off.
    entries: Option<moka::future::Cache<DocumentId, Entry>>,
    epochs: Box<[AtomicU64]>,
    hasher: RandomState,
    max_size: u64,
    ttl: Duration,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    record: Arc<Record>,
    epoch: u64,
    /// By the storage's clock; moka's own does not move with a test's.
    until: Timestamp,
}

/// When what is being read now was read, for [`Cache::insert`].
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadAt {
    epoch: u64,
    now: Timestamp,
}

/// A write under way. Dropped, whatever came of it, it takes out what it may have replaced.
pub(super) struct Writing<'a> {
    cache: &'a Cache,
    id: &'a DocumentId,
    before: u64,
    over: bool,
}

impl Cache {
    pub(super) fn new(options: &EntityOptions) -> Self {
        let enabled = options.cache_enabled && !options.cache_ttl.is_zero() && options.max_cache_size > 0;
        let entries = enabled.then(|| {
            moka::future::Cache::builder()
                .max_capacity(options.max_cache_size)
                .time_to_live(options.cache_ttl.min(LONGEST_TTL))
                .build()
        });
        Self {
            entries,
            epochs: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            max_size: options.max_cache_size,
            ttl: options.cache_ttl,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.entries.is_some()
    }

    /// What is known of this id and still counts.
    pub(super) async fn get(&self, id: &DocumentId, now: Timestamp) -> Option<Arc<Record>> {
        let record = self.look(id, now).await;
        let count = if record.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        count.fetch_add(1, Ordering::Relaxed);
        record
    }

    /// The same, of which no count is kept.
    pub(super) async fn look(&self, id: &DocumentId, now: Timestamp) -> Option<Arc<Record>> {
        let entry = self.entries.as_ref()?.get(id).await?;
        let expired = entry.record.expires_at.is_some_and(|at| at <= now);
        let valid = entry.epoch == self.epoch(id) && now < entry.until && !expired;
        valid.then_some(entry.record)
    }

    /// To be asked for before a read begins.
    pub(super) fn read_at(&self, id: &DocumentId, now: Timestamp) -> ReadAt {
        ReadAt {
            epoch: self.epoch(id),
            now,
        }
    }

    /// Whether nothing was written through this cache since.
    pub(super) fn is_current(&self, id: &DocumentId, read: ReadAt) -> bool {
        self.epoch(id) == read.epoch
    }

    /// Keeps what was read. If something was written meanwhile it never counts.
    pub(super) async fn insert(&self, record: Arc<Record>, read: ReadAt) {
        let Some(entries) = &self.entries else { return };
        let entry = Entry {
            epoch: read.epoch,
            until: read.now.after(self.ttl),
            record,
        };
        entries.insert(entry.record.id.clone(), entry).await;
    }

    /// To be held while something is written.
    pub(super) fn writing<'a>(&'a self, id: &'a DocumentId) -> Writing<'a> {
        Writing {
            cache: self,
            id,
            before: self.epoch(id),
            over: false,
        }
    }

    /// Forgets everything, and what is being read now.
    pub(super) fn clear(&self) {
        for epoch in &self.epochs {
            epoch.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(entries) = &self.entries {
            entries.invalidate_all();
        }
    }

    pub(super) async fn stats(&self) -> CacheStats {
        let size = match &self.entries {
            Some(entries) => {
                entries.run_pending_tasks().await;
                entries.entry_count()
            }
            None => 0,
        };
        CacheStats {
            size,
            max_size: self.max_size,
            ttl: self.ttl,
            enabled: self.is_enabled(),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    fn shard(&self, id: &DocumentId) -> &AtomicU64 {
        #[allow(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let hash = self.hasher.hash_one(id) as usize;
        &self.epochs[hash % SHARDS]
    }

    fn epoch(&self, id: &DocumentId) -> u64 {
        self.shard(id).load(Ordering::SeqCst)
    }
}

impl Writing<'_> {
    /// The write is done and this is what is there now, unless somebody else wrote meanwhile.
    pub(super) async fn stored(mut self, record: Record, now: Timestamp) {
        let epoch = self.end();
        if epoch == self.before + 1 {
            self.cache.insert(Arc::new(record), ReadAt { epoch, now }).await;
        }
    }

    /// The write is done and nothing is there now.
    pub(super) async fn deleted(mut self) {
        self.end();
        if let Some(entries) = &self.cache.entries {
            entries.invalidate(self.id).await;
        }
    }

    fn end(&mut self) -> u64 {
        self.over = true;
        self.cache.shard(self.id).fetch_add(1, Ordering::SeqCst) + 1
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use storage_core::Version;
    use storage_core::bson::rawdoc;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn id() -> DocumentId {
        DocumentId::new("a").unwrap()
    }

    fn state(n: i64) -> Record {
        Record {
            id: id(),
            version: Version::from_u128(n.unsigned_abs().into()),
            expires_at: None,
            body: rawdoc! { "n": n },
        }
    }

    async fn cached(cache: &Cache) -> Option<i64> {
        let record = cache.get(&id(), NOW).await?;
        Some(record.body.get_i64("n").unwrap())
    }

    #[tokio::test]
    async fn what_was_read_before_a_write_ended_never_counts_after_it() {
        let cache = Cache::new(&EntityOptions::new());
        let slow = cache.read_at(&id(), NOW);
        cache.writing(&id()).stored(state(2), NOW).await;
        cache.insert(Arc::new(state(1)), slow).await;
        assert_eq!(cached(&cache).await, None);
    }

    #[tokio::test]
    async fn of_two_writes_at_once_neither_is_kept_and_both_orders_of_ending_are_safe() {
        for first_ends_first in [true, false] {
            let cache = Cache::new(&EntityOptions::new());
            let id = id();
            let (one, two) = (cache.writing(&id), cache.writing(&id));
            if first_ends_first {
                one.stored(state(1), NOW).await;
                two.stored(state(2), NOW).await;
            } else {
                two.stored(state(2), NOW).await;
                one.stored(state(1), NOW).await;
            }
            assert_eq!(cached(&cache).await, None);
        }
    }

    #[tokio::test]
    async fn a_dropped_write_takes_out_what_it_may_have_replaced() {
        let cache = Cache::new(&EntityOptions::new());
        cache.insert(Arc::new(state(1)), cache.read_at(&id(), NOW)).await;
        assert_eq!(cached(&cache).await, Some(1));
        drop(cache.writing(&id()));
        assert_eq!(cached(&cache).await, None);
    }

    #[tokio::test]
    async fn a_write_alone_is_kept_and_clearing_forgets_what_is_being_read() {
        let cache = Cache::new(&EntityOptions::new());
        cache.writing(&id()).stored(state(1), NOW).await;
        assert_eq!(cached(&cache).await, Some(1));
        let slow = cache.read_at(&id(), NOW);
        cache.clear();
        cache.insert(Arc::new(state(1)), slow).await;
        assert_eq!(cached(&cache).await, None);
    }
}
