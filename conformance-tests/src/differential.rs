//! Random operations played on an adapter and on [`Memory`](storage_core::Memory): the same answers and the same refusals, but for
//! versions.
//!
//! The cases of the suite each ask for one thing. This asks for anything in any order, as applications do, and finds what two
//! operations that are right alone do to each other. What an adapter does not declare is not asked of it.
//!
//! ```
//! use std::sync::Arc;
//! use conformance_tests::differential;
//! use storage_core::{Memory, StorageAdapter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! for seed in differential::seeds(1..=3) {
//!     let mine = Memory::new();
//!     let clients: [Arc<dyn StorageAdapter>; 2] = [Arc::new(mine.clone()), Arc::new(mine)];
//!     if let Err(difference) = differential::documents(&clients, seed, 100).await {
//!         panic!("{difference}");
//!     }
//! }
//! # }
//! ```

mod pair;
mod queries;
mod steps;
mod values;

use std::ops::RangeInclusive;
use std::sync::Arc;

use storage_core::{Consistency, StorageAdapter};

use self::pair::Pair;
use crate::case::{Failure, Verdict, ensure};

/// Plays so many random operations on documents, indexes and queries, and compares all there is at the end.
///
/// The clients are one or more openings of one place, which is empty; each operation goes to one of them.
///
/// # Errors
/// The first difference, with the seed and the step it was seen at.
pub async fn documents(clients: &[Arc<dyn StorageAdapter>], seed: u64, steps: usize) -> Verdict {
    let mut pair = Pair::new(clients, seed)?;
    for step in 0..steps {
        let verdict = pair.step().await;
        verdict.map_err(|failure| {
            failure.in_context(&format!(
                "step {step} of seed {seed} (run it again with {SEED}={seed})"
            ))
        })?;
    }
    let verdict = pair.compare_all().await;
    verdict.map_err(|failure| {
        failure.in_context(&format!(
            "after {steps} steps of seed {seed} (run it again with {SEED}={seed})"
        ))
    })
}

/// The variable that names the one seed to run.
const SEED: &str = "CONFORMANCE_SEED";

/// The seeds to run: these, or the one `CONFORMANCE_SEED` names.
///
/// # Panics
/// When that is not a number.
pub fn seeds(usual: RangeInclusive<u64>) -> RangeInclusive<u64> {
    match std::env::var(SEED) {
        Ok(seed) => match seed.parse() {
            Ok(seed) => seed..=seed,
            Err(_) => panic!("{SEED} is {seed:?}, which is not a number"),
        },
        Err(_) => usual,
    }
}

/// Whether what clients see can be compared at all.
fn check(clients: &[Arc<dyn StorageAdapter>]) -> Verdict {
    let Some(first) = clients.first() else {
        return Err(Failure::new("there is no client to compare"));
    };
    let Some(documents) = &first.declaration().documents else {
        return Err(Failure::new(
            "it declares no documents, so there is nothing to compare",
        ));
    };
    ensure!(
        documents.consistency == Consistency::Linearizable,
        "it declares that a write is seen later, so an answer that differs proves nothing"
    );
    Ok(())
}
