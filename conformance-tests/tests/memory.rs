//! The reference adapter, held to its own contract.

use std::sync::Arc;

use conformance_tests::InMemory;
use storage_core::Memory;

conformance_tests::suite!(InMemory::new("memory", |memory: Memory| Arc::new(memory)));
conformance_tests::expected!(
    InMemory::new("memory", |memory: Memory| Arc::new(memory)),
    "tests/memory.txt"
);
