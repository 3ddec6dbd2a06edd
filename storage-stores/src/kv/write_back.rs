//! [`Waiting`]: values that are acknowledged and not stored yet, where the options ask for that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage_core::{Result, Version};

use super::memory::Cached;
use super::set::Given;
use super::store::Kv;
use crate::keyed::Keyed;

#[derive(Default)]
pub(super) struct Waiting {
    values: Mutex<BTreeMap<String, Accepted>>,
    count: AtomicU64,
    next: AtomicU64,
    /// Who stores a key: one at a time, so that an older value never lands after a newer one.
    storing: Keyed<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Accepted {
    number: u64,
    given: Given,
    cached: Arc<Cached>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, Accepted>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str) -> Option<Accepted> {
        self.values().get(key).cloned()
    }

    fn put(&self, key: &str, given: Given, cached: Arc<Cached>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let accepted = Accepted {
            number,
            given,
            cached,
        };
        let mut values = self.values();
        values.insert(key.to_owned(), accepted);
        self.count.store(values.len() as u64, Ordering::Release);
    }

    /// Takes a value out, if it is still this one.
    fn take(&self, key: &str, number: Option<u64>) -> bool {
        let mut values = self.values();
        let there = values
            .get(key)
            .is_some_and(|accepted| number.is_none_or(|number| accepted.number == number));
        if there {
            values.remove(key);
        }
        self.count.store(values.len() as u64, Ordering::Release);
        there
    }

    fn keys(&self) -> Vec<String> {
        self.values().keys().cloned().collect()
    }
}

impl Kv {
    /// Acknowledges a value that is stored later.
    pub(super) async fn accept(&self, key: &str, given: Given) -> Result<()> {
        if given.options.if_absent {
            // Only the backend can decide that.
            self.store_waiting_of(key).await?;
            return self.store(key, &given, None, None).await;
        }
        let memory = &self.shared.memory;
        let read = memory.read_at(key, self.now());
        let cached = memory.cached(
            given.plain.clone(),
            given.kind,
            Version::from_u128(0),
            given.life.expires_at,
            read,
        );
        self.shared.waiting.put(key, given, cached);
        Ok(())
    }

    /// What a waiting value says of a key: that it is this one, or none where it has expired meanwhile. `None` where nothing waits.
    pub(super) fn waiting_value(&self, key: &str) -> Option<Option<Arc<Cached>>> {
        if self.shared.waiting.is_empty() {
            return None;
        }
        let accepted = self.shared.waiting.get(key)?;
        let now = self.now();
        Some((!accepted.cached.is_expired(now)).then_some(accepted.cached))
    }

    /// Returns when everything that was acknowledged before is stored. Where a value cannot be stored, the others still are, and it goes on
    /// waiting.
    ///
    /// # Errors
    /// Why the first that failed could not be stored.
    pub async fn flush(&self) -> Result<()> {
        self.admit_writes("flush key-value store", "")?;
        self.store_waiting().await?;
        self.write_uses().await
    }

    pub(super) async fn store_waiting(&self) -> Result<()> {
        if self.shared.waiting.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for key in self.shared.waiting.keys() {
            let stored = self.store_waiting_of(&key).await;
            outcome = outcome.and(stored);
        }
        outcome
    }

    /// Stores what waits of a key.
    pub(super) async fn store_waiting_of(&self, key: &str) -> Result<()> {
        if self.shared.waiting.is_empty() {
            return Ok(());
        }
        let id = storage_core::DocumentId::new(key)?;
        let slot = self.shared.waiting.storing.enter(&id);
        let _turn = slot.lock().await;
        while let Some(accepted) = self.shared.waiting.get(key) {
            Box::pin(self.store(key, &accepted.given, None, None))
                .await
                .map_err(|error| self.named(error, "store acknowledged value", key))?;
            self.shared.waiting.take(key, Some(accepted.number));
        }
        Ok(())
    }

    /// Forgets what waits of a key, once nobody is storing it; `true` if it had not expired.
    pub(super) async fn forget_waiting(&self, key: &str) -> bool {
        if self.shared.waiting.is_empty() {
            return false;
        }
        let Ok(id) = storage_core::DocumentId::new(key) else {
            return false;
        };
        let slot = self.shared.waiting.storing.enter(&id);
        let _turn = slot.lock().await;
        let there = self.waiting_value(key).flatten().is_some();
        self.shared.waiting.take(key, None);
        there
    }
}
