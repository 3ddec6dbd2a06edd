//! [`Operation`]: one thing a client asks for, without anything that only one adapter knows, so that it can be kept as JSON and asked
//! of any.

use serde::{Deserialize, Serialize};
use storage_core::bson::Document;
use storage_core::{ByteRange, Bytes, Capability, Index};

use crate::exact;
use crate::processes::Moment;
use crate::reference::Condition;

/// One step of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Which of the two clients.
    pub(super) client: usize,
    #[serde(rename = "do")]
    pub(super) operation: Operation,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Operation {
    Write {
        key: String,
        content: Content,
        when: When,
    },
    Upload {
        key: String,
        pieces: Vec<Content>,
        when: When,
        end: End,
    },
    Read {
        key: String,
        range: Option<Range>,
    },
    /// Reads only this version, or with `other` only any other.
    ReadIf {
        key: String,
        version: Which,
        other: bool,
    },
    Delete {
        key: String,
        version: Option<Which>,
    },
    DeleteMany {
        keys: Vec<String>,
    },
    Copy {
        from: String,
        to: String,
    },
    /// A listing to its end, in pages, each asked of the next client.
    List {
        prefix: String,
        after: Option<String>,
        delimiter: bool,
        page: usize,
    },
    Presign {
        key: String,
    },
    Put {
        collection: String,
        document: Put,
        /// Under the fence of the lease this client holds.
        fence: Option<String>,
    },
    PutMany {
        collection: String,
        documents: Vec<Put>,
    },
    Remove {
        collection: String,
        id: String,
        version: Option<Which>,
    },
    Get {
        collection: String,
        ids: Vec<String>,
    },
    Commit {
        writes: Vec<Write>,
    },
    /// A query to its end, in pages, each asked of the next client; its count and its explanation.
    Find {
        collection: String,
        condition: Option<Condition<String>>,
        order: Vec<(String, bool)>,
        page: usize,
        scan: bool,
    },
    EnsureIndex {
        collection: String,
        index: Index,
    },
    DropIndex {
        collection: String,
        index: String,
    },
    RebuildIndex {
        collection: String,
        index: String,
    },
    Append {
        log: String,
        entries: Vec<String>,
        expected: Option<u64>,
    },
    ReadLog {
        log: String,
        from: u64,
        limit: usize,
    },
    CloseLog {
        log: String,
    },
    DeleteLog {
        log: String,
    },
    Acquire {
        lease: String,
    },
    Renew {
        lease: String,
    },
    Release {
        lease: String,
    },
    BreakLease {
        lease: String,
    },
    Sweep,
    /// Compares everything there is.
    LookAtEverything,
    /// Time passes, for everybody.
    AdvanceClock {
        milliseconds: u64,
    },
    /// The client closes and opens the place anew.
    Reopen,
    /// The client is dropped without being closed, with all it holds, and opens the place anew.
    DropWithoutClose,
    /// The client is a process that is killed while it does this, or right after, and opens the place anew.
    CrashRestart {
        during: Box<Self>,
        moment: Moment,
    },
}

/// The bytes of an object, said in few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) seed: u8,
    pub(super) length: usize,
}

impl Content {
    pub(super) fn bytes(self) -> Bytes {
        // 251 is prime, so that no piece looks like another.
        let byte = |at: usize| u8::try_from((at * 7 + usize::from(self.seed)) % 251).unwrap_or(0);
        (0..self.length).map(byte).collect()
    }
}

/// Which bytes to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Range {
    From(u64),
    Bounded(u64, u64),
    Last(u64),
}

impl From<Range> for ByteRange {
    fn from(range: Range) -> Self {
        match range {
            Range::From(start) => Self::From(start),
            Range::Bounded(start, end) => Self::Bounded(start, end),
            Range::Last(length) => Self::Suffix(length),
        }
    }
}

/// How an upload ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    Finish,
    Abort,
    Drop,
}

/// A version, by what it is to whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Which {
    /// The one that is there.
    Current,
    /// One that was there before, or that something else has.
    Earlier,
}

/// When a write may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum When {
    Always,
    Absent,
    Version(Which),
}

/// A document to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Put {
    pub(super) id: String,
    #[serde(with = "exact::document")]
    pub(super) body: Document,
    pub(super) when: When,
    /// In so many milliseconds, which may be none or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_in: Option<i64>,
}

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Write {
    Put(String, Put),
    Remove(String, String, Option<Which>),
}

impl Operation {
    /// What has to be declared for it.
    pub(super) fn needs(&self) -> Vec<Capability> {
        let of_object = |when: &When| match when {
            When::Always => None,
            When::Absent => Some(Capability::CreateIfAbsent),
            When::Version(_) => Some(Capability::CompareAndSwap),
        };
        let of_put = |put: &Put| {
            put.expires_in
                .map(|_| Capability::Expiry)
                .into_iter()
                .chain([Capability::Documents])
        };
        match self {
            Self::CrashRestart { during, .. } => during.needs(),
            Self::Write { when, .. } => of_object(when).into_iter().collect(),
            Self::Upload { when, .. } => of_object(when)
                .into_iter()
                .chain([Capability::StreamingWrite])
                .collect(),
            Self::Delete { version: Some(_), .. } => vec![Capability::DeleteIf],
            Self::Copy { .. } => vec![Capability::Copy],
            Self::Presign { .. } => vec![Capability::Presign],
            Self::Read { .. }
            | Self::ReadIf { .. }
            | Self::Delete { .. }
            | Self::DeleteMany { .. }
            | Self::List { .. }
            | Self::Sweep
            | Self::LookAtEverything
            | Self::AdvanceClock { .. }
            | Self::Reopen
            | Self::DropWithoutClose => Vec::new(),
            Self::Put { document, fence, .. } => {
                let fence = fence.as_ref().map(|_| Capability::GuardedWrite);
                of_put(document).chain(fence).collect()
            }
            Self::Commit { writes } => {
                let puts = writes.iter().filter_map(|write| match write {
                    Write::Put(_, put) => Some(put),
                    Write::Remove(..) => None,
                });
                puts.flat_map(of_put).chain([Capability::AtomicBatch]).collect()
            }
            Self::PutMany { .. }
            | Self::Remove { .. }
            | Self::Get { .. }
            | Self::Acquire { .. }
            | Self::Renew { .. }
            | Self::Release { .. }
            | Self::BreakLease { .. } => vec![Capability::Documents],
            Self::Find { condition, order, .. } if condition.is_none() && order.is_empty() => {
                vec![Capability::Documents]
            }
            Self::EnsureIndex { index, .. } if index.unique => {
                vec![Capability::Indexes, Capability::UniqueIndexes]
            }
            Self::Find { .. }
            | Self::EnsureIndex { .. }
            | Self::DropIndex { .. }
            | Self::RebuildIndex { .. } => vec![Capability::Indexes],
            Self::Append { .. } | Self::ReadLog { .. } | Self::CloseLog { .. } | Self::DeleteLog { .. } => {
                vec![Capability::Logs]
            }
        }
    }
}
