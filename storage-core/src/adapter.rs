//! [`StorageAdapter`]: the full contract. Documents, indexes, queries and logs beside a backend's bytes.

use async_trait::async_trait;
use bson::RawDocumentBuf;
use bytes::Bytes;

use crate::backend::{Condition, Listing, StorageBackend};
use crate::change::{Changes, WatchRequest};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::{DocumentId, Name};
use crate::query::{Filter, Position, Sort};
use crate::version::Version;

/// Everything [`Storage`](crate::Storage) needs of a medium.
///
/// Most authors implement [`StorageBackend`] and get this from [`Overlay`](crate::Overlay); an engine with documents of its own
/// implements it itself. No method has a default body, so a wrapper cannot forget one.
///
/// What holds for every method: documents arrive canonical ([`value::canonical`](crate::value::canonical)) and within the declared
/// limits; `now` is the caller's clock, and a document whose `expires_at` is not after it is as if absent, everywhere. An error
/// with `applied: No` left everything as it was. A dropped future happened completely or not at all.
#[async_trait]
pub trait StorageAdapter: StorageBackend {
    /// Writes one document whole: body and expiry.
    ///
    /// # Errors
    /// As [`StorageBackend::write`] for condition and guard; `UniqueViolation` naming the index; `InvalidArgument` for an array
    /// under a single-valued index or on the way to an indexed field and `LimitExceeded` for a long index key, naming the field.
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version>;

    /// Reads one document.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is not a document.
    async fn get(&self, collection: &Name, id: &DocumentId, now: Timestamp)
    -> Result<Option<StoredDocument>>;

    /// Reads many documents, in the order asked.
    ///
    /// # Errors
    /// As [`get`](Self::get), for the first that fails.
    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>>;

    /// Deletes one document; `true` if it was there.
    ///
    /// # Errors
    /// `PreconditionFailed` when `if_version` is not the current one, also where nothing is there; a failed guard.
    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool>;

    /// Writes many documents of one collection, one result each in the order given, at one durability point. Not atomic.
    ///
    /// # Errors
    /// Only when nothing could be attempted.
    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>>;

    /// Applies every operation or none. Gives the new version of each put and `None` for each delete.
    ///
    /// # Errors
    /// The first refusal, with its position as context `operation`; `Unsupported` unless `atomic_batch` is declared.
    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>>;

    /// One page of the documents that match, in the order asked, ties by id. Not a snapshot: a document that does not change is
    /// returned exactly once over the pages.
    ///
    /// # Errors
    /// `IndexRequired` naming the missing index, unless a scan is allowed.
    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage>;

    /// How many documents match.
    ///
    /// # Errors
    /// As [`find`](Self::find); `Corrupt` when a document that would have to be looked at cannot be read.
    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64>;

    /// How [`find`](Self::find) would go about it.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation>;

    /// The names of collections that hold, or held, documents or indexes; in byte order, after `after`.
    ///
    /// # Errors
    /// Those of the medium.
    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>>;

    /// Makes an index exist: creates and backfills it, or does nothing when the same definition is there. `true` if created.
    ///
    /// # Errors
    /// `AlreadyExists` when another definition has the name; `UniqueViolation`, `InvalidArgument` or `LimitExceeded` when a
    /// document does not fit, naming it: the index then does not exist.
    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool>;

    /// Drops an index; `true` if it was there.
    ///
    /// # Errors
    /// Those of the medium.
    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool>;

    /// The indexes of a collection, by name.
    ///
    /// # Errors
    /// Those of the medium.
    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>>;

    /// Builds an index anew from the documents, while others read and write.
    ///
    /// # Errors
    /// `NotFound` where there is none; as [`ensure_index`](Self::ensure_index).
    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()>;

    /// Figures about an index.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats>;

