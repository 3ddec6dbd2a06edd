//! Every layer held to the contract: the whole suite runs over each, on the reference adapter in memory, and over those of bytes also
//! under the overlay.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

mod audit;
mod bounded;
mod cache;
#[cfg(feature = "checksum")]
mod checksum;
#[cfg(feature = "compression")]
mod compress;
#[cfg(all(feature = "checksum", feature = "compression", feature = "encryption"))]
mod encrypt;
mod everywhere;
mod opened;
mod read_only;
mod retry;
#[cfg(all(feature = "checksum", feature = "compression", feature = "encryption"))]
mod stacks;
mod timeout;

use std::process::ExitCode;
use std::sync::Arc;

use conformance_tests::{InMemory, Suite};
use libtest_mimic::{Arguments, Trial};
use storage_core::{Memory, MemoryBackend, Overlay, StorageAdapter, StorageBackend};

fn main() -> ExitCode {
    let trials = [
        audit::trials(),
        bounded::trials(),
        cache::trials(),
        #[cfg(feature = "checksum")]
        checksum::trials(),
        #[cfg(feature = "compression")]
        compress::trials(),
        #[cfg(all(feature = "checksum", feature = "compression", feature = "encryption"))]
        encrypt::trials(),
        everywhere::trials(),
        read_only::trials(),
        retry::trials(),
        #[cfg(all(feature = "checksum", feature = "compression", feature = "encryption"))]
        stacks::trials(),
        timeout::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The suite over a layer on the reference adapter.
fn over_memory<A: StorageAdapter>(
    layer: &'static str,
    wrap: impl Fn(Memory) -> A + Copy + Send + Sync + 'static,
) -> Vec<Trial> {
    let open = move || async move { InMemory::new(layer, move |memory| Arc::new(wrap(memory)) as _) };
    conformance_tests::trials(Suite::Adapter, &format!("{layer}::on_memory"), open)
}

/// The suite over the overlay on a layer on bytes.
fn over_bytes<B: StorageBackend>(
    layer: &'static str,
    wrap: impl Fn(Arc<MemoryBackend>) -> B + Copy + Send + Sync + 'static,
) -> Vec<Trial> {
    let open =
        move || async move { InMemory::new(layer, move |bytes| Arc::new(Overlay::new(wrap(bytes))) as _) };
    conformance_tests::trials(Suite::Adapter, &format!("{layer}::under_the_overlay"), open)
}
