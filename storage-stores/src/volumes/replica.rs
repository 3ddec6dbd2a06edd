//! [`Replica`]: one of the storages a store of volumes is kept in.

use storage_core::{ErrorKind, Storage, Timestamp};

/// Whether a write may count on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// A write has succeeded once it is in one of these.
    Durable,
    /// It gets what it can, such as a folder that is synchronized or a disk that is not always there. It alone is never enough, and it
    /// may be [pruned](super::VolumeStore::prune).
    Opportunistic,
}

/// A storage that takes part, with a name for reports.
#[derive(Debug, Clone)]
pub struct Replica {
    pub(super) name: String,
    pub(super) storage: Storage,
    pub(super) role: Role,
}

impl Replica {
    /// One that a write may count on.
    pub fn durable(name: impl Into<String>, storage: Storage) -> Self {
        Self {
            name: name.into(),
            storage,
            role: Role::Durable,
        }
    }

    /// One that gets what it can.
    pub fn opportunistic(name: impl Into<String>, storage: Storage) -> Self {
        Self {
            name: name.into(),
            storage,
            role: Role::Opportunistic,
        }
    }
}

/// Something that did not work on a replica, though the operation as a whole may have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Which replica.
    pub replica: String,
    /// What kind of failure: `NoSpace`, `Unavailable`, `PermissionDenied`, `Corrupt` and so on.
    pub kind: ErrorKind,
    /// The key concerned.
    pub key: Option<String>,
    /// What the storage said.
    pub message: String,
    /// When.
    pub at: Timestamp,
}
