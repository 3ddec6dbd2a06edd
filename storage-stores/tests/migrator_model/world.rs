//! [`World`]: the storage as migrators see it, and what the protocol rules out.

/// What protects documents from a migrator that was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A document is written in one batch with the state, which is conditional on what this migrator knows.
    Batch,
    /// A document is written under the lease's fence.
    Fence,
    /// A document is written only as it was read.
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// Documents are written whatever is there.
    BlindWrites,
    /// The stamp is written after the change, not with it.
    StampLater,
    /// The state is written whatever is there.
    BlindState,
    /// Documents are written without what the backend has to guard them.
    NoGuard,
    /// The state is written without the fence that documents are written under.
    UnfencedState,
    /// The end is recorded before the documents are done.
    EndFirst,
    /// What was begun is not recorded.
    NoAnnouncement,
    /// A document that somebody else changed is left out.
    SkipConflicts,
    /// What was begun by another is taken for done.
    TrustRunning,
    /// A rollback that was begun is forgotten by whoever migrates.
    ForgetRollback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Document {
    pub(crate) version: u8,
    pub(crate) stamped: bool,
    /// How often the migration was done to it, less how often it was undone.
    pub(crate) times: i8,
    /// How often the writer counted it.
    pub(crate) updates: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Stage {
    #[default]
    Pending,
    Running,
    RollingBack,
    Applied,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct World {
    pub(crate) documents: [Document; 2],
    pub(crate) stage: Stage,
    pub(crate) state_version: u8,
    /// That of the lease's last holder.
    pub(crate) token: u8,
    /// What the writer was told was written.
    pub(crate) acknowledged: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Up,
    Down,
}
