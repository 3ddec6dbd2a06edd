//! [`Call`]: what a layer that treats every call alike is told about each. [`Around`]: what it does with it.

use std::future::Future;

use futures::future::BoxFuture;
use storage_core::{
    Appended, Area, BatchOperation, BatchRequest, Changes, DocumentId, Explanation, FindPage, IndexInfo,
    IndexStats, Key, ListPage, LogPage, Name, Object, ObjectMeta, Result, StoredDocument, SweepReport,
    Version,
};

/// A layer that does the same around every call: it waits, counts, records, tries again.
pub(crate) trait Around: Send + Sync + std::fmt::Debug + 'static {
    /// Does the work, which has not begun: what is never polled has no effect.
    fn around<'a, R: Answer>(
        &'a self,
        call: Call,
        work: BoxFuture<'a, Result<R>>,
    ) -> impl Future<Output = Result<R>> + Send + 'a;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        /// One operation of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every operation, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in text, such as `delete-document`: in labels, logs and options.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

operations! {
    /// `abort` of a writer
    AbortWrite "abort-write",
    /// `append`
    Append "append",
    /// `close`
    Close "close",
    /// `close_log`
    CloseLog "close-log",
    /// `collections`
    Collections "collections",
    /// `commit`
    Commit "commit",
    /// `copy`
    Copy "copy",
    /// `count`
    Count "count",
    /// `delete`
    Delete "delete",
    /// `delete_document`
    DeleteDocument "delete-document",
    /// `delete_log`
    DeleteLog "delete-log",
    /// `delete_many`
    DeleteMany "delete-many",
    /// `drop_index`
    DropIndex "drop-index",
    /// `ensure_index`
    EnsureIndex "ensure-index",
    /// `explain`
    Explain "explain",
    /// `find`
    Find "find",
    /// `finish` of a writer
    FinishWrite "finish-write",
    /// `get`
    Get "get",
    /// `get_many`
    GetMany "get-many",
    /// `health`
    Health "health",
    /// `indexes`
    Indexes "indexes",
    /// `index_stats`
    IndexStats "index-stats",
    /// `list`
    List "list",
    /// `logs`
    Logs "logs",
    /// `open_writer`
    OpenWriter "open-writer",
    /// `presign`
    Presign "presign",
    /// `put`
    Put "put",
    /// `put_many`
    PutMany "put-many",
    /// `read`
    Read "read",
    /// `read_log`
    ReadLog "read-log",
    /// `rebuild_index`
    RebuildIndex "rebuild-index",
    /// `stat`
    Stat "stat",
    /// `sweep`
    Sweep "sweep",
    /// `watch`: beginning to; what it then tells is no operation
    Watch "watch",
    /// `write`
    Write "write",
    /// `write` of a writer
    WritePart "write-part",
}

/// What kind of work an operation is, for options that hold for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OperationClass {
    /// Building and rebuilding indexes, sweeping: as long as the data is large.
    Maintenance,
    /// Reading one thing, or asking after it.
    Read,
    /// Listing, finding and counting: as long as the page is large.
    Scan,
    /// Changing one thing or several.
    Write,
}

impl Operation {
    /// What kind of work it is.
    pub const fn class(self) -> OperationClass {
        match self {
            Self::Get
            | Self::GetMany
            | Self::Health
            | Self::Presign
            | Self::Read
            | Self::ReadLog
            | Self::Stat
            | Self::Watch => OperationClass::Read,
            Self::Collections
            | Self::Count
            | Self::Explain
            | Self::Find
            | Self::IndexStats
            | Self::Indexes
            | Self::List
            | Self::Logs => OperationClass::Scan,
            Self::Close | Self::DropIndex | Self::EnsureIndex | Self::RebuildIndex | Self::Sweep => {
                OperationClass::Maintenance
            }
            Self::AbortWrite
            | Self::Append
            | Self::CloseLog
            | Self::Commit
            | Self::Copy
            | Self::Delete
            | Self::DeleteDocument
            | Self::DeleteLog
            | Self::DeleteMany
            | Self::FinishWrite
            | Self::OpenWriter
            | Self::Put
            | Self::PutMany
            | Self::Write
            | Self::WritePart => OperationClass::Write,
        }
    }

