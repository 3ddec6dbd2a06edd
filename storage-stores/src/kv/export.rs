//! Everything a namespace holds, for whoever it is about.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use storage_core::{Bytes, Error, ErrorKind, Result, Timestamp};

use super::entry::Kind;
use super::list::Entries;
use super::store::Kv;

/// An entry as it leaves the store: a line of JSON with its value in the clear.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExportedEntry {
    /// Its key.
    pub key: String,
    /// The value, where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// The value in base64, where it is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// When it was written.
    pub written_at: Timestamp,
    /// When it expires; never when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether it stays until it is deleted.
    pub permanent: bool,
}

/// The entries of a namespace with their values, one at a time. Not a snapshot.
#[derive(Debug)]
pub struct Export {
    kv: Kv,
    entries: Entries,
}

impl Kv {
    /// Every entry of the namespace with its value, decrypted and decompressed, in the order of keys.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium.
    pub async fn export(&self) -> Result<Export> {
        let entries = self.list("").await;
        let entries = self.record_read("export", "", entries).await?;
        Ok(Export {
            kv: self.clone(),
            entries,
        })
    }
}

impl Export {
    /// The next entry; `None` at the end. After an error that names an entry the next call goes on behind it.
    ///
    /// # Errors
    /// `Corrupt` and `FormatTooNew` naming the key; those of the medium.
    pub async fn next(&mut self) -> Result<Option<ExportedEntry>> {
        while let Some(mut found) = self.entries.next_entry().await? {
            while let Some(value) = found.entry.live(self.kv.now()) {
                if let Some(bytes) = self.kv.bytes_of(&found, value).await? {
                    let exported = ExportedEntry::of(&found.key, value.kind, &bytes)?;
                    return Ok(Some(ExportedEntry {
                        written_at: value.written_at,
                        expires_at: value.expires_at,
                        permanent: value.permanent,
                        ..exported
                    }));
                }
                // It was replaced meanwhile.
                match self.kv.find(&found.key).await? {
                    Some(again) => found = again,
                    None => break,
                }
            }
        }
        Ok(None)
    }
}

impl ExportedEntry {
    fn of(key: &str, kind: Kind, bytes: &Bytes) -> Result<Self> {
        let (json, base64) = match kind {
            Kind::Bytes => (None, Some(STANDARD.encode(bytes))),
            Kind::Json => (Some(json(key, bytes)?), None),
        };
        Ok(Self {
            key: key.to_owned(),
            json,
            base64,
            written_at: Timestamp::from_millis(0),
            expires_at: None,
            permanent: false,
        })
    }
}

fn json(key: &str, bytes: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "the value is not JSON")
            .with_key(key)
            .with_source(error)
    })
}
