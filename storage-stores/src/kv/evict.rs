//! Making room: which entries go, and that those do not which are held, permanent, or were used meanwhile.

use storage_core::{Index, Query, Result, Timestamp};

use super::entry::{Entry, Found};
use super::options::Eviction;
use super::store::Kv;
use crate::race::pause;

/// How many candidates are looked at in one read.
const PAGE: u64 = 64;

/// What eviction removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct EvictionReport {
    /// Entries that went, expired ones included.
    pub entries: u64,
    /// What was counted for them.
    pub bytes: u64,
}

/// What [`Kv::align`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct AlignReport {
    /// What went to come under the limit.
    pub evicted: EvictionReport,
    /// Whether everything was counted anew. It is not while other handles write.
    pub recounted: bool,
    /// How many bytes are still over the limit: everything left is permanent, held, or there is no policy.
    pub excess: u64,
}

/// What becomes of a candidate.
enum Fate {
    Gone(u64),
    Stays,
}

/// The indexes of a namespace: what expires when, and what the policy goes by.
pub(super) fn indexes(policy: Option<Eviction>) -> Vec<Index> {
    let mut indexes = vec![Index::btree("by_expiry", ["expires_at"]).sparse()];
    indexes.extend(policy.map(|policy| match policy {
        Eviction::Lru => Index::btree("by_use", ["evict.used_at"]).sparse(),
        Eviction::Lfu => Index::btree("by_uses", ["evict.uses", "evict.used_at"]).sparse(),
        Eviction::Size => Index::btree("by_size", ["evict.bytes"]).sparse(),
        Eviction::Ttl => Index::btree("by_expiry_to_evict", ["evict.expires_at"]).sparse(),
    }));
    indexes
}

/// Those the policy may take, the first to go first.
fn candidates(policy: Eviction) -> Query {
    match policy {
        Eviction::Lru => Query::ge("evict.used_at", i64::MIN).sort("evict.used_at"),
        Eviction::Lfu => Query::ge("evict.uses", 0_i64)
            .sort("evict.uses")
            .sort("evict.used_at"),
        Eviction::Size => Query::ge("evict.bytes", 0_i64).sort_descending("evict.bytes"),
        Eviction::Ttl => Query::ge("evict.expires_at", i64::MIN).sort("evict.expires_at"),
    }
}

/// What has expired by now.
pub(super) fn expired(now: Timestamp) -> Query {
    Query::le("expires_at", now.as_millis()).sort("expires_at")
}

impl Kv {
    /// Brings usage back under the limit now: counts everything anew, then removes what has expired and what the policy lets go.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium; what went stays gone.
    pub async fn align(&self) -> Result<AlignReport> {
        self.admit_writes("align key-value store", "")?;
        Box::pin(self.recorded("align", "", self.align_now())).await
    }

    async fn align_now(&self) -> Result<AlignReport> {
        self.store_waiting().await?;
        let mut report = AlignReport {
            recounted: self.shared.ledger.recount(self.count()).await?,
            ..AlignReport::default()
        };
        loop {
            let excess = self.shared.ledger.excess().await?;
            report.excess = excess;
            if excess == 0 {
                break;
            }
            let evicted = self.evict(excess, None).await?;
            if evicted.bytes == 0 {
                break;
            }
            report.evicted.entries += evicted.entries;
            report.evicted.bytes += evicted.bytes;
        }
        // What went is told, so that everybody sees the room.
        self.shared.ledger.settle().await?;
        Ok(report)
    }

    /// Bytes and number of all entries, by looking at each document.
    async fn count(&self) -> Result<(u64, u64)> {
        let (mut bytes, mut entries) = (0, 0);
        let mut found = self.entries().find(Query::all()).await?;
        while let Some(document) = found.next().await? {
            let entry = Entry::read(document.id.as_str(), &document.value)?;
            bytes += entry.charge(document.id.as_str());
            entries += u64::from(entry.value.is_some());
        }
        Ok((bytes, entries))
    }

    /// Removes entries until so many bytes are free: expired ones first, then as the policy says; never `spared`.
    pub(super) async fn evict(&self, bytes: u64, spared: Option<&str>) -> Result<EvictionReport> {
        let mut report = EvictionReport::default();
        self.evict_found(expired(self.now()), bytes, spared, &mut report)
            .await?;
        if let Some(policy) = self.shared.options.eviction {
            self.evict_found(candidates(policy), bytes, spared, &mut report)
                .await?;
        }
        Ok(report)
    }

