//! [`State`]: what was done, in one document, so that it is never half written on any backend.

use serde::{Deserialize, Serialize};
use storage_core::bson::{RawDocumentBuf, deserialize_from_slice, serialize_to_raw_document_buf};
use storage_core::{Error, ErrorKind, Result, Timestamp};

use super::migration::Definition;
use crate::collections::schema::SchemaVersion;

/// The collection the state is in, and its id there.
pub(crate) const COLLECTION: &str = "migrations";
pub(crate) const STATE: &str = "state";

/// The format of the document, so that a later one can be told.
const FORMAT: i64 = 1;

/// The document `migrations/state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    format: i64,
    /// The highest version that is applied: for people and other programs; it follows from `migrations`.
    current_version: Option<SchemaVersion>,
    /// By version.
    pub(crate) migrations: Vec<Record>,
    /// A restore that was begun and not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restore: Option<Restore>,
}

/// What is known about one migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) version: SchemaVersion,
    pub(crate) description: String,
    pub(crate) checksum: String,
    pub(crate) state: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) applied_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Whether what a failed one did was undone by restoring a backup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) undone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<Counted>,
}

/// How a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Applied,
    Failed,
    RollingBack,
    Running,
}

/// How far a migration has come with the documents of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counted {
    pub(crate) collection: String,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// A restore that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// What is restored.
    pub(crate) backup: String,
    /// What there was before.
    pub(crate) safety: String,
    /// The migration whose failure is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<Record>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT,
            current_version: None,
            migrations: Vec::new(),
            restore: None,
        }
    }
}

impl State {
    /// The state in this document.
    ///
    /// # Errors
    /// `Corrupt` for what is no state; `FormatTooNew` for one of a later library.
    pub(crate) fn of_document(body: &RawDocumentBuf) -> Result<Self> {
        let entry = || format!("{COLLECTION}/{STATE}");
        let format = body.get_i64("format").ok();
        if let Some(format) = format.filter(|format| *format > FORMAT) {
            let message = format!(
                "the state of migrations has format {format}, and this program knows up to {FORMAT}; use a newer one"
            );
            return Err(Error::new(ErrorKind::FormatTooNew, message).with_key(entry()));
        }
        deserialize_from_slice(body.as_bytes()).map_err(|error| {
            let message = format!(
                "the state of migrations cannot be read: {error}; restore a backup, or mend it by hand"
            );
            Error::corrupt(entry(), message)
        })
    }

    pub(crate) fn to_document(&self) -> Result<RawDocumentBuf> {
        serialize_to_raw_document_buf(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "the state of migrations cannot be written").with_source(error)
        })
    }

    /// The highest version that is applied.
    pub(crate) const fn current(&self) -> Option<&SchemaVersion> {
        self.current_version.as_ref()
    }

    pub(crate) fn record(&self, version: &SchemaVersion) -> Option<&Record> {
        self.migrations.iter().find(|record| record.version == *version)
    }

    pub(crate) fn is_applied(&self, version: &SchemaVersion) -> bool {
        self.record(version)
            .is_some_and(|record| record.state == Stage::Applied)
    }

    /// A migration is now in this stage; whatever else was known about the attempt before is gone.
    pub(super) fn set(&mut self, definition: &Definition, stage: Stage, applied_at: Option<Timestamp>) {
        self.put(Record {
            version: definition.version.clone(),
            description: definition.description.clone(),
            checksum: definition.checksum.clone(),
            state: stage,
            applied_at,
            error: None,
            undone: false,
            progress: None,
        });
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.migrations.retain(|known| known.version != record.version);
        self.migrations.push(record);
        self.settle();
    }

    pub(super) fn forget(&mut self, version: &SchemaVersion) {
        self.migrations.retain(|known| known.version != *version);
        self.settle();
    }

    pub(super) fn count(&mut self, version: &SchemaVersion, counted: Counted) {
        if let Some(record) = self
            .migrations
            .iter_mut()
            .find(|record| record.version == *version)
        {
            record.progress = Some(counted);
        }
    }

    fn settle(&mut self) {
        self.migrations.sort_by(|a, b| a.version.cmp(&b.version));
        let mut applied = self.migrations.iter().rev();
        self.current_version = applied
            .find(|record| record.state == Stage::Applied)
            .map(|record| record.version.clone());
    }
}
