//! [`Record`]: what a document's object holds.
//!
//! It is the JSON of the user's fields, followed by one system field:
//!
//! ```json
//! {
//!   "name": "Ada",
//!   "_storage": {
//!     "format": 1,
//!     "version": "5f0e…",
//!     "revision": "9a41…",
//!     "expires_at": 1767225600000,
//!     "entries": { "1c9d22e07b35a684": { "~C3…": "77b0c1d2e3f40516" } }
//!   }
//! }
//! ```
//!
//! `version` is what users see. `revision` is new with every write, a fence included, so even a medium whose versions are
//! hashes of the bytes never gives two states the same medium version. `entries` says for each index generation which entries
//! count, by escaped key; a generation that is there with no entries was dealt with and has none. `state` is `placeholder` or `tombstone` where there
//! is no document.

use std::collections::BTreeMap;

use bson::{RawDocument, RawDocumentBuf};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::layout;
use crate::adapter::StoredDocument;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::name::DocumentId;
use crate::value::{SYSTEM_FIELD, Style, read_document, write_document};
use crate::version::Version;

/// The format of a document's object; every change to what is read raises it.
const FORMAT: i64 = 1;

/// By generation, then by escaped key: the nonce of the entry that counts.
pub(super) type Entries = BTreeMap<String, BTreeMap<String, String>>;

/// The state of one document, present or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// What users see, and what tells one's own write from another's.
    pub(super) version: Version,
    pub(super) content: Content,
    pub(super) entries: Entries,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Document {
        body: RawDocumentBuf,
        expires_at: Option<Timestamp>,
    },
    /// Nothing yet: a base version for the first write.
    Placeholder,
    /// Nothing any more.
    Tombstone,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Absence {
    Placeholder,
    Tombstone,
}

#[derive(Serialize, Deserialize)]
struct System {
    format: i64,
    version: Version,
    revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Absence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default)]
    entries: Entries,
}

impl Record {
    pub(super) fn placeholder() -> Self {
        Self::absent(Content::Placeholder)
    }

    pub(super) fn tombstone() -> Self {
        Self::absent(Content::Tombstone)
    }

    fn absent(content: Content) -> Self {
        Self {
            version: Version::random(),
            content,
            entries: Entries::new(),
        }
    }

    /// The document, unless there is none or it expired.
    pub(super) fn live(&self, now: Timestamp) -> Option<&RawDocument> {
        match &self.content {
            Content::Document { body, expires_at } if expires_at.is_none_or(|at| at > now) => Some(body),
            _ => None,
        }
    }

    /// The version users see, unless there is nothing to see.
    pub(super) fn live_version(&self, now: Timestamp) -> Option<&Version> {
        self.live(now).map(|_| &self.version)
    }

    /// The document as users see it.
    pub(super) fn into_document(self, id: DocumentId, now: Timestamp) -> Option<StoredDocument> {
        match self.content {
            Content::Document { body, expires_at } if expires_at.is_none_or(|at| at > now) => {
                Some(StoredDocument {
                    id,
                    version: self.version,
                    expires_at,
                    body,
                })
            }
            _ => None,
        }
    }

    /// Whether this entry counts.
    pub(super) fn names(&self, generation: &str, value: &str, nonce: &str) -> bool {
        self.nonce(generation, value) == Some(nonce)
    }

    pub(super) fn nonce(&self, generation: &str, value: &str) -> Option<&str> {
        self.entries.get(generation)?.get(value).map(String::as_str)
    }

    /// The bytes at rest, different ones at every call: `revision` is drawn anew.
    pub(super) fn encode(&self) -> Result<Bytes> {
        let (mut document, state, expires_at) = match &self.content {
            Content::Document { body, expires_at } => {
                (body.clone(), None, expires_at.map(Timestamp::as_millis))
            }
            Content::Placeholder => (RawDocumentBuf::new(), Some(Absence::Placeholder), None),
            Content::Tombstone => (RawDocumentBuf::new(), Some(Absence::Tombstone), None),
        };
        let system = System {
            format: FORMAT,
            version: self.version.clone(),
            revision: Version::random().to_string(),
            state,
            expires_at,
            entries: self.entries.clone(),
        };
        let unwritable = |error| {
            Error::new(ErrorKind::Internal, "a document's system field cannot be written").with_source(error)
        };
        let system = bson::serialize_to_raw_document_buf(&system).map_err(unwritable)?;
        document.append(bson::raw::cstr!("_storage"), system);
        Ok(Bytes::from(write_document(&document, Style::Pretty)?))
    }

