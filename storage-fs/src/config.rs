//! [`FsConfig`]: where the files are and what is promised about them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use storage_core::Durability;

use crate::system::System;

/// How to open a directory as a storage. Made with [`FsConfig::new`]; every setter says its default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FsConfig {
    pub(crate) root: PathBuf,
    pub(crate) create: bool,
    pub(crate) durability: Durability,
    pub(crate) staging_max_age: Duration,
    pub(crate) confinement: Confinement,
    pub(crate) versions: VersionKeeping,
    pub(crate) case_folding: Option<bool>,
    pub(crate) system: System,
}

/// How it is made sure that no path leaves the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Confinement {
    /// The kernel's way where it has one, step by step elsewhere.
    #[default]
    Auto,
    /// `openat2` with `RESOLVE_BENEATH`; refused at open where the kernel has none (Linux before 5.6, some sandboxes).
    Kernel,
    /// One directory at a time, none of which may be a link.
    Steps,
}

/// Where the version of a file of ours is kept. Decided when the root is created and the same ever after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VersionKeeping {
    /// Extended attributes where the disk has them, modification times elsewhere.
    #[default]
    Auto,
    /// 128 random bits in the attribute `user.storage.version`.
    Attribute,
    /// The modification time, set to random nanoseconds and never to one the file already had.
    ModificationTime,
}

impl FsConfig {
    /// Files under `root`, surviving loss of power.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self {
            root: root.as_ref().to_owned(),
            create: true,
            durability: Durability::PowerLoss,
            staging_max_age: Duration::from_secs(60 * 60),
            confinement: Confinement::Auto,
            versions: VersionKeeping::Auto,
            case_folding: None,
            system: System::default(),
        }
    }

    /// Whether to create the root where it does not exist. Default: yes.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// What an acknowledged write survives: [`Durability::PowerLoss`] (the default) syncs file and directories first;
    /// [`Durability::ProcessCrash`] leaves that to the system. Others are refused at open.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How old a temporary file must be before a sweep looks whether its writer is gone. Default: one hour. It only bounds how
    /// often one looks: a temporary whose writer lives is never removed.
    #[must_use]
    pub fn staging_max_age(mut self, age: Duration) -> Self {
        self.staging_max_age = age;
        self
    }

    /// How paths are kept inside the root. Default: [`Confinement::Auto`].
    #[must_use]
    pub fn confinement(mut self, confinement: Confinement) -> Self {
        self.confinement = confinement;
        self
    }

    /// Where versions are kept, for a root that is yet to be created; refused for one that does it otherwise. Default:
    /// [`VersionKeeping::Auto`].
    #[must_use]
    pub fn versions(mut self, versions: VersionKeeping) -> Self {
        self.versions = versions;
        self
    }

    /// Says that the disk folds case instead of probing it, for a root that is yet to be created: what a tree needs that will be
    /// carried to such a disk. Default: probed.
    #[must_use]
    pub fn case_folding(mut self, folds: bool) -> Self {
        self.case_folding = Some(folds);
        self
    }
}
