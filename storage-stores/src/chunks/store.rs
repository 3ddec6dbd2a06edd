//! [`ChunkStore`]: the store, how it is opened and closed, and how its documents are read and swapped.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use storage_core::bson::{Document, RawDocument, RawDocumentBuf};
use storage_core::{
    Capability, Collection, Condition, Error, ErrorKind, Index, Objects, PutOptions, Result, Retry, Storage,
    Version,
};

use super::content::Content;
use super::names;
use super::options::ChunkOptions;
use super::record::Record;
use super::timer::Timer;
use crate::race;

/// Content in chunks on a [`Storage`]. Cheap to clone; clones share one timer and are closed together.
///
/// Dropping a future of any method is safe: what was acknowledged stays, and the same call made again finishes the rest.
#[derive(Clone)]
pub struct ChunkStore {
    pub(super) storage: Storage,
    pub(super) options: ChunkOptions,
    pub(super) timer: Arc<Timer>,
}

/// Documents as bytes: they are read and written by hand, so that nothing in them is taken for something else.
pub(super) type Documents = Collection<RawDocumentBuf>;

/// What a change does to the document it looked at.
pub(super) enum Change<T> {
    Keep(T),
    Write(Document, T),
    Delete(T),
}

impl ChunkStore {
    /// Opens the store on this storage, makes the index it needs, and begins the cleanups its options ask for. With a limit over all
    /// sessions it looks at every session.
    ///
    /// # Errors
    /// `Unsupported` unless documents, indexes and conditional writes of objects are declared; `Corrupt` naming a session that cannot be
    /// counted; those of the medium.
    ///
    /// # Panics
    /// Outside a tokio runtime, unless the [interval](ChunkOptions::cleanup_interval) is zero.
    pub async fn open(storage: Storage, options: ChunkOptions) -> Result<Self> {
        storage.require(&[
            Capability::Documents,
            Capability::Indexes,
            Capability::CreateIfAbsent,
            Capability::CompareAndSwap,
        ])?;
        let index = Index::btree("by_session", ["session_id", "is_pinned", "created_at"]);
        let store = Self {
            storage,
            options,
            timer: Arc::default(),
        };
        store.contents().ensure_index(index).await?;
        store.open_totals().await?;
        store.timer.begin(&store);
        Ok(store)
    }

    /// The storage underneath.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The options it was opened with.
    pub const fn options(&self) -> &ChunkOptions {
        &self.options
    }

    /// Ends the timer and closes the storage underneath, with all its clones. Every later call is `Closed`; closing again is `Ok`.
    ///
    /// # Errors
    /// What could not be released or made durable.
    pub async fn close(&self) -> Result<()> {
        self.timer.end();
        self.storage.close().await
    }

    pub(super) fn contents(&self) -> Documents {
        self.storage.collection("content_metadata")
    }

    pub(super) fn records(&self) -> Documents {
        self.storage.collection("chunk_metadata")
    }

    pub(super) fn sessions_collection(&self) -> Documents {
        self.storage.collection("sessions")
    }

    pub(super) fn objects(&self) -> Objects {
        self.storage.objects()
    }

    /// The content of this id, also while it is being deleted.
    pub(super) async fn any_content(&self, id: &str) -> Result<Option<Content>> {
        names::check_content_id(&self.storage, id)?;
        match self.contents().get(id).await? {
            Some(found) => Content::read(id, found.version, document(&found.value)?).map(Some),
            None => Ok(None),
        }
    }

    /// The content of this id.
    pub(super) async fn content(&self, id: &str) -> Result<Option<Content>> {
        Ok(self.any_content(id).await?.filter(|content| !content.deleting))
    }

    /// The record of a chunk, of whichever upload.
    pub(super) async fn any_record(&self, content_id: &str, index: u32) -> Result<Option<Record>> {
        match self.records().get(names::record_id(content_id, index)).await? {
            Some(found) => Record::read(content_id, index, found.version, &document(&found.value)?).map(Some),
            None => Ok(None),
        }
    }

    /// The record of a chunk of this upload.
    pub(super) async fn record(&self, content: &Content, index: u32) -> Result<Option<Record>> {
        let record = self.any_record(content.id(), index).await?;
        Ok(record.filter(|record| record.upload == content.upload))
    }

    /// Writes a document where this version is, or nothing; `None` when somebody else was faster.
    pub(super) async fn swap(
        &self,
        documents: &Documents,
        id: &str,
        expected: Option<&Version>,
        body: &Document,
    ) -> Result<Option<Version>> {
        let condition = match expected {
            Some(version) => Condition::IfVersion(version.clone()),
            None => Condition::IfAbsent,
        };
        let options = PutOptions::new().condition(condition);
        unless_lost(documents.put_with(id, &raw(body)?, options).await)
    }

    /// Changes a document by compare-and-swap, looking again whenever somebody else was faster.
    pub(super) async fn change<T>(
        &self,
        documents: &Documents,
        id: &str,
        mut change: impl FnMut(Option<Document>) -> Result<Change<T>> + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        for attempt in 0..race::MAX_ATTEMPTS {
            let found = documents.get(id).await?;
            let body = found.as_ref().map(|found| document(&found.value)).transpose()?;
            let version = found.map(|found| found.version);
            let outcome = match (change(body)?, version) {
                (Change::Keep(outcome), _) | (Change::Delete(outcome), None) => return Ok(outcome),
                (Change::Write(body, outcome), version) => self
                    .swap(documents, id, version.as_ref(), &body)
                    .await?
                    .map(|_| outcome),
                (Change::Delete(outcome), Some(version)) => {
                    unless_lost(documents.delete_if(id, version).await)?.map(|()| outcome)
                }
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            race::pause(attempt).await;
        }
        Err(busy().with_key(format!("{}/{id}", documents.name())))
    }

    /// Says in an error of this store's own what was being done, and to what; core says it in its own.
    pub(super) fn named(&self, error: Error, operation: impl Into<Cow<'static, str>>, entry: &str) -> Error {
        error
            .with_operation(operation)
            .with_backend(self.storage.declaration().backend.clone())
            .with_key(entry)
    }

    pub(super) fn no_content(&self, operation: &'static str, id: &str) -> Error {
        let error = Error::new(ErrorKind::NotFound, "there is no such content");
        self.named(error, operation, id)
    }
}

impl fmt::Debug for ChunkStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkStore")
            .field("storage", &self.storage)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// `None` in place of an error that says that somebody else was faster.
pub(super) fn unless_lost<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if race::is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn busy() -> Error {
    race::busy().with_retry(Retry::Later)
}

pub(super) fn document(raw: &RawDocument) -> Result<Document> {
    Document::try_from(raw).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "a record is not well-formed BSON").with_source(error)
    })
}

pub(super) fn raw(document: &Document) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(document).map_err(|error| {
        Error::invalid_argument("the metadata holds a value or a name that cannot be stored")
            .with_source(error)
    })
}