    /// Reads what [`encode`](Self::encode) wrote. `place` names the document in errors.
    ///
    /// # Errors
    /// `FormatTooNew`; `Corrupt` for everything else.
    pub(super) fn decode(place: &str, bytes: &[u8]) -> Result<Self> {
        let corrupt = |error: Error| {
            Error::corrupt(place, "the stored document cannot be read; restore or remove it")
                .with_source(error)
        };
        let document = read_document(bytes).map_err(corrupt)?;
        let (body, system) = split(&document).ok_or_else(|| {
            Error::corrupt(
                place,
                format!("the stored document has no field {SYSTEM_FIELD:?}"),
            )
        })?;
        layout::check_format(place, system.get_i64("format").ok(), FORMAT)?;
        let system: System = bson::deserialize_from_slice(system.as_bytes()).map_err(|error| {
            Error::corrupt(
                place,
                format!("field {SYSTEM_FIELD:?} cannot be read; restore or remove the document"),
            )
            .with_source(error)
        })?;
        let content = match system.state {
            None => Content::Document {
                body,
                expires_at: system.expires_at.map(Timestamp::from_millis),
            },
            Some(Absence::Placeholder) => Content::Placeholder,
            Some(Absence::Tombstone) => Content::Tombstone,
        };
        Ok(Self {
            version: system.version,
            content,
            entries: system.entries,
        })
    }
}

/// The user's fields and the system field.
fn split(document: &RawDocument) -> Option<(RawDocumentBuf, &RawDocument)> {
    let bytes = document.as_bytes();
    let mut at = size_of::<i32>();
    for element in document.iter_elements() {
        let element = element.ok()?;
        // Type, name, NUL, value.
        let end = at + 1 + element.key().len() + 1 + element.size();
        if element.key().as_str() == SYSTEM_FIELD {
            let system = element.value().ok()?.as_document()?;
            let mut body = Vec::with_capacity(bytes.len() - (end - at));
            body.extend_from_slice(bytes.get(..at)?);
            body.extend_from_slice(bytes.get(end..)?);
            let length = i32::try_from(body.len()).ok()?.to_le_bytes();
            body[..length.len()].copy_from_slice(&length);
            return Some((RawDocumentBuf::from_bytes(body).ok()?, system));
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn record(content: Content) -> Record {
        let mut record = Record::absent(content);
        record
            .entries
            .entry("00".into())
            .or_default()
            .insert("a02F".into(), "77".into());
        record.entries.entry("01".into()).or_default();
        record
    }

    #[test]
    fn a_record_comes_back_and_no_two_writes_are_the_same_bytes() {
        let body = rawdoc! { "name": "Ada", "nested": { "_storage": 1_i64 }, "x": [1_i64, 2.5] };
        for content in [
            Content::Placeholder,
            Content::Tombstone,
            Content::Document {
                body: RawDocumentBuf::new(),
                expires_at: None,
            },
            Content::Document {
                body,
                expires_at: Some(Timestamp::from_millis(-5)),
            },
        ] {
            let record = record(content);
            let bytes = record.encode().unwrap();
            assert_eq!(Record::decode("c/i", &bytes).unwrap(), record);
            assert_ne!(record.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn newer_formats_and_damage_are_told_apart() {
        let text = String::from_utf8(record(Content::Tombstone).encode().unwrap().to_vec()).unwrap();
        let kind = |text: &str| Record::decode("c/i", text.as_bytes()).unwrap_err().kind();
        assert_eq!(
            kind(&text.replace("\"format\": 1", "\"format\": 2")),
            ErrorKind::FormatTooNew
        );
        for damaged in [
            text.replace("\"format\": 1", "\"format\": \"1\""),
            text.replace("_storage", "_stirage"),
            text.replace("tombstone", "tombstane"),
            text[..text.len() / 2].to_owned(),
            String::new(),
        ] {
            assert_eq!(kind(&damaged), ErrorKind::Corrupt, "{damaged}");
        }
    }
}