    /// Whether it can change what others read. Opening a writer and giving it bytes cannot: only finishing does.
    pub const fn changes(self) -> bool {
        match self.class() {
            OperationClass::Read | OperationClass::Scan => false,
            OperationClass::Maintenance => !matches!(self, Self::Close),
            OperationClass::Write => !matches!(self, Self::AbortWrite | Self::OpenWriter | Self::WritePart),
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a call is about.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) target: Target,
    /// Bytes handed over: of an object, of documents, of log entries.
    pub(crate) sent: u64,
    /// Whether doing it twice is the same as once, whatever others do in between.
    pub(crate) repeatable: bool,
    /// Whether it replaces or removes whatever is there.
    pub(crate) overwrites: bool,
}

/// What is named. Names are shared, so this costs no copy.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Collection(Name),
    Document(Name, DocumentId),
    Log(Name),
    Nothing,
    #[cfg_attr(
        not(feature = "audit"),
        allow(dead_code, reason = "only the audit tells the areas apart")
    )]
    Object(Area, Key),
}

impl Call {
    pub(crate) const fn new(operation: Operation) -> Self {
        Self {
            operation,
            target: Target::Nothing,
            sent: 0,
            repeatable: !operation.changes(),
            overwrites: false,
        }
    }

    pub(crate) fn object(operation: Operation, area: Area, key: &Key) -> Self {
        Self::new(operation).about(Target::Object(area, key.clone()))
    }

    pub(crate) fn collection(operation: Operation, collection: &Name) -> Self {
        Self::new(operation).about(Target::Collection(collection.clone()))
    }

    pub(crate) fn document(operation: Operation, collection: &Name, id: &DocumentId) -> Self {
        Self::new(operation).about(Target::Document(collection.clone(), id.clone()))
    }

    pub(crate) fn log(operation: Operation, log: &Name) -> Self {
        Self::new(operation).about(Target::Log(log.clone()))
    }

    fn about(self, target: Target) -> Self {
        Self { target, ..self }
    }

    pub(crate) fn sends(self, bytes: usize) -> Self {
        Self {
            sent: bytes as u64,
            ..self
        }
    }

    pub(crate) fn overwrites_if(self, overwrites: bool) -> Self {
        Self { overwrites, ..self }
    }

    pub(crate) fn repeatable_if(self, repeatable: bool) -> Self {
        Self {
            repeatable: self.repeatable || repeatable,
            ..self
        }
    }
}

impl std::fmt::Display for Target {
    /// As a person would name it: `notes/a.txt`, `users/ada`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Collection(name) | Self::Log(name) => write!(f, "{name}"),
            Self::Document(collection, id) => write!(f, "{collection}/{id}"),
            Self::Nothing => Ok(()),
            Self::Object(_, key) => write!(f, "{key}"),
        }
    }
}

/// The bytes of the documents in a batch.
pub(crate) fn batch_bytes(batch: &BatchRequest) -> usize {
    let bytes = |operation: &BatchOperation| match operation {
        BatchOperation::Put(request) => request.body.as_bytes().len(),
        BatchOperation::Delete(_) => 0,
    };
    batch
        .operations
        .iter()
        .map(|(_, operation)| bytes(operation))
        .sum()
}

/// What a call answers.
pub(crate) trait Answer: Send + 'static {
    /// Bytes of objects, documents and log entries that came back.
    fn received(&self) -> u64;
}

macro_rules! without_bytes {
    ($($answer:ty),* $(,)?) => {
        $(impl Answer for $answer {
            fn received(&self) -> u64 {
                0
            }
        })*
    };
}

without_bytes! {
    (),
    bool,
    u64,
    String,
    Appended,
    Changes,
    Explanation,
    IndexStats,
    ListPage,
    Option<ObjectMeta>,
    Option<Version>,
    SweepReport,
    Vec<IndexInfo>,
    Vec<Name>,
    Vec<Option<Version>>,
    Vec<Result<()>>,
    Vec<Result<Version>>,
    Version,
}

impl Answer for Option<Object> {
    fn received(&self) -> u64 {
        self.as_ref().map_or(0, |object| object.bytes.len() as u64)
    }
}

impl Answer for Option<StoredDocument> {
    fn received(&self) -> u64 {
        self.as_ref().map_or(0, document_bytes)
    }
}

impl Answer for Vec<Option<StoredDocument>> {
    fn received(&self) -> u64 {
        self.iter().flatten().map(document_bytes).sum()
    }
}

impl Answer for FindPage {
    fn received(&self) -> u64 {
        self.documents.iter().map(document_bytes).sum()
    }
}

impl Answer for LogPage {
    fn received(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes.len() as u64).sum()
    }
}

fn document_bytes(document: &StoredDocument) -> u64 {
    document.body.as_bytes().len() as u64
}
