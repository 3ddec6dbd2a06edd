//! [`Overlay`]: documents, indexes and logs over any backend with conditional writes and ordered lists.

mod adapter;
mod backoff;
mod build;
mod catalog;
mod claims;
mod declare;
mod engine;
mod entries;
mod find;
mod layout;
mod logs;
mod medium;
mod objects;
mod record;
mod sweep;
mod write;

use std::sync::Arc;
use std::time::Duration;

use self::engine::Engine;
use crate::adapter::SweepReport;
use crate::backend::StorageBackend;
use crate::clock::Timestamp;
use crate::declaration::{Capability, Declaration};
use crate::error::{Error, Result};

/// Makes a full [`StorageAdapter`](crate::StorageAdapter) of any backend that can create if absent and compare and swap.
///
/// ```
/// use storage_core::{MemoryBackend, Overlay, StorageBackend};
/// let adapter = Overlay::new(MemoryBackend::new());
/// assert!(adapter.declaration().documents.is_some());
/// ```
///
/// A backend without both gets objects only: its declaration says so and everything else is `Unsupported`. Never a weaker
/// emulation.
///
/// Everything is kept in the backend's [`Area::Overlay`](crate::Area::Overlay):
///
/// | object | holds |
/// |---|---|
/// | `catalog/<collection>` | the indexes of a collection |
/// | `documents/<collection>/<id>` | the document as JSON, and what the overlay knows of it in the field `_storage` |
/// | `entries/<generation>/<key>/<id>/<nonce>` | nothing: the name is the index entry, and counts if the document names the nonce |
/// | `claims/<generation>/<key>` | which document claims a unique key |
/// | `logs/<name>/head`, `logs/<name>/<incarnation>/<sequence>` | a log's life, and one append each |
///
/// One swap of one object commits each operation. Everything before it is invisible, everything after it is housekeeping that a
/// [sweep](crate::StorageAdapter::sweep) repeats; so a crash, or a future that is dropped, at any point leaves the operation
/// done or not done, and at worst objects nobody sees.
///
/// # Limits
/// Ids and index keys share one object key, in which a byte may take three characters. On a backend with keys of 1,024 bytes that
/// leaves ids 163 and index keys 164 bytes, names 64; a backend with keys of 2,347 bytes or more gives the common 256, 512 and
/// 64. Below 235 bytes there are no documents. The declaration says what holds.
///
/// # Cost
/// A put is a read of the document, a read of the index catalog and a swap, one more write where there was no document, and one write per
/// changed index entry. A query reads a list page and then each candidate, sixteen at a time. Descending order and sorting
/// in memory walk the whole range.
///
/// # A document that cannot be read
/// Reading, writing or deleting it says `Corrupt` and names it, whatever the condition, and never changes it. A query leaves it out,
/// with a line in the log at level warn, because an error there would make its healthy neighbours unreadable.
#[derive(Debug)]
pub struct Overlay<B> {
    backend: Arc<B>,
    declaration: Arc<Declaration>,
    engine: Engine,
}

impl<B: StorageBackend> Overlay<B> {
    /// Documents, indexes and logs over this backend.
    pub fn new(backend: B) -> Self {
        Self::from_arc(Arc::new(backend))
    }

    /// As [`new`](Self::new), over a backend that is used elsewhere too.
    pub fn from_arc(backend: Arc<B>) -> Self {
        let declaration = declare::declaration(backend.declaration());
        Self {
            engine: Engine::new(Arc::<B>::clone(&backend), &declaration),
            declaration: Arc::new(declaration),
            backend,
        }
    }

    /// How old something nobody names must be before a [sweep](crate::StorageAdapter::sweep) looks at it; an hour by default.
    ///
    /// It is about cost, not safety: looking at what a writer just made means the writer starts over.
    #[must_use]
    pub const fn sweep_after(mut self, age: Duration) -> Self {
        self.engine.sweep_after = age;
        self
    }

    /// The backend underneath.
    pub const fn backend(&self) -> &Arc<B> {
        &self.backend
    }

    /// Sweeps, and removes the marks of deleted documents and logs even where the backend cannot delete by version.
    ///
    /// The caller MUST have the store to itself: a write of anybody else at the same time can be lost.
    ///
    /// # Errors
    /// `Unsupported` where there are no documents; those of the medium. What was done stays done.
    pub async fn compact(&self, now: Timestamp) -> Result<SweepReport> {
        if self.declaration.documents.is_none() {
            return Err(Error::unsupported(Capability::Documents));
        }
        self.engine.compact(now).await
    }
}

impl<B> Clone for Overlay<B> {
    /// Another handle over the same backend.
    fn clone(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            declaration: Arc::clone(&self.declaration),
            engine: self.engine.clone(),
        }
    }
}
