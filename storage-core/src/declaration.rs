//! What an adapter says it can do. The conformance suite holds it to every word, and to every word that is missing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// What an adapter can do: one section each for objects, documents and logs. Stable for the life of a handle.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Declaration {
    /// The backend's name, such as `fs`; errors carry it.
    pub backend: Cow<'static, str>,
    /// Objects: bytes under keys.
    pub objects: ObjectsDeclaration,
    /// Documents, indexes and queries; `None` where there are none.
    pub documents: Option<DocumentsDeclaration>,
    /// Logs; `None` where there are none.
    pub logs: Option<LogsDeclaration>,
    /// Why something is absent that other places of this kind have, such as what was found out about a server when it was opened.
    /// Its refusal says so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<Capability, Cow<'static, str>>,
}

/// The objects section.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ObjectsDeclaration {
    /// `write` with [`Condition::IfAbsent`](crate::Condition::IfAbsent).
    pub create_if_absent: Support,
    /// `write` with [`Condition::IfVersion`](crate::Condition::IfVersion).
    pub compare_and_swap: Support,
    /// `delete` with `if_version`.
    pub delete_if: Support,
    /// `write` with a guard on a second object of the same area.
    pub guarded_write: Support,
    /// `open_writer`.
    pub streaming_write: Support,
    /// `copy`.
    pub copy: Support,
    /// `presign`.
    pub presign: Support,
    /// What a version says.
    pub versions: Versions,
    /// What survives once a write is acknowledged.
    pub durability: Durability,
    /// When another handle sees a write.
    pub consistency: Consistency,
    /// The longest key, in bytes of UTF-8.
    pub max_key_bytes: u64,
    /// The largest object in bytes; `None` where only the medium's room bounds it.
    pub max_object_bytes: Option<u64>,
}

/// The documents section.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct DocumentsDeclaration {
    /// `commit`: several documents, all or nothing.
    pub atomic_batch: Support,
    /// A document that disappears at a given time.
    pub expiry: Support,
    /// `put` and `delete_document` with a guard on another document: what leases fence with.
    pub guarded_write: Support,
    /// Indexes and queries over them.
    pub indexes: Support,
    /// Unique indexes.
    pub unique_indexes: Support,
    /// `watch`: the changes of a collection as they happen, whoever makes them.
    pub watch: Support,
    /// What survives once a write is acknowledged.
    pub durability: Durability,
    /// When another handle sees a write.
    pub consistency: Consistency,
    /// The longest id, in bytes of UTF-8.
    pub max_id_bytes: u64,
    /// The longest collection or index name, in bytes of UTF-8.
    pub max_name_bytes: u64,
    /// The largest document, in bytes of BSON.
    pub max_document_bytes: u64,
    /// The longest key of a B-tree index, in bytes of core's encoding; hash indexes have no such limit.
    pub max_index_key_bytes: u64,
    /// The most operations in one `commit` or `put_many`.
    pub max_batch_operations: u64,
    /// The most documents in one page of `find`.
    pub max_page_documents: u64,
    /// How far the clocks of two clients may differ before a document seems to expire early or late.
    pub max_clock_skew: Duration,
}

/// The logs section.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LogsDeclaration {
    /// What survives once an append is acknowledged.
    pub durability: Durability,
    /// When another handle sees an append.
    pub consistency: Consistency,
    /// The longest log name, in bytes of UTF-8.
    pub max_name_bytes: u64,
    /// The largest append, in bytes over all its entries.
    pub max_append_bytes: u64,
    /// The most entries in one append or one page of `read_log`.
    pub max_entries: u64,
}

/// Whether, and how, a capability is there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Support {
    /// The medium does it.
    Native,
    /// It is correct, and costs what is said here.
    Emulated {
        /// What it costs, in a few words.
        cost: Cow<'static, str>,
    },
    /// It is refused with `Unsupported` before any effect.
    Absent,
}

impl Support {
    /// Correct, at this cost.
    pub const fn emulated(cost: &'static str) -> Self {
        Self::Emulated {
            cost: Cow::Borrowed(cost),
        }
    }

