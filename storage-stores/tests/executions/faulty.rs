//! A law tried once for every call that a store makes.

use std::sync::Arc;

use conformance_tests::{Fault, Faulty};
use futures::future::BoxFuture;
use storage_core::Storage;

use crate::place::Place;

/// Runs `attempt` with a storage that dies at call 0, then at call 1, and so on, until it says that it got through. Gives how many
/// calls that took.
pub(crate) async fn each_call(
    place: &Place,
    fault: Fault,
    mut attempt: impl AsyncFnMut(Storage, usize) -> bool,
) -> usize {
    for at in 0..1_000 {
        let faulty = Faulty::new(place.adapter().await, at, fault);
        if attempt(Storage::new(faulty), at).await {
            return at;
        }
    }
    panic!("it never gets through");
}

/// Runs `attempt` with a storage whose caller is overtaken by `others` right before call 0, then before call 1, and so on, until
/// it makes no such call. Gives how many there were.
pub(crate) async fn each_interruption(
    place: &Place,
    others: impl Fn() -> BoxFuture<'static, ()>,
    mut attempt: impl AsyncFnMut(Storage, usize),
) -> usize {
    for at in 0..1_000 {
        let faulty = Arc::new(Faulty::overtaken(place.adapter().await, at, others()));
        attempt(Storage::from_arc(faulty.clone()), at).await;
        if !faulty.was_reached() {
            return at;
        }
    }
    panic!("it never stops calling");
}
