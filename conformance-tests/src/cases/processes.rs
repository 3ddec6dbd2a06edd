//! Other processes on the same place, some of which are killed.

use super::model::{OPERATIONS, OPERATIONS_DEEP, told};
use crate::case::{Failure, Verdict, cases};
use crate::context::Ctx;
use crate::model::{explore_with_crashes, replay_corpus};
use crate::processes::Lane;
use crate::runner::panic_message;

cases! { processes:
    standard [] corpus_of_crashes timeout 600 from Processes =
        "every sequence of operations and crashes that once found a fault is answered as the model answers it";
    standard [] sequences_with_crashes timeout 600 from Processes =
        "in random operations of two clients some of which are killed, what they were told is done is there, what they were doing is there whole or not at all, and everything else is as the model has it";
    deep [] long_sequences_with_crashes timeout 3600 from Processes =
        "in many times more random operations of two clients some of which are killed, nothing is lost and nothing torn";
    standard [Logs, Indexes] kill_9_loses_nothing_acknowledged timeout 600 from Processes =
        "after a writing process was killed everything it was told is done is there, everything else whole or absent, bytes and index entries in step, and a second opening finds the same";
    standard [Logs, Indexes, CreateIfAbsent, CompareAndSwap] two_processes_lose_no_update timeout 600 from Processes =
        "two processes that make and count up one object and one document at once, and append to one log, lose nothing and tear nothing";
    standard [CreateIfAbsent, CompareAndSwap, Documents] what_three_processes_did_has_an_order timeout 600 from Processes =
        "what three processes did to the same objects and documents, one of them killed meanwhile, could have happened in one order";
}

/// Enough to meet each way to die a few times; a test that is to say more starts a lane of its own.
const KILLS: u64 = 40;
const ROUNDS: u64 = 50;
const HISTORIES: u64 = 5;

async fn kill_9_loses_nothing_acknowledged(ctx: &Ctx) -> Verdict {
    run(ctx, |lane| lane.kill(KILLS)).await
}

async fn two_processes_lose_no_update(ctx: &Ctx) -> Verdict {
    run(ctx, |lane| lane.hammer(ROUNDS)).await
}

async fn what_three_processes_did_has_an_order(ctx: &Ctx) -> Verdict {
    run(ctx, |lane| lane.histories(HISTORIES)).await
}

async fn corpus_of_crashes(ctx: &Ctx) -> Verdict {
    replay_corpus(ctx.harness(), true).await
}

async fn sequences_with_crashes(ctx: &Ctx) -> Verdict {
    sequences(ctx, OPERATIONS).await
}

async fn long_sequences_with_crashes(ctx: &Ctx) -> Verdict {
    sequences(ctx, OPERATIONS_DEEP).await
}

async fn sequences(ctx: &Ctx, operations: usize) -> Verdict {
    let operations = ctx.operations().unwrap_or(operations);
    let explored = explore_with_crashes(lane(ctx)?, ctx.seed(), operations).await;
    explored.map_err(told)
}

/// A lane waits for its processes, so it has a thread of its own; it panics where something is lost.
async fn run(ctx: &Ctx, work: impl FnOnce(Lane) + Send + 'static) -> Verdict {
    let lane = lane(ctx)?;
    let ended = tokio::task::spawn_blocking(move || work(lane)).await;
    ended.map_err(|stopped| Failure::new(panic_message(stopped)))
}

fn lane(ctx: &Ctx) -> Result<Lane, Failure> {
    let lane = ctx.harness().lane();
    lane.ok_or_else(|| Failure::new("the harness offers processes, and gives none"))
}
