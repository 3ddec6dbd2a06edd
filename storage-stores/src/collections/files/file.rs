//! [`File`] and its [`FileVersion`]s, and the record both are in.

use serde::{Deserialize, Serialize};
use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::{DocumentId, Error, ErrorKind, Index, Result, Timestamp, malformed};

use crate::collections::entity::{Entity, Stored};

/// A file: where it is, what the application keeps about it, and its present version.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct File {
    /// Its id.
    pub id: DocumentId,
    /// Its path within the project: any text.
    pub path: String,
    /// What the application keeps about it.
    pub metadata: Document,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Its present version.
    pub latest: FileVersion,
    /// How many versions are kept.
    pub versions: usize,
}

/// One version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileVersion {
    /// Its number: 1, 2, … A number is never used again, also where versions were removed.
    pub number: u64,
    /// The BLAKE3 hash of its content, in lower-case hex.
    pub hash: String,
    /// Its bytes.
    pub size: u64,
    /// When it was made.
    pub created: Timestamp,
    /// The version before it; `None` for the first that is kept.
    pub previous: Option<u64>,
    /// The version behind it; `None` for the latest.
    pub next: Option<u64>,
    /// The version whose content it took, where it was made by a revert.
    pub reverted_to: Option<u64>,
}

/// A file as it is stored, the whole chain in one document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) project: String,
    pub(super) path: String,
    pub(super) metadata: RawDocumentBuf,
    /// Ascending; the last is the present one.
    pub(super) versions: Vec<VersionRecord>,
    /// The hashes of all versions, once each: an index finds by them who needs a content.
    pub(super) contents: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VersionRecord {
    pub(super) n: u64,
    pub(super) hash: String,
    pub(super) size: u64,
    /// Milliseconds, as `created` and `updated` are.
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reverted_to: Option<u64>,
}

impl Entity for FileRecord {
    const COLLECTION: &'static str = "files";

    fn indexes() -> Vec<Index> {
        vec![
            Index::btree("by_path", ["project", "path"]).unique(),
            Index::hash("by_content", ["contents"]).each(),
        ]
    }
}

impl FileRecord {
    pub(super) fn new(
        project: String,
        path: String,
        metadata: RawDocumentBuf,
        hash: String,
        size: usize,
        at: Timestamp,
    ) -> Self {
        let mut record = Self {
            project,
            path,
            metadata,
            versions: Vec::new(),
            contents: Vec::new(),
        };
        record.push(hash, size as u64, at, None);
        record
    }

    /// Adds a version behind the latest.
    pub(super) fn push(&mut self, hash: String, size: u64, at: Timestamp, reverted_to: Option<u64>) {
        let last = self.versions.last();
        let n = last.map_or(1, |last| last.n + 1);
        // Whatever the clocks of several writers say, the chain is in the order of time.
        let at = last.map_or(at, |last| at.max(last.at));
        if !self.has(&hash) {
            self.contents.push(hash.clone());
        }
        self.versions.push(VersionRecord {
            n,
            hash,
            size,
            at,
            reverted_to,
        });
    }

    /// Keeps these versions.
    pub(super) fn keep(&mut self, keep: impl Fn(&VersionRecord) -> bool) {
        self.versions.retain(keep);
        let mut contents = std::mem::take(&mut self.contents);
        contents.retain(|hash| self.versions.iter().any(|version| version.hash == *hash));
        self.contents = contents;
    }

    pub(super) fn has(&self, hash: &str) -> bool {
        self.contents.iter().any(|known| known == hash)
    }

    pub(super) fn version(&self, number: u64) -> Option<FileVersion> {
        let at = self.versions.iter().position(|version| version.n == number)?;
        Some(self.version_at(at))
    }

    fn version_at(&self, at: usize) -> FileVersion {
        let version = &self.versions[at];
        let number = |at: Option<usize>| at.and_then(|at| self.versions.get(at)).map(|version| version.n);
        FileVersion {
            number: version.n,
            hash: version.hash.clone(),
            size: version.size,
            created: version.at,
            previous: number(at.checked_sub(1)),
            next: number(at.checked_add(1)),
            reverted_to: version.reverted_to,
        }
    }

    pub(super) fn all(&self) -> Vec<FileVersion> {
        (0..self.versions.len()).map(|at| self.version_at(at)).collect()
    }

    /// `NotFound` naming the versions there are.
    pub(super) fn no_such_version(&self, number: u64) -> Error {
        let there = match (self.versions.first(), self.versions.last()) {
            (Some(first), Some(last)) if first.n < last.n => format!("{} to {} are kept", first.n, last.n),
            (Some(only), _) => format!("only {} is kept", only.n),
            (None, _) => "none is kept".to_owned(),
        };
        Error::new(
            ErrorKind::NotFound,
            format!("the file has no version {number}; {there}"),
        )
    }
}

impl File {
    pub(super) fn of(stored: Stored<FileRecord>) -> Result<Self> {
        let Stored {
            id,
            created,
            updated,
            value,
            ..
        } = stored;
        let metadata = Document::try_from(&*value.metadata).map_err(malformed)?;
        let Some(latest) = value.all().pop() else {
            return Err(Error::corrupt(format!("files/{id}"), "the file has no version"));
        };
        Ok(Self {
            id,
            metadata,
            created,
            updated,
            latest,
            versions: value.versions.len(),
            path: value.path,
        })
    }
}
