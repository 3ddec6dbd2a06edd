//! [`Doomed`]: what a process is to do that is killed meanwhile, with everything in it that only the model knows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::value::canonical;
use storage_core::{
    Applied, Condition, PutOptions, Result, Storage, StorageAdapter, Timestamp, Version, WriteOptions,
    malformed,
};

use super::clock::Frozen;
use super::operation::{Content, End, Operation};
use crate::exact;

/// One operation, and what time it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Doomed {
    pub(super) milliseconds: u64,
    pub(super) work: Work,
}

/// What is done, each a write that is whole or not at all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    Write {
        key: String,
        pieces: Vec<Content>,
        #[serde(with = "AnyCondition")]
        condition: Condition,
        /// Piece by piece, or all at once.
        streamed: bool,
    },
    Delete {
        key: String,
        version: Option<Version>,
    },
    /// One document, or several where the batch is atomic.
    Change {
        changes: Vec<Change>,
        batch: bool,
    },
    Append {
        log: String,
        entries: Vec<String>,
        expected: Option<u64>,
    },
    CloseLog {
        log: String,
    },
    DeleteLog {
        log: String,
    },
}

/// A document to write or, without a body, to delete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    collection: String,
    id: String,
    #[serde(with = "exact::document")]
    body: Document,
    deletes: bool,
    #[serde(with = "AnyCondition")]
    condition: Condition,
    expires_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Condition", rename_all = "kebab-case")]
enum AnyCondition {
    Always,
    IfAbsent,
    IfVersion(Version),
}

/// What the process was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// It is done, under these versions.
    Done(Vec<Option<Version>>),
    /// It is refused, for a reason of this kind, and nothing was applied.
    Refused(String),
    /// It failed, and something may have been applied.
    Doubtful(String),
}

/// Whether an operation may be under way when a process is killed: a write that is whole or not at all, and needs nothing that is
/// gone with the process.
pub(super) const fn can_be_cut_short(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Write { .. }
            | Operation::Upload { end: End::Finish, .. }
            | Operation::Delete { .. }
            | Operation::Put { fence: None, .. }
            | Operation::Remove { .. }
            | Operation::Commit { .. }
            | Operation::Append { .. }
            | Operation::CloseLog { .. }
            | Operation::DeleteLog { .. }
    )
}

impl Change {
    fn new(collection: &str, change: &super::state::Change) -> Self {
        Self {
            collection: collection.to_owned(),
            id: change.id.clone(),
            body: change.body.clone().unwrap_or_default(),
            deletes: change.body.is_none(),
            condition: change.condition.clone(),
            expires_at: change.expires_at.map(Timestamp::as_millis),
        }
    }

    fn options(&self) -> PutOptions {
        let options = PutOptions::new().condition(self.condition.clone());
        match self.expires_at {
            Some(time) => options.expires_at(Timestamp::from_millis(time)),
            None => options,
        }
    }

    fn raw(&self) -> Result<RawDocumentBuf> {
        canonical(RawDocumentBuf::try_from(&self.body).map_err(malformed)?)
    }

    async fn make(&self, storage: &Storage) -> Result<Option<Version>> {
        let documents = storage.collection::<RawDocumentBuf>(&self.collection);
        match (&self.condition, self.deletes) {
            (_, false) => documents
                .put_with(&self.id, &self.raw()?, self.options())
                .await
                .map(Some),
            (Condition::IfVersion(version), true) => {
                documents.delete_if(&self.id, version.clone()).await?;
                Ok(None)
            }
            (_, true) => documents.delete(&self.id).await.map(|_| None),
        }
    }
}

impl Doomed {
    /// The storage it is done on, in which it is the time of the model.
    pub(crate) fn storage(&self, adapter: Arc<dyn StorageAdapter>) -> Storage {
        let clock = Frozen::default();
        clock.advance(self.milliseconds);
        Storage::with_clock(adapter, Arc::new(clock))
    }

    /// Does it, and gives what is to be told to whoever looks what became of it.
    pub(crate) async fn run(&self, storage: &Storage) -> impl Serialize + use<> {
        match self.work.run(storage).await {
            Ok(versions) => Answer::Done(versions),
            Err(error) if error.applied() == Applied::No => Answer::Refused(error.kind().to_string()),
            Err(error) => Answer::Doubtful(error.to_string()),
        }
    }
}

impl Work {
    /// These changes, in one batch or one by one.
    pub(super) fn of(changes: &[(String, super::state::Change)], batch: bool) -> Self {
        let changes = changes
            .iter()
            .map(|(collection, change)| Change::new(collection, change));
        Self::Change {
            changes: changes.collect(),
            batch,
        }
    }

    pub(super) async fn run(&self, storage: &Storage) -> Result<Vec<Option<Version>>> {
        let objects = storage.objects();
        match self {
            Self::Write {
                key,
                pieces,
                condition,
                streamed,
            } => {
                let options = WriteOptions::new().condition(condition.clone());
                if !streamed {
                    let version = objects.write_with(key, whole(pieces), options).await?;
                    return Ok(vec![Some(version)]);
                }
                let mut upload = objects.upload(key, options).await?;
                for piece in pieces {
                    upload.write(piece.bytes()).await?;
                }
                Ok(vec![Some(upload.finish().await?)])
            }
            Self::Delete { key, version: None } => objects.delete(key).await.map(|()| Vec::new()),
            Self::Delete {
                key,
                version: Some(version),
            } => objects.delete_if(key, version.clone()).await.map(|()| Vec::new()),
            Self::Change {
                changes,
                batch: false,
            } => {
                let mut versions = Vec::new();
                for change in changes {
                    versions.push(change.make(storage).await?);
                }
                Ok(versions)
            }
            Self::Change { changes, batch: true } => {
                let mut batch = storage.batch();
                for change in changes {
                    let documents = storage.collection::<RawDocumentBuf>(&change.collection);
                    batch = match (&change.condition, change.deletes) {
                        (_, false) => {
                            batch.put_with(&documents, &change.id, &change.raw()?, change.options())
                        }
                        (Condition::IfVersion(version), true) => {
                            batch.delete_if(&documents, &change.id, version.clone())
                        }
                        (_, true) => batch.delete(&documents, &change.id),
                    };
                }
                batch.commit().await
            }
            Self::Append {
                log,
                entries,
                expected,
            } => {
                let (log, entries) = (storage.log(log), entries.iter().cloned());
                match expected {
                    None => log.append_all(entries).await?,
                    Some(expected) => log.append_at(*expected, entries).await?,
                };
                Ok(Vec::new())
            }
            Self::CloseLog { log } => storage.log(log).close().await.map(|()| Vec::new()),
            Self::DeleteLog { log } => storage.log(log).delete().await.map(|()| Vec::new()),
        }
    }
}

/// All pieces in one.
pub(super) fn whole(pieces: &[Content]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.bytes()).collect()
}
