//! What there is: keys, entries, and how the store stands.

use std::time::Duration;

use serde::Serialize;
use storage_core::bson::RawDocumentBuf;
use storage_core::{ErrorKind, Found as FoundDocuments, Query, Result, Timestamp};

use super::entry::{Entry, Found, Kind, Value};
use super::names;
use super::store::Kv;

/// An entry without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntryInfo {
    /// Its key.
    pub key: String,
    /// Whether it is bytes or JSON.
    pub kind: Kind,
    /// Bytes of the value itself.
    pub length: u64,
    /// Bytes of the value as it is stored.
    pub stored: u64,
    /// What is counted for it: the value and its backups as they are stored, and the key.
    pub size: u64,
    /// How it is compressed, such as `zstd`; `none` if it is not.
    pub codec: String,
    /// What it is encrypted with, such as `aes-256-gcm`.
    pub cipher: Option<String>,
    /// The namespace's key it is encrypted under.
    pub key_id: Option<String>,
    /// When the value was written.
    pub written_at: Timestamp,
    /// When it expires; never when `None`.
    pub expires_at: Option<Timestamp>,
    /// Whether it stays until it is deleted.
    pub permanent: bool,
    /// When it was last used, as far as that is written down; `None` for permanent entries.
    pub used_at: Option<Timestamp>,
    /// How many times it was read or touched since it was written, as far as that is written down.
    pub uses: u64,
    /// How many backups it has.
    pub backups: usize,
    /// How many hold it.
    pub holds: usize,
}

/// How a store stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// The namespace.
    pub namespace: String,
    /// Entries, expired ones that were not cleaned up yet included.
    pub entries: u64,
    /// What is counted for them.
    pub bytes: u64,
    /// Room that other handles have set aside.
    pub reserved: u64,
    /// The limit; none when `None`.
    pub size_limit: Option<u64>,
    /// Values in memory.
    pub memory_entries: u64,
    /// What they take there, as counted against the limit.
    pub memory_bytes: u64,
    /// The limit of that.
    pub memory_limit: u64,
    /// Reads that memory answered.
    pub hits: u64,
    /// Reads that it did not.
    pub misses: u64,
    /// Values that are acknowledged and not stored yet; with [`write_back`](super::KvOptions::write_back) only.
    pub waiting: u64,
    /// For how long a value in memory is given without looking.
    pub staleness: Duration,
    /// How many handles had left something behind that crashed, when this one was opened.
    pub crashed: u64,
}

/// Entries in the order of their keys, fetched a page at a time. Not a snapshot.
#[derive(Debug)]
pub struct Entries {
    kv: Kv,
    prefix: String,
    first: Option<Found>,
    documents: FoundDocuments<RawDocumentBuf>,
}

impl EntryInfo {
    pub(super) fn of(key: &str, entry: &Entry, value: &Value, now: Timestamp) -> Self {
        Self {
            key: key.to_owned(),
            kind: value.kind,
            length: value.length,
            stored: value.stored,
            size: entry.charge(key),
            codec: value.codec.clone(),
            cipher: value.cipher.clone(),
            key_id: value.key_id.clone(),
            written_at: value.written_at,
            expires_at: value.expires_at,
            permanent: value.permanent,
            used_at: entry.uses().map(|uses| uses.used_at),
            uses: entry.uses().map_or(0, |uses| uses.uses),
            backups: entry.previous.len(),
            holds: entry.holds.iter().filter(|held| held.until > now).count(),
        }
    }
}

impl Kv {
    /// Everything about an entry but its value; `None` where there is none. Asks the backend for its document.
    ///
    /// # Errors
    /// `PermissionDenied`; `Corrupt`; those of the medium.
    pub async fn info(&self, key: impl AsRef<str>) -> Result<Option<EntryInfo>> {
        let key = key.as_ref();
        self.admit_reads("look at entry", key)?;
        self.store_waiting_of(key).await?;
        let (found, now) = (self.find(key).await?, self.now());
        Ok(found.and_then(|found| {
            let value = found.entry.live(now)?;
            Some(EntryInfo::of(key, &found.entry, value, now))
        }))
    }