    /// The changes of a collection, from now or from a position on, by whatever handle or process they are made.
    ///
    /// Once this returned, every write that is acknowledged later is told at least once, and perhaps those of right before. The changes
    /// of one document come in the order they were made, each only when a read that begins then sees it. Positions go on behind the
    /// change they came with, over handles and for as long as the medium keeps changes; a reader too slow for that gets
    /// [`ChangePosition::lost`](crate::ChangePosition::lost) rather than a gap. Nothing comes behind an error, but behind `Corrupt` for
    /// one change.
    ///
    /// # Errors
    /// `Unsupported` unless `watch` is declared; [`ChangePosition::lost`](crate::ChangePosition::lost) for a position that is not known,
    /// or not any more.
    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes>;

    /// Appends entries, all or nothing.
    ///
    /// # Errors
    /// `LogClosed`; `PreconditionFailed` when `expected` is not the next sequence number, unless exactly these entries already
    /// stand there, which is `Ok`.
    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended>;

    /// Reads entries from a sequence number on, fewer than `limit` only at the end or where a page would grow too large. A log
    /// that does not exist reads as empty.
    ///
    /// # Errors
    /// `Corrupt` naming the entry.
    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage>;

    /// Closes a log, which is created if need be: nothing can be appended from now on. Idempotent.
    ///
    /// # Errors
    /// Those of the medium.
    async fn close_log(&self, log: &Name) -> Result<()>;

    /// Deletes a log with all its entries; a new one of the name begins at 0. Idempotent.
    ///
    /// # Errors
    /// Those of the medium.
    async fn delete_log(&self, log: &Name) -> Result<()>;

    /// The names of logs, in byte order, after `after`.
    ///
    /// # Errors
    /// Those of the medium.
    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>>;

    /// Housekeeping beside other readers and writers: purges expired documents, sweeps what crashed writers left. Never
    /// changes what anybody can read.
    ///
    /// # Errors
    /// Those of the medium; what was done stays done.
    async fn sweep(&self, now: Timestamp) -> Result<SweepReport>;
}

/// A document to write.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PutRequest {
    /// Its id.
    pub id: DocumentId,
    /// Its fields, canonical.
    pub body: RawDocumentBuf,
    /// When the write may happen.
    pub condition: Condition,
    /// When it disappears; never when `None`. Replaces what was there.
    pub expires_at: Option<Timestamp>,
    /// Only while another document has this version.
    pub guard: Option<DocumentGuard>,
    /// The caller's clock.
    pub now: Timestamp,
}

impl PutRequest {
    /// An unconditional write of a document that does not expire.
    pub const fn new(id: DocumentId, body: RawDocumentBuf, now: Timestamp) -> Self {
        Self {
            id,
            body,
            condition: Condition::Always,
            expires_at: None,
            guard: None,
            now,
        }
    }
}

/// A document to delete.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeleteDocumentRequest {
    /// Its id.
    pub id: DocumentId,
    /// Only where this is the current version.
    pub if_version: Option<Version>,
    /// Only while another document has this version.
    pub guard: Option<DocumentGuard>,
    /// The caller's clock.
    pub now: Timestamp,
}

impl DeleteDocumentRequest {
    /// An unconditional delete.
    pub const fn new(id: DocumentId, now: Timestamp) -> Self {
        Self {
            id,
            if_version: None,
            guard: None,
            now,
        }
    }
}

/// A second document a write depends on, decided atomically with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a place and a version are all there is to it"
)]
pub struct DocumentGuard {
    /// Its collection.
    pub collection: Name,
    /// Its id.
    pub id: DocumentId,
    /// The version it must have.
    pub version: Version,
}

/// Documents to write and delete together.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BatchRequest {
    /// In this order; a later one sees what an earlier one did.
    pub operations: Vec<(Name, BatchOperation)>,
}