    /// Whether it is there at all.
    pub const fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// What a [`Version`](crate::Version) of an object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Versions {
    /// No two writes share one.
    Unique,
    /// Equal bytes may share one, so a change and a change back goes unnoticed.
    ContentHash,
}

/// What an acknowledged write survives. Weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it ends with the process.
    Memory,
    /// The crash of this process, not of the machine.
    ProcessCrash,
    /// Loss of power.
    PowerLoss,
    /// Loss of a machine.
    Replicated,
}

/// When a handle sees what another handle wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Consistency {
    /// At once.
    Linearizable,
    /// Within this bound; its own writes at once.
    Eventual {
        /// The bound.
        bound: Duration,
    },
}

/// One yes-or-no question to a [`Declaration`]. For each the suite has cases for yes and a twin for no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Capability {
    /// [`DocumentsDeclaration::atomic_batch`]
    AtomicBatch,
    /// [`ObjectsDeclaration::compare_and_swap`]
    CompareAndSwap,
    /// [`ObjectsDeclaration::copy`]
    Copy,
    /// [`ObjectsDeclaration::create_if_absent`]
    CreateIfAbsent,
    /// [`ObjectsDeclaration::delete_if`]
    DeleteIf,
    /// [`Declaration::documents`]
    Documents,
    /// [`DocumentsDeclaration::expiry`]
    Expiry,
    /// [`DocumentsDeclaration::guarded_write`]
    GuardedWrite,
    /// [`DocumentsDeclaration::indexes`]
    Indexes,
    /// [`Declaration::logs`]
    Logs,
    /// [`ObjectsDeclaration::guarded_write`]
    ObjectGuard,
    /// [`ObjectsDeclaration::presign`]
    Presign,
    /// [`ObjectsDeclaration::streaming_write`]
    StreamingWrite,
    /// [`DocumentsDeclaration::unique_indexes`]
    UniqueIndexes,
    /// [`DocumentsDeclaration::watch`]
    Watch,
}

impl Capability {
    /// Every capability, in alphabetical order.
    pub const ALL: &[Self] = &[
        Self::AtomicBatch,
        Self::CompareAndSwap,
        Self::Copy,
        Self::CreateIfAbsent,
        Self::DeleteIf,
        Self::Documents,
        Self::Expiry,
        Self::GuardedWrite,
        Self::Indexes,
        Self::Logs,
        Self::ObjectGuard,
        Self::Presign,
        Self::StreamingWrite,
        Self::UniqueIndexes,
        Self::Watch,
    ];

    /// Whether it is in the section of objects.
    pub(crate) const fn is_of_objects(self) -> bool {
        matches!(
            self,
            Self::CompareAndSwap
                | Self::Copy
                | Self::CreateIfAbsent
                | Self::DeleteIf
                | Self::ObjectGuard
                | Self::Presign
                | Self::StreamingWrite
        )
    }

