//! `memory:`

use storage_core::Memory;

use super::{Place, Scheme};

/// A fresh, empty memory with every opening: nothing is shared behind the scenes.
pub(super) fn scheme() -> Scheme {
    Scheme::new("memory", |_| async { Ok(Memory::new()) }).place(Place::Nothing)
}
