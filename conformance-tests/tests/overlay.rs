//! The overlay on the bytes-only reference backend: documents, indexes and logs over plain objects.

use std::sync::Arc;

use conformance_tests::{Failing, Faulty, InMemory};
use storage_core::{Memory, MemoryBackend, Overlay};

conformance_tests::suite!(InMemory::new("overlay", |backend: MemoryBackend| {
    Arc::new(Overlay::new(backend))
}));
conformance_tests::expected!(
    InMemory::new("overlay", |backend: MemoryBackend| Arc::new(Overlay::new(
        backend
    ))),
    "tests/overlay.txt"
);

/// The overlay on a medium that fails.
mod failing {
    use super::*;

    fn harness() -> impl conformance_tests::Harness {
        let overlay = InMemory::new("overlay", |memory: Memory| Arc::new(Overlay::new(memory)));
        overlay.with_failures(|memory, at, fault| {
            let medium = Arc::new(Faulty::new(Arc::new(memory), at, fault));
            let overlay = Overlay::from_arc(Arc::clone(&medium));
            Failing::new(Arc::new(overlay), move || medium.was_reached())
        })
    }

    conformance_tests::failures!(harness());
}