    /// How many bytes are counted for an entry; `None` where there is none.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    pub async fn size(&self, key: impl AsRef<str>) -> Result<Option<u64>> {
        Ok(self.info(key).await?.map(|info| info.size))
    }

    /// The keys that begin with `prefix` and have a value, in the order of their bytes.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn keys(&self, prefix: impl AsRef<str>) -> Result<Vec<String>> {
        let mut entries = self.list(prefix).await?;
        let mut keys = Vec::new();
        while let Some(info) = entries.next().await? {
            keys.push(info.key);
        }
        Ok(keys)
    }

    /// The entries whose keys begin with `prefix`, a page at a time.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium.
    pub async fn list(&self, prefix: impl AsRef<str>) -> Result<Entries> {
        self.admit_list()?;
        self.store_waiting().await?;
        let prefix = prefix.as_ref().to_owned();
        // The key that is the prefix itself comes before all others that begin with it.
        let (first, query) = if prefix.is_empty() {
            (None, Query::all())
        } else {
            self.check_key(&prefix)?;
            (self.find(&prefix).await?, Query::all().after_id(&prefix))
        };
        Ok(Entries {
            kv: self.clone(),
            first,
            documents: self.entries().find(query).await?,
            prefix,
        })
    }

    /// How the store stands. Costs one read.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium.
    pub async fn stats(&self) -> Result<Stats> {
        self.admit_list()?;
        let usage = self.shared.ledger.usage().await?;
        let (memory_entries, memory_bytes) = self.shared.memory.size();
        Ok(Stats {
            namespace: self.namespace().to_owned(),
            entries: usage.entries,
            bytes: usage.bytes,
            reserved: usage.reserved,
            size_limit: self.shared.options.size_limit,
            memory_entries,
            memory_bytes,
            memory_limit: self.shared.memory.limit(),
            hits: self.shared.memory.hits(),
            misses: self.shared.memory.misses(),
            waiting: self.shared.waiting.len(),
            staleness: self.shared.options.staleness,
            crashed: self.shared.crashed,
        })
    }

    /// Where an entry lives, as the backend can say: its document, its object, and an address to read the object under where the backend
    /// gives one. `None` where there is no entry.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    pub async fn resolve(&self, key: impl AsRef<str>) -> Result<Option<Location>> {
        let key = key.as_ref();
        self.admit_reads("resolve entry", key)?;
        self.store_waiting_of(key).await?;
        let Some(found) = self.find(key).await? else {
            return Ok(None);
        };
        let Some(value) = found.entry.live(self.now()) else {
            return Ok(None);
        };
        let object = value.object.clone();
        let url = match &object {
            Some(object) => match self.objects().presign(object, URL_VALID_FOR).await {
                Ok(url) => Some(url),
                Err(error) if error.kind() == ErrorKind::Unsupported => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        Ok(Some(Location {
            collection: names::entries(self.namespace()),
            id: key.to_owned(),
            object,
            url,
        }))
    }

    fn admit_list(&self) -> Result<()> {
        self.access
            .require_reads()
            .map_err(|error| self.named(error, "list key-value store", ""))
    }
}

/// How long the address of an object is valid.
const URL_VALID_FOR: Duration = Duration::from_secs(3600);

/// Where an entry lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Location {
    /// The collection its document is in.
    pub collection: String,
    /// The id of its document.
    pub id: String,
    /// The object its value is in; `None` where the document has it.
    pub object: Option<String>,
    /// An address under which anyone can read the object, as it is stored, for an hour; `None` where the backend gives none.
    pub url: Option<String>,
}

impl Entries {
    /// The next entry; `None` at the end. After a `Corrupt` error that names an entry the next call goes on behind it.
    ///
    /// # Errors
    /// `Corrupt` and `FormatTooNew` naming the key; those of the medium.
    pub async fn next(&mut self) -> Result<Option<EntryInfo>> {
        let Some(found) = self.next_entry().await? else {
            return Ok(None);
        };
        let value = found.entry.value.as_ref();
        Ok(value.map(|value| EntryInfo::of(&found.key, &found.entry, value, self.kv.now())))
    }

    /// The next entry with a value that has not expired.
    pub(super) async fn next_entry(&mut self) -> Result<Option<Found>> {
        if let Some(first) = self.first.take()
            && first.entry.live(self.kv.now()).is_some()
        {
            return Ok(Some(first));
        }
        while let Some(document) = self.documents.next().await? {
            let key = document.id.as_str();
            if !key.starts_with(&self.prefix) {
                return Ok(None);
            }
            let entry = Entry::read(key, &document.value)?;
            if entry.live(self.kv.now()).is_some() {
                return Ok(Some(Found {
                    key: key.to_owned(),
                    version: document.version,
                    entry,
                }));
            }
        }
        Ok(None)
    }
}
