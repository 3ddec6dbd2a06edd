//! [`Entry`]: what is stored of a key, in one document.

use serde::{Deserialize, Serialize};
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{Binary, RawDocumentBuf};
use storage_core::{Bytes, Error, ErrorKind, Result, Timestamp, Version};

/// What this version writes. Newer entries are refused untouched.
const FORMAT: i64 = 1;

/// What is stored of a key.
///
/// The value is in the document or in an object the document names, so whoever swaps the document commits everything at once. An object
/// is named among `next` before it is written, and has a name of its own: what no document names is nobody's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    format: i64,
    /// Nothing while the first value is still being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
    /// The values before it, newest first, where backups are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) previous: Vec<Value>,
    /// Objects that may be being written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) next: Vec<Next>,
    /// Keys of values that are gone, which are to be destroyed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) condemned: Vec<String>,
    /// Who asked that it be kept from eviction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) holds: Vec<Held>,
    /// When the value expires, or a document without one may be cleaned up; for the index `by_expiry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// What eviction goes by; not there in permanent entries, which are then not in its index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evict: Option<Evict>,
}

/// One value, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Value {
    pub(super) kind: Kind,
    /// Where the bytes are: as text or bytes in this very document, or in an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Binary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<String>,
    /// Bytes of the value itself.
    pub(super) length: u64,
    /// Bytes as they are stored.
    pub(super) stored: u64,
    /// BLAKE3 of the bytes as they are stored.
    hash: Binary,
    pub(super) codec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cipher: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_id: Option<String>,
    /// The document of the value's own key, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data_key: Option<String>,
    pub(super) written_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) permanent: bool,
}

/// What a value was before it became bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Bytes, as they were given.
    Bytes,
    /// A value of some type, as JSON.
    Json,
}

/// An object that may be being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Next {
    pub(super) object: String,
    pub(super) since: Timestamp,
}

/// A hold on an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) until: Timestamp,
}

/// What eviction goes by, one field for each policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evict {
    pub(super) used_at: Timestamp,
    pub(super) uses: u64,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// An entry, and the version of its document.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) version: Version,
    pub(super) entry: Entry,
}

/// How a value is stored: what [`Value`] says of its bytes.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
    pub(super) length: u64,
    pub(super) codec: String,
    pub(super) cipher: Option<String>,
    pub(super) key_id: Option<String>,
    pub(super) data_key: Option<String>,
}

/// How long a value lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) permanent: bool,
}

impl Entry {
    pub(super) const fn empty() -> Self {
        Self {
            format: FORMAT,
            value: None,
            previous: Vec::new(),
            next: Vec::new(),
            condemned: Vec::new(),
            holds: Vec::new(),
            expires_at: None,
            evict: None,
        }
    }

    /// # Errors
    /// `FormatTooNew`; `Corrupt` naming the key.
    pub(super) fn read(key: &str, raw: &RawDocumentBuf) -> Result<Self> {
        let format = raw.get_i64("format").unwrap_or_default();
        if format > FORMAT {
            let message = format!("it has format {format}, and this version knows formats up to {FORMAT}");
            return Err(Error::new(ErrorKind::FormatTooNew, message).with_key(key));
        }
        storage_core::bson::deserialize_from_slice(raw.as_bytes())
            .map_err(|error| Error::corrupt(key, "its document is not an entry's").with_source(error))
    }

