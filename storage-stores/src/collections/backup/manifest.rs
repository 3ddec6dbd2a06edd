//! The manifest: what belongs to a backup, and how to tell that it is whole.

use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, Index, Result, Timestamp};

use super::BackupInfo;
use crate::collections::migrations::state::State;
use crate::collections::schema::SchemaVersion;

/// The format of backups, so that a later one can be told. The second has objects and logs.
pub(super) const FORMAT: u32 = 2;
/// The format of those without, which programs that do not know the second can restore.
pub(super) const FORMAT_OF_DOCUMENTS: u32 = 1;

/// `backups/<name>/manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) backend: String,
    /// The version the data had.
    pub(super) version: Option<SchemaVersion>,
    /// The state of migrations; `None` where there was none.
    pub(super) state: Option<State>,
    pub(super) collections: Vec<CollectionEntry>,
    /// The objects; `None` where they are not in it, and a restore leaves them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) objects: Option<Contents>,
    /// The logs, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) logs: Option<Contents>,
    /// BLAKE3 of this document with an empty text here.
    pub(super) blake3: String,
}

/// A collection in a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionEntry {
    pub(super) name: String,
    pub(super) documents: u64,
    pub(super) indexes: Vec<Index>,
    /// In the order of ids.
    pub(super) parts: Vec<Part>,
}

/// All objects, or all logs, in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    /// How many there are.
    pub(super) count: u64,
    /// The bytes of their contents.
    pub(super) bytes: u64,
    /// One line for each, in the order of keys or names.
    pub(super) parts: Vec<Part>,
}

/// An object with lines, each about a document, an object or a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) key: String,
    pub(super) bytes: u64,
    /// How many lines. The name is from when all were about documents.
    pub(super) documents: u64,
    pub(super) blake3: String,
}

/// The one field that is read of a manifest of any format.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    pub(super) fn read(key: &str, bytes: &[u8]) -> Result<Self> {
        let corrupt = |message: String| Error::corrupt(key, message);
        let Format { format } = serde_json::from_slice(bytes)
            .map_err(|error| corrupt(format!("it is no manifest of a backup: {error}")))?;
        if format > FORMAT {
            let message = format!(
                "the backup has format {format}, and this program knows up to {FORMAT}; use a newer one"
            );
            return Err(Error::new(ErrorKind::FormatTooNew, message).with_key(key));
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| corrupt(format!("it is no manifest of a backup: {error}")))?;
        if manifest.digest()? != manifest.blake3 {
            return Err(corrupt(
                "the manifest was changed since it was written".to_owned(),
            ));
        }
        Ok(manifest)
    }

    /// The text, with the digest filled in.
    pub(super) fn write(mut self) -> Result<Vec<u8>> {
        self.blake3 = self.digest()?;
        let mut text = serde_json::to_vec_pretty(&self).map_err(unwritable)?;
        text.push(b'\n');
        Ok(text)
    }

    fn digest(&self) -> Result<String> {
        let blank = Self {
            blake3: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_vec(&blank).map_err(unwritable)?;
        Ok(blake3::hash(&text).to_hex().to_string())
    }

    pub(super) fn collection(&self, name: &str) -> Option<&CollectionEntry> {
        self.collections.iter().find(|entry| entry.name == name)
    }

    pub(super) fn info(&self) -> BackupInfo {
        let contents = || self.objects.iter().chain(&self.logs);
        let parts = self.collections.iter().flat_map(|entry| &entry.parts);
        let parts = parts.chain(contents().flat_map(|contents| &contents.parts));
        let bytes = parts.map(|part| part.bytes).sum::<u64>();
        BackupInfo {
            name: self.name.clone(),
            created_at: self.created_at,
            backend: self.backend.clone(),
            version: self.version.clone(),
            collections: self.collections.len() as u64,
            documents: self.collections.iter().map(|entry| entry.documents).sum(),
            objects: self.objects.as_ref().map(|objects| objects.count),
            logs: self.logs.as_ref().map(|logs| logs.count),
            bytes: bytes + contents().map(|contents| contents.bytes).sum::<u64>(),
        }
    }
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        "the manifest of the backup cannot be written",
    )
    .with_source(error)
}