    async fn evict_found(
        &self,
        query: Query,
        bytes: u64,
        spared: Option<&str>,
        report: &mut EvictionReport,
    ) -> Result<()> {
        let mut next = None;
        while report.bytes < bytes {
            let mut page = query.clone().limit(PAGE);
            if let Some(token) = next.take() {
                page = page.after(token);
            }
            let page = self.entries().find_page(page).await?;
            for document in page.documents {
                if report.bytes >= bytes {
                    return Ok(());
                }
                let key = document.id.as_str();
                if Some(key) == spared {
                    continue;
                }
                // What cannot be read stays, and hides no other.
                let Ok(entry) = Entry::read(key, &document.value) else {
                    continue;
                };
                let found = Found {
                    key: key.to_owned(),
                    version: document.version,
                    entry,
                };
                if let Fate::Gone(freed) = self.decide(found).await? {
                    report.entries += 1;
                    report.bytes += freed;
                }
            }
            if page.next.is_none() {
                return Ok(());
            }
            next = page.next;
        }
        Ok(())
    }

    /// Removes a candidate, unless it is held, being written, or was used since its document says so.
    async fn decide(&self, found: Found) -> Result<Fate> {
        let now = self.now();
        let expired = found.entry.live(now).is_none();
        if found.entry.is_held(now) || found.entry.value.is_none() {
            return Ok(Fate::Stays);
        }
        if !expired && self.note_use(&found).await? {
            return Ok(Fate::Stays);
        }
        let freed = found.entry.charge(&found.key);
        let writing = self.shared.memory.writing(&found.key);
        if !self.recorded("evict", &found.key, self.take_away(&found)).await? {
            return Ok(Fate::Stays);
        }
        writing.deleted();
        Ok(Fate::Gone(freed))
    }

    /// Removes an entry as it was found; `false` when somebody changed it meanwhile. Its own keys are destroyed before it is gone, so that
    /// what is left after a crash is found again.
    pub(super) async fn take_away(&self, found: &Found) -> Result<bool> {
        let keys: Vec<String> = found
            .entry
            .data_keys()
            .map(str::to_owned)
            .chain(found.entry.condemned.clone())
            .collect();
        let (freed, entries) = (
            found.entry.charge(&found.key),
            u64::from(found.entry.value.is_some()),
        );
        let mut version = found.version.clone();
        if !keys.is_empty() {
            let mut condemned = found.entry.clone();
            condemned.condemn(self.now());
            match self.swap(&found.key, Some(&version), &condemned, None).await? {
                Some(swapped) => version = swapped,
                None => return Ok(false),
            }
            self.shared.ledger.release(freed, entries);
            self.shared.values.destroy(&keys).await?;
            self.clear_away(&found.entry, None).await;
            // Whoever was faster took it over, or finished it.
            self.remove(&found.key, &version).await?;
            return Ok(true);
        }
        if self.remove(&found.key, &version).await?.is_none() {
            return Ok(false);
        }
        self.shared.ledger.release(freed, entries);
        self.clear_away(&found.entry, None).await;
        Ok(true)
    }

    /// Writes down when an entry was used last, where its document does not know; `true` if it was used since.
    async fn note_use(&self, found: &Found) -> Result<bool> {
        let Some(used) = self.shared.memory.take_use(&found.key) else {
            return Ok(false);
        };
        let Some(known) = found.entry.uses().filter(|known| known.used_at < used.at) else {
            return Ok(false);
        };
        let mut entry = found.entry.clone();
        entry.used(&found.key, used.at, known.uses.saturating_add(used.times));
        self.swap(&found.key, Some(&found.version), &entry, None).await?;
        Ok(true)
    }

    /// Writes down every use the documents do not know yet.
    pub(super) async fn write_uses(&self) -> Result<()> {
        for (key, used) in self.shared.memory.take_uses() {
            for attempt in 0..3 {
                let Some(mut found) = self.find(&key).await? else {
                    break;
                };
                let Some(known) = found.entry.uses().filter(|known| known.used_at < used.at) else {
                    break;
                };
                found
                    .entry
                    .used(&key, used.at, known.uses.saturating_add(used.times));
                if self
                    .swap(&key, Some(&found.version), &found.entry, None)
                    .await?
                    .is_some()
                {
                    break;
                }
                // A use that is not written down makes nothing wrong.
                pause(attempt).await;
            }
        }
        Ok(())
    }
}
