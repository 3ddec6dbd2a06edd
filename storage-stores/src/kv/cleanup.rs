//! Removing what nobody can see: expired entries, and what crashed writers left.

use storage_core::{Error, ListEntry, ListRequest, Result};

use super::entry::{Entry, Found};
use super::evict::expired;
use super::names;
use super::store::Kv;

/// How many expired entries are looked at in one read.
const PAGE: u64 = 64;

/// What a cleanup removed.
#[derive(Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct CleanupReport {
    /// Expired entries.
    pub expired: u64,
    /// What was counted for them.
    pub bytes: u64,
    /// Writes that a crash cut short.
    pub unfinished: u64,
    /// Objects no entry names.
    pub orphans: u64,
    /// Keys of values that are gone.
    pub data_keys: u64,
    /// Expired entries that are held, and stay until they are not.
    pub held: u64,
    /// Objects in this namespace's directory that it did not write, and which stay.
    pub foreign: u64,
    /// One error for each entry met that cannot be read. It stays as it is.
    #[serde(skip)]
    pub unreadable: Vec<Error>,
}

impl Kv {
    /// Removes expired entries and what crashed writers left, beside readers and writers; never what it does not know. It changes nothing
    /// that anybody can read. The store does it by itself [now and then](super::KvOptions::cleanup_interval).
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium; what was done stays done.
    pub async fn cleanup(&self) -> Result<CleanupReport> {
        self.admit_writes("clean up key-value store", "")?;
        Box::pin(self.recorded("cleanup", "", self.clean())).await
    }

    pub(super) async fn clean(&self) -> Result<CleanupReport> {
        let mut report = CleanupReport::default();
        self.clean_expired(&mut report).await?;
        self.clean_objects(&mut report).await?;
        self.clean_data_keys(&mut report).await?;
        self.shared.ledger.reclaim().await?;
        Ok(report)
    }

    async fn clean_expired(&self, report: &mut CleanupReport) -> Result<()> {
        let query = expired(self.now()).limit(PAGE);
        let mut next = None;
        loop {
            let query = match next.take() {
                Some(token) => query.clone().after(token),
                None => query.clone(),
            };
            let page = self.entries().find_page(query).await?;
            report.unreadable.extend(page.unreadable);
            for document in page.documents {
                let key = document.id.as_str().to_owned();
                match Entry::read(&key, &document.value) {
                    Ok(entry) => {
                        let found = Found {
                            key,
                            version: document.version,
                            entry,
                        };
                        self.clean_entry(found, report).await?;
                    }
                    Err(error) => report.unreadable.push(error),
                }
            }
            if page.next.is_none() {
                return Ok(());
            }
            next = page.next;
        }
    }

    /// Removes an entry that has expired.
    async fn clean_entry(&self, found: Found, report: &mut CleanupReport) -> Result<()> {
        let now = self.now();
        if found.entry.is_held(now) {
            report.held += 1;
            return Ok(());
        }
        let writing = self.shared.memory.writing(&found.key);
        if !self.take_away(&found).await? {
            return Ok(());
        }
        writing.deleted();
        match &found.entry.value {
            Some(_) => {
                report.expired += 1;
                report.bytes += found.entry.charge(&found.key);
            }
            None => report.unfinished += 1,
        }
        // Nobody can finish them any more: their entry is gone.
        for next in &found.entry.next {
            self.objects().delete(&next.object).await?;
        }
        Ok(())
    }

    /// Removes objects that no entry names. The entry is read after the object was seen: a writer names its object before it writes it, so
    /// one that is not named by now is nobody's, and who wrote it cannot commit it any more.
    async fn clean_objects(&self, report: &mut CleanupReport) -> Result<()> {
        let mut request = ListRequest::new(names::directory(self.namespace()));
        loop {
            let page = self.objects().list_page(request.clone()).await?;
            for entry in page.entries {
                let ListEntry::Object(object, _) = entry else {
                    continue;
                };
                match names::key_of_object(self.namespace(), object.as_str()) {
                    Some(key) => report.orphans += u64::from(self.clean_object(&key, object.as_str()).await?),
                    None => report.foreign += 1,
                }
            }
            request.start_after = page.next;
            if request.start_after.is_none() {
                return Ok(());
            }
        }
    }

    async fn clean_object(&self, key: &str, object: &str) -> Result<bool> {
        if self.check_key(key).is_err() {
            return Ok(false);
        }
        let Some(found) = self.find(key).await? else {
            self.objects().delete(object).await?;
            return Ok(true);
        };
        if found.entry.objects().any(|named| named == object) {
            return Ok(false);
        }
        let age = self.shared.options.upload_age;
        let next = found.entry.next.iter().find(|next| next.object == object);
        if let Some(next) = next {
            if next.since.after(age) > self.now() {
                return Ok(false);
            }
            // From here on its writer, if there is one, begins anew.
            let mut entry = found.entry.clone();
            entry.next.retain(|next| next.object != object);
            if self
                .swap(key, Some(&found.version), &entry, None)
                .await?
                .is_none()
            {
                return Ok(false);
            }
        }
        self.objects().delete(object).await?;
        Ok(true)
    }

    /// Removes keys of values that no entry has. A writer makes one right before it commits its value; one that takes longer than the age
    /// of an upload looks whether its key is still there.
    async fn clean_data_keys(&self, report: &mut CleanupReport) -> Result<()> {
        let Some(keys) = self.shared.values.keys() else {
            return Ok(());
        };
        let now = self.now().as_millis();
        let age = i64::try_from(self.shared.options.upload_age.as_millis()).unwrap_or(i64::MAX);
        let before = storage_core::Timestamp::from_millis(now.saturating_sub(age));
        for (name, key) in keys.data_keys_before(before).await? {
            let named = match self.find(&key).await? {
                Some(found) => found.entry.data_keys().any(|named| named == name),
                None => false,
            };
            if !named {
                keys.destroy(&[name]).await?;
                report.data_keys += 1;
            }
        }
        Ok(())
    }
}
