//! Writing the documents of a page, protected from what a migrator that was paused might do.

use futures::stream::{StreamExt, TryStreamExt};
use storage_core::bson::RawDocumentBuf;
use storage_core::{
    Applied, Capability, Condition, DocumentId, Error, ErrorKind, PutOptions, Result, Timestamp, Version,
};

use super::state::{STATE, State};
use super::turn::{Documents, Turn};
use crate::race;

/// How many documents are gathered before they are written; their writes go at once or in one batch.
pub(crate) const PAGE: usize = 500;
/// How many bytes, at most, so that memory is bounded and a batch stays under MongoDB's 16 MiB.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Writes on their way at one time, where there is no batch: enough to share a disk's flushes.
const AT_ONCE: usize = 32;

/// What is done to one document.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) id: DocumentId,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Put {
        body: RawDocumentBuf,
        expires_at: Option<Timestamp>,
        condition: Condition,
    },
    /// Deletes this version, after the document was kept elsewhere.
    Move { version: Version, kept: Kept },
    /// Deletes whatever is there.
    Delete,
}

/// Where a removed document is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) record: RawDocumentBuf,
}

impl Write {
    /// What it takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        match &self.action {
            Action::Put { body, .. } => body.as_bytes().len(),
            Action::Move { kept, .. } => kept.record.as_bytes().len(),
            Action::Delete => self.id.as_str().len(),
        }
    }
}

/// The collection removed documents are kept in.
pub(crate) const REMOVED: &str = "migrations.removed";

impl Turn {
    /// Does these writes and records a change of the state with them. Gives the ids of the documents that somebody else changed
    /// meanwhile, which were not written.
    ///
    /// # Errors
    /// `LeaseLost` when another migrator has taken over; the first of the medium, and what was written stays written.
    pub(crate) async fn write(
        &mut self,
        documents: &Documents,
        writes: Vec<Write>,
        change: impl FnOnce(&mut State) + Send,
    ) -> Result<Vec<DocumentId>> {
        self.check_held()?;
        let batches = self.storage.declaration().support(Capability::AtomicBatch);
        let mut state = self.state().clone();
        change(&mut state);
        if batches.is_present() {
            match self.batch(documents, &writes, &state).await {
                Ok(version) => {
                    self.adopt(state, version);
                    return Ok(Vec::new());
                }
                Err(error) if error.applied() == Applied::Unknown => return Err(error),
                // One document is why none was written: one by one it shows which.
                Err(_) => self.confirm().await?,
            }
        }
        let turn = &*self;
        let results = futures::stream::iter(writes)
            .map(|write| async move { turn.single(documents, write).await })
            .buffer_unordered(AT_ONCE);
        let conflicts: Vec<Option<DocumentId>> = results.try_collect().await?;
        self.record(|current| *current = state).await?;
        Ok(conflicts.into_iter().flatten().collect())
    }

    /// All writes and the state, or none. Gives the state's version.
    async fn batch(&self, documents: &Documents, writes: &[Write], state: &State) -> Result<Version> {
        let removed: Documents = self.storage.collection(REMOVED);
        let mut batch = self.storage.batch().put_with(
            &self.state_documents(),
            STATE,
            &state.to_document()?,
            PutOptions::new().condition(self.unchanged()),
        );
        for write in writes {
            batch = match &write.action {
                Action::Put {
                    body,
                    expires_at,
                    condition,
                } => batch.put_with(
                    documents,
                    &write.id,
                    body,
                    expiring(PutOptions::new().condition(condition.clone()), *expires_at),
                ),
                Action::Move { version, kept } => batch.put(&removed, &kept.id, &kept.record).delete_if(
                    documents,
                    &write.id,
                    version.clone(),
                ),
                Action::Delete => batch.delete(documents, &write.id),
            };
        }
        let versions = batch.commit().await?;
        let first = versions.into_iter().next().flatten();
        first.ok_or_else(|| Error::new(ErrorKind::Internal, "the batch gave no version of the state"))
    }

    /// One write; its id where somebody else changed the document.
    pub(super) async fn single(&self, documents: &Documents, write: Write) -> Result<Option<DocumentId>> {
        let Write { id, action } = write;
        let done = match action {
            Action::Put {
                body,
                expires_at,
                condition,
            } => {
                let options = expiring(self.guarded(condition), expires_at);
                documents.put_with(&id, &body, options).await.map(|_| ())
            }
            Action::Move { version, kept } => {
                let removed: Documents = self.storage.collection(REMOVED);
                let options = self.guarded(Condition::Always);
                removed.put_with(&kept.id, &kept.record, options).await?;
                let deleted = documents.delete_if(&id, version).await;
                if matches!(&deleted, Err(error) if race::is_lost(error)) {
                    // It is not gone, so it is not among what is.
                    removed.delete(&kept.id).await?;
                }
                deleted
            }
            Action::Delete => match self.fence() {
                Some(fence) => documents.delete_fenced(&id, fence).await.map(|_| ()),
                None => documents.delete(&id).await.map(|_| ()),
            },
        };
        match done {
            Ok(()) => Ok(None),
            Err(error) if race::is_lost(&error) => Ok(Some(id)),
            Err(error) => Err(error),
        }
    }
}

pub(super) const fn expiring(options: PutOptions, expires_at: Option<Timestamp>) -> PutOptions {
    match expires_at {
        Some(time) => options.expires_at(time),
        None => options,
    }
}
