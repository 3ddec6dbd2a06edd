//! Runs cases: panics are caught, time is bounded, what is not declared is checked to be refused.

use std::sync::Arc;

use crate::context::Ctx;
use crate::harness::Harness;
use crate::registry::case;

/// Runs one case.
///
/// # Panics
/// When it fails.
pub async fn run_one(harness: impl Harness, id: &str) {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let case = case(id).unwrap_or_else(|| panic!("there is no case {id:?}"));
    let ctx = Ctx::open(harness, 0)
        .await
        .unwrap_or_else(|error| panic!("failed to {error}"));
    let verdict = (case.run)(&ctx).await;
    if let Err(failure) = verdict {
        panic!("{}: {failure}", case.id);
    }
    ctx.clean_up()
        .await
        .unwrap_or_else(|error| panic!("failed to {error}"));
}

/// Runs one case on a runtime of its own, two threads wide: the body of each test [`suite!`](crate::suite) makes.
///
/// # Panics
/// When it fails.
pub fn run_test<H: Harness>(harness: impl Future<Output = H>, id: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.unwrap_or_else(|error| panic!("failed to start a runtime: {error}"));
    runtime.block_on(async { run_one(harness.await, id).await });
}