    pub(super) fn write(&self) -> Result<RawDocumentBuf> {
        storage_core::bson::serialize_to_raw_document_buf(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "an entry cannot be written as a document").with_source(error)
        })
    }

    /// The value as anybody may see it now.
    pub(super) fn live(&self, now: Timestamp) -> Option<&Value> {
        self.value.as_ref().filter(|value| !value.is_expired(now))
    }

    /// What is counted for it: every value as it is stored, and the key.
    pub(super) fn charge(&self, key: &str) -> u64 {
        if self.value.is_none() {
            return 0;
        }
        let stored = self.values().map(|value| value.stored);
        // Somebody else may have written any numbers there.
        stored.fold(key.len() as u64, u64::saturating_add)
    }

    /// The value and those before it.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.value.iter().chain(&self.previous)
    }

    /// The keys its values have of their own.
    pub(super) fn data_keys(&self) -> impl Iterator<Item = &str> {
        self.values().filter_map(|value| value.data_key.as_deref())
    }

    /// The objects its values are in.
    pub(super) fn objects(&self) -> impl Iterator<Item = &str> {
        self.values().filter_map(|value| value.object.as_deref())
    }

    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        self.holds.iter().any(|held| held.until > now)
    }

    pub(super) const fn uses(&self) -> Option<Evict> {
        self.evict
    }

    /// A new value over the one there, of which `backups` are kept.
    pub(super) fn replace(&mut self, key: &str, value: Value, backups: usize, now: Timestamp) {
        if let Some(old) = self.value.replace(value) {
            if old.is_expired(now) {
                self.condemned.extend(old.data_key);
            } else {
                self.previous.insert(0, old);
            }
        }
        let gone = self.previous.split_off(backups.min(self.previous.len()));
        self.condemned
            .extend(gone.into_iter().filter_map(|value| value.data_key));
        self.holds.retain(|held| held.until > now);
        self.settle(key, now, 0);
    }

    /// The same entry with other forms of its values, and without uploads under way.
    pub(super) fn with_values(&self, key: &str, values: Vec<Value>) -> Self {
        let mut entry = self.clone();
        let mut values = values.into_iter();
        entry.value = values.next();
        entry.previous = values.collect();
        let written: Vec<String> = entry.objects().map(str::to_owned).collect();
        entry.next.retain(|next| !written.contains(&next.object));
        let (used_at, uses) = self.evict.map_or((Timestamp::from_millis(0), 0), |evict| {
            (evict.used_at, evict.uses)
        });
        entry.settle(key, used_at, uses);
        entry
    }

    /// The last backup and the value change places; `false` where there is none.
    pub(super) fn restore(&mut self, key: &str, now: Timestamp) -> bool {
        if self.previous.is_empty() {
            return false;
        }
        let backup = self.previous.remove(0);
        if let Some(value) = self.value.replace(backup) {
            self.previous.insert(0, value);
        }
        self.settle(key, now, 0);
        true
    }

    /// No value any more, and the keys of all condemned. What is left may be cleaned up at once.
    pub(super) fn condemn(&mut self, now: Timestamp) {
        let gone = self
            .value
            .take()
            .into_iter()
            .chain(std::mem::take(&mut self.previous));
        self.condemned.extend(gone.filter_map(|value| value.data_key));
        (self.expires_at, self.evict) = (Some(now), None);
    }

    /// When and how often it was used by now.
    pub(super) fn used(&mut self, key: &str, at: Timestamp, uses: u64) {
        self.settle(key, at, uses);
    }

    /// How long it lives from now on.
    pub(super) fn live_on(&mut self, key: &str, life: Life, now: Timestamp) {
        let uses = self.evict.map_or(0, |evict| evict.uses);
        if let Some(value) = &mut self.value {
            value.expires_at = life.expires_at;
            value.permanent = life.permanent;
        }
        self.settle(key, now, uses);
    }

    /// A document without a value is cleaned up when nobody finishes it until then.
    pub(super) fn wait_until(&mut self, time: Timestamp) {
        if self.value.is_none() {
            self.expires_at = Some(time);
        }
    }

    /// Brings what the indexes see in line with the value.
    fn settle(&mut self, key: &str, used_at: Timestamp, uses: u64) {
        let bytes = self.charge(key);
        self.expires_at = self.value.as_ref().and_then(|value| value.expires_at);
        self.evict = self
            .value
            .as_ref()
            .filter(|value| !value.permanent)
            .map(|value| Evict {
                used_at,
                uses,
                bytes,
                expires_at: value.expires_at,
            });
    }
}

