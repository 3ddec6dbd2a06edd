//! Deleting entries, one or all.

use storage_core::{Query, Result};

use super::entry::{Entry, Found};
use super::store::Kv;
use crate::race::{MAX_ATTEMPTS, busy, pause};

const OPERATION: &str = "delete value";

/// What [`Kv::clear`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ClearReport {
    /// Entries that went.
    pub entries: u64,
    /// What was counted for them.
    pub bytes: u64,
    /// Permanent entries that stayed.
    pub permanent: u64,
    /// Held entries that stayed.
    pub held: u64,
}

impl Kv {
    /// Deletes an entry and its backups; `true` if a value was there that had not expired.
    ///
    /// With [data keys](super::KvOptions::data_keys) the keys of its values are destroyed first, so that copies of what was sealed under
    /// them, in backups of the medium, in its journal or in free blocks, cannot be read any more. That is as good as the medium's promise
    /// about the one small document each key is in: a file system or database may keep that for a while too, and a backup that holds both
    /// keeps both. Without data keys, deleting is what the medium makes of it; nothing is overwritten, because disks, copy-on-write and
    /// versioned buckets keep what was overwritten. [`erase`](Self::erase) destroys the namespace's key, and with it everything at once.
    ///
    /// # Errors
    /// `PermissionDenied`; `InvalidName`; those of the medium.
    pub async fn delete(&self, key: impl AsRef<str>) -> Result<bool> {
        let key = key.as_ref();
        self.admit_writes(OPERATION, key)?;
        let deleted = Box::pin(self.recorded("delete", key, async {
            let waiting = self.forget_waiting(key).await;
            let deleted = self.delete_now(key).await?;
            Ok(deleted || waiting)
        }));
        deleted.await.map_err(|error| self.named(error, OPERATION, key))
    }

    pub(super) async fn delete_now(&self, key: &str) -> Result<bool> {
        let writing = self.shared.memory.writing(key);
        for attempt in 0..MAX_ATTEMPTS {
            let Some(found) = self.find(key).await? else {
                writing.deleted();
                return Ok(false);
            };
            let live = found.entry.live(self.now()).is_some();
            if self.take_away(&found).await? {
                writing.deleted();
                return Ok(live);
            }
            pause(attempt).await;
        }
        Err(busy())
    }

    /// Deletes every entry but permanent ones, and with `force` those too. Held entries stay in any case.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium; what went stays gone.
    pub async fn clear(&self, force: bool) -> Result<ClearReport> {
        self.admit_writes("clear key-value store", "")?;
        Box::pin(self.recorded("clear", "", self.clear_now(force))).await
    }

    async fn clear_now(&self, force: bool) -> Result<ClearReport> {
        self.store_waiting().await?;
        let mut report = ClearReport::default();
        let mut documents = self.entries().find(Query::all()).await?;
        while let Some(document) = documents.next().await? {
            let key = document.id.as_str().to_owned();
            let mut found = Some(Found {
                entry: Entry::read(&key, &document.value)?,
                version: document.version,
                key: key.clone(),
            });
            let mut attempt = 0;
            while let Some(current) = found.take() {
                let now = self.now();
                let permanent = current.entry.live(now).is_some_and(|value| value.permanent);
                if current.entry.is_held(now) {
                    report.held += 1;
                } else if permanent && !force {
                    report.permanent += 1;
                } else if current.entry.value.is_none() && !current.entry.next.is_empty() {
                    // Somebody is writing it now.
                } else {
                    let writing = self.shared.memory.writing(&key);
                    if self.take_away(&current).await? {
                        writing.deleted();
                        report.entries += u64::from(current.entry.value.is_some());
                        report.bytes += current.entry.charge(&key);
                    } else if attempt < MAX_ATTEMPTS {
                        pause(attempt).await;
                        attempt += 1;
                        found = self.find(&key).await?;
                    }
                }
            }
        }
        self.shared.ledger.settle().await?;
        Ok(report)
    }
}
