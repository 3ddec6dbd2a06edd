//! Random sequences of operations against the model.

use crate::case::{Failure, Verdict, cases};
use crate::context::Ctx;
use crate::model::{Broken, explore, kept, replay_corpus};

cases! { model:
    standard [] corpus =
        "every sequence of operations that once found a fault is answered as the model answers it";
    standard [] sequences =
        "random operations of two clients, with new openings and passing time, give the values and refusals of the model";
    deep [] long_sequences timeout 3600 =
        "many times more random operations of two clients give the values and refusals of the model";
}

/// Enough to meet most pairs of operations, and few enough for a server.
pub(super) const OPERATIONS: usize = 600;
pub(super) const OPERATIONS_DEEP: usize = 30_000;

async fn corpus(ctx: &Ctx) -> Verdict {
    replay_corpus(ctx.harness(), false).await
}

async fn sequences(ctx: &Ctx) -> Verdict {
    of(ctx, OPERATIONS).await
}

async fn long_sequences(ctx: &Ctx) -> Verdict {
    of(ctx, OPERATIONS_DEEP).await
}

async fn of(ctx: &Ctx, operations: usize) -> Verdict {
    let explored = explore(ctx.harness(), ctx.seed(), ctx.operations().unwrap_or(operations)).await;
    explored.map_err(told)
}

/// What was found, which is kept.
pub(super) fn told(broken: Box<Broken>) -> Failure {
    let kept = kept(&broken.sequence);
    Failure::new(format!("{broken}; {kept}"))
}