/// One operation of a batch.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_enums, reason = "every backend must apply every operation")]
pub enum BatchOperation {
    /// Write a document.
    Put(PutRequest),
    /// Delete a document.
    Delete(DeleteDocumentRequest),
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct StoredDocument {
    /// Its id.
    pub id: DocumentId,
    /// The token of this state.
    pub version: Version,
    /// When it disappears.
    pub expires_at: Option<Timestamp>,
    /// Its fields.
    pub body: RawDocumentBuf,
}

/// What to find.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FindRequest {
    /// Which documents.
    pub filter: Filter,
    /// In which order; ties, and everything when empty, by id. Already complete: see [`Query`](crate::Query) for the order a
    /// query implies.
    pub sort: Vec<Sort>,
    /// Only what comes after this in that order.
    pub after: Option<Position>,
    /// The most documents in the page, at least 1.
    pub limit: usize,
    /// Whether reading every document is acceptable.
    pub allow_scan: bool,
    /// The caller's clock.
    pub now: Timestamp,
    /// Which listing of names the page is of, where documents are found by listing names.
    pub listing: Listing,
}

impl FindRequest {
    /// The first page of up to 100 documents.
    pub fn new(filter: Filter, sort: Vec<Sort>, now: Timestamp) -> Self {
        Self {
            filter,
            sort,
            after: None,
            limit: 100,
            allow_scan: false,
            now,
            listing: Listing::new(),
        }
    }
}

/// One page of documents.
#[derive(Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct FindPage {
    /// In the order asked.
    pub documents: Vec<StoredDocument>,
    /// One `Corrupt` error, naming the entry, for each document met that cannot be read: it is neither taken for absent nor does
    /// it hide its neighbours. Where every page walks over everything, only the first page tells.
    pub unreadable: Vec<Error>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// How a query is answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Where candidates come from.
    pub access: AccessKind,
    /// The index used.
    pub index: Option<String>,
    /// Whether candidates are still filtered one by one.
    pub filtered: bool,
    /// Whether results are sorted in memory, page by page.
    pub sorted: bool,
}

impl Explanation {
    /// An explanation.
    pub const fn new(access: AccessKind, index: Option<String>, filtered: bool, sorted: bool) -> Self {
        Self {
            access,
            index,
            filtered,
            sorted,
        }
    }
}

/// Where the candidates of a query come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AccessKind {
    /// All documents in the order of their ids.
    Ids,
    /// An index.
    Index,
    /// Every document, because a scan was allowed.
    Scan,
}

/// Entries to append.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AppendRequest {
    /// Any bytes; may be none.
    pub entries: Vec<Bytes>,
    /// The sequence number the first entry must get; makes a retry idempotent.
    pub expected: Option<u64>,
}

impl AppendRequest {
    /// At the end, wherever that is.
    pub const fn new(entries: Vec<Bytes>) -> Self {
        Self {
            entries,
            expected: None,
        }
    }
}

/// Where an append landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct Appended {
    /// The sequence number of the first entry; of the next one where none were appended.
    pub first: u64,
    /// The sequence number after the last entry.
    pub next: u64,
}

/// One page of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogPage {
    /// Entries with contiguous sequence numbers.
    pub entries: Vec<LogEntry>,
    /// The sequence number the next append gets, as far as this read saw.
    pub end: u64,
    /// Whether the log is closed.
    pub closed: bool,
    /// Which life of the name this is; another one after a delete. `None` where the log does not exist.
    pub incarnation: Option<Version>,
    /// Bytes of an append that a crash cut short and that were left out, `0` if none. They were never acknowledged.
    pub torn_bytes: u64,
}

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct LogEntry {
    /// Its number: 0, 1, 2, …
    pub sequence: u64,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What housekeeping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct SweepReport {
    /// Expired documents removed from the medium.
    pub purged_documents: u64,
    /// Index entries nobody names.
    pub index_entries: u64,
    /// Marks of deleted documents.
    pub tombstones: u64,
    /// Temporaries of writers that are gone.
    pub temporaries: u64,
}
