//! [`Rules`]: the protocols as they are, and with one mistake each.

/// One mistake the protocols rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Where nothing is, the document is created if absent, without a placeholder.
    CommitByCreate,
    /// The catalog is read before the base version.
    CatalogFirst,
    /// The document names its entries before they are created.
    EntriesAfterCommit,
    /// Entries nobody names are removed because they are old, without a fence.
    SweepByAge,
    /// Tombstones and placeholders are removed after a look, whatever stands there by then.
    RemoveMarksUnconditionally,
    /// A deleted document's claim is removed.
    ReleaseClaims,
    /// A claim one has already is not written anew.
    KeepOwnClaim,
    /// A claim is taken over without fencing the document that held it.
    TakeOverWithoutFence,
    /// The index is ready once its documents were listed.
    BuildWithoutRewriting,
    /// Placeholders and tombstones are not rewritten.
    BuildDocumentsOnly,
    /// Documents are indexed before the index is registered.
    BuildBeforeRegistering,
    /// After any failure of the swap the writer's own entries are removed.
    RetractWithoutLooking,
    /// After an unknown outcome a writer that sees its base version says that nothing was applied.
    TrustTheBase,
    /// A query does not look whether its index was dropped meanwhile.
    QueryOnce,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    mistake: Option<Mistake>,
}

impl Rules {
    pub(crate) const fn with(mistake: Mistake) -> Self {
        Self {
            mistake: Some(mistake),
        }
    }

    pub(crate) fn make(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
}
