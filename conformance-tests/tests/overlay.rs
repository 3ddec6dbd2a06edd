//! The overlay on the bytes-only reference backend: documents, indexes and logs over plain objects.

use std::sync::Arc;

use conformance_tests::InMemory;
use storage_core::{MemoryBackend, Overlay};

conformance_tests::suite!(InMemory::new("overlay", |backend: MemoryBackend| {
    Arc::new(Overlay::new(backend))
}));
conformance_tests::expected!(
    InMemory::new("overlay", |backend: MemoryBackend| Arc::new(Overlay::new(
        backend
    ))),
    "tests/overlay.txt"
);