    /// Its name in text, such as `atomic-batch`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtomicBatch => "atomic-batch",
            Self::CompareAndSwap => "compare-and-swap",
            Self::Copy => "copy",
            Self::CreateIfAbsent => "create-if-absent",
            Self::DeleteIf => "delete-if",
            Self::Documents => "documents",
            Self::Expiry => "expiry",
            Self::GuardedWrite => "guarded-write",
            Self::Indexes => "indexes",
            Self::Logs => "logs",
            Self::ObjectGuard => "object-guard",
            Self::Presign => "presign",
            Self::StreamingWrite => "streaming-write",
            Self::UniqueIndexes => "unique-indexes",
            Self::Watch => "watch",
        }
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Declaration {
    /// A backend of this name with plain objects only: everything else absent, to be filled in.
    pub fn new(backend: impl Into<Cow<'static, str>>) -> Self {
        Self {
            backend: backend.into(),
            objects: ObjectsDeclaration::new(),
            documents: None,
            logs: None,
            reasons: BTreeMap::new(),
        }
    }

    /// Refuses what is not declared.
    ///
    /// # Errors
    /// [`unsupported`](Self::unsupported).
    pub fn require(&self, capability: Capability) -> Result<()> {
        if self.support(capability).is_present() {
            return Ok(());
        }
        Err(self.unsupported(capability))
    }

    /// The refusal of what is not declared, with the [reason](Self::reasons) where there is one.
    pub fn unsupported(&self, capability: Capability) -> Error {
        let without_documents = || match capability {
            Capability::Logs => None,
            _ if capability.is_of_objects() => None,
            _ => self.reasons.get(&Capability::Documents),
        };
        let refusal = match self.reasons.get(&capability).or_else(without_documents) {
            Some(reason) => Error::new(
                ErrorKind::Unsupported,
                format!("{capability} is not supported here: {reason}"),
            ),
            None => Error::unsupported(capability),
        };
        refusal.with_context("capability", capability.as_str())
    }

    /// Whether, and how, a capability is there.
    pub fn support(&self, capability: Capability) -> Support {
        let objects = &self.objects;
        let documents = |pick: fn(&DocumentsDeclaration) -> &Support| {
            self.documents
                .as_ref()
                .map_or(Support::Absent, |section| pick(section).clone())
        };
        let native = |present: bool| if present { Support::Native } else { Support::Absent };
        match capability {
            Capability::AtomicBatch => documents(|section| &section.atomic_batch),
            Capability::CompareAndSwap => objects.compare_and_swap.clone(),
            Capability::Copy => objects.copy.clone(),
            Capability::CreateIfAbsent => objects.create_if_absent.clone(),
            Capability::DeleteIf => objects.delete_if.clone(),
            Capability::Documents => native(self.documents.is_some()),
            Capability::Expiry => documents(|section| &section.expiry),
            Capability::GuardedWrite => documents(|section| &section.guarded_write),
            Capability::Indexes => documents(|section| &section.indexes),
            Capability::Logs => native(self.logs.is_some()),
            Capability::ObjectGuard => objects.guarded_write.clone(),
            Capability::Presign => objects.presign.clone(),
            Capability::StreamingWrite => objects.streaming_write.clone(),
            Capability::UniqueIndexes => documents(|section| &section.unique_indexes),
            Capability::Watch => documents(|section| &section.watch),
        }
    }
}

impl ObjectsDeclaration {
    /// Plain reads and unconditional writes that end with the process: the least a backend can be.
    pub const fn new() -> Self {
        Self {
            create_if_absent: Support::Absent,
            compare_and_swap: Support::Absent,
            delete_if: Support::Absent,
            guarded_write: Support::Absent,
            streaming_write: Support::Absent,
            copy: Support::Absent,
            presign: Support::Absent,
            versions: Versions::Unique,
            durability: Durability::Memory,
            consistency: Consistency::Linearizable,
            // What S3, GCS and Azure all take.
            max_key_bytes: 1024,
            max_object_bytes: None,
        }
    }
}

impl Default for ObjectsDeclaration {
    fn default() -> Self {
        Self::new()
    }
}

impl DocumentsDeclaration {
    /// Documents without any capability beyond put, get and list, with the limits every backend of ours keeps.
    pub const fn new(durability: Durability) -> Self {
        Self {
            atomic_batch: Support::Absent,
            expiry: Support::Absent,
            guarded_write: Support::Absent,
            indexes: Support::Absent,
            unique_indexes: Support::Absent,
            watch: Support::Absent,
            durability,
            consistency: Consistency::Linearizable,
            // Ids, names and index keys share one object key of 1,024 bytes in the overlay, escaped at up to three bytes for one.
            max_id_bytes: 256,
            max_name_bytes: 64,
            // MongoDB's bound on a document.
            max_document_bytes: 16 * 1024 * 1024,
            max_index_key_bytes: 512,
            max_batch_operations: 10_000,
            max_page_documents: 10_000,
            max_clock_skew: Duration::from_secs(1),
        }
    }
}

impl LogsDeclaration {
    /// Logs with the limits every backend of ours keeps.
    pub const fn new(durability: Durability) -> Self {
        Self {
            durability,
            consistency: Consistency::Linearizable,
            max_name_bytes: 256,
            max_append_bytes: 8 * 1024 * 1024,
            max_entries: 10_000,
        }
    }
}