impl Value {
    /// The value in its document, or in this object.
    pub(super) fn new(encoded: &Encoded, object: Option<String>, life: Life, now: Timestamp) -> Self {
        let mut value = Self {
            kind: encoded.kind,
            text: None,
            bytes: None,
            length: encoded.length,
            stored: encoded.bytes.len() as u64,
            hash: binary(blake3::hash(&encoded.bytes).as_bytes()),
            codec: encoded.codec.clone(),
            cipher: encoded.cipher.clone(),
            key_id: encoded.key_id.clone(),
            data_key: encoded.data_key.clone(),
            written_at: now,
            expires_at: life.expires_at,
            permanent: life.permanent,
            object,
        };
        if value.object.is_none() {
            // What a person can read stays readable.
            let plain = encoded.kind == Kind::Json && encoded.codec == "none" && encoded.cipher.is_none();
            match std::str::from_utf8(&encoded.bytes) {
                Ok(text) if plain => value.text = Some(text.to_owned()),
                _ => value.bytes = Some(binary(&encoded.bytes)),
            }
        }
        value
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The bytes, where they are in the document.
    pub(super) fn inline(&self) -> Option<Bytes> {
        match (&self.text, &self.bytes) {
            (Some(text), _) => Some(Bytes::copy_from_slice(text.as_bytes())),
            (None, Some(bytes)) => Some(Bytes::copy_from_slice(&bytes.bytes)),
            (None, None) => None,
        }
    }

    /// Compares bytes with what was written.
    pub(super) fn check(&self, key: &str, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 != self.stored {
            let message = format!("it has {} bytes, and {} were written", bytes.len(), self.stored);
            return Err(Error::corrupt(key, message));
        }
        if blake3::hash(bytes).as_bytes()[..] != self.hash.bytes[..] {
            return Err(Error::corrupt(key, "its bytes are not those that were written"));
        }
        Ok(())
    }

    pub(super) const fn life(&self) -> Life {
        Life {
            expires_at: self.expires_at,
            permanent: self.permanent,
        }
    }
}

fn binary(bytes: &[u8]) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn value(bytes: &'static str, life: Life) -> Value {
        let encoded = Encoded {
            kind: Kind::Json,
            bytes: Bytes::from_static(bytes.as_bytes()),
            length: bytes.len() as u64,
            codec: "none".into(),
            cipher: None,
            key_id: None,
            data_key: None,
        };
        Value::new(&encoded, None, life, NOW)
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        let mut entry = Entry::empty();
        entry.replace("k", value("1", Life::default()), 1, NOW);
        entry.replace("k", value("\"é\"", Life::default()), 1, NOW);
        entry.next.push(Next {
            object: "o".into(),
            since: NOW,
        });
        entry.holds.push(Held {
            id: "h".into(),
            until: NOW.after(std::time::Duration::from_secs(1)),
        });
        let raw = entry.write().unwrap();
        assert_eq!(Entry::read("k", &raw).unwrap(), entry);
        assert_eq!(entry.charge("k"), 1 + 4 + 1);
        assert_eq!(entry.value.unwrap().inline().unwrap(), "\"é\"");
    }

    #[test]
    fn permanent_entries_are_in_no_index_of_eviction() {
        let permanent = Life {
            permanent: true,
            ..Life::default()
        };
        let mut entry = Entry::empty();
        entry.replace("k", value("1", permanent), 0, NOW);
        assert!(entry.write().unwrap().get("evict").unwrap().is_none());
        entry.live_on("k", Life::default(), NOW);
        assert!(entry.write().unwrap().get("evict").unwrap().is_some());
    }

    #[test]
    fn newer_formats_are_refused_and_damage_is_named() {
        let mut entry = Entry::empty();
        entry.format = 2;
        let error = Entry::read("k", &entry.write().unwrap()).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::FormatTooNew, Some("k")));
        let error =
            Entry::read("k", &storage_core::bson::rawdoc! { "format": 1_i64, "value": 7 }).unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("k")));
    }
}
