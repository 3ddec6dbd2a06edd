//! Random operations by several clients, checked against every order they may have happened in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use storage_core::{Capability, Consistency};

use crate::case::{Failure, Verdict, ensure};
use crate::context::Ctx;
use crate::history::{self, Action, Operation};
use crate::random::Random;
use crate::register::{Client, Known, Medium, Registers};
use crate::settle::settled;

const ROUNDS: usize = 8;
const CLIENTS: usize = 4;
const KEYS: usize = 3;
const OPERATIONS: usize = 25;

pub(super) async fn register_linearizable_per_key(ctx: &Ctx) -> Verdict {
    linearizable(ctx, Medium::Objects, false).await
}

pub(super) async fn register_of_documents_linearizable(ctx: &Ctx) -> Verdict {
    linearizable(ctx, Medium::Documents, false).await
}

pub(super) async fn register_with_calls_given_up(ctx: &Ctx) -> Verdict {
    linearizable(ctx, Medium::Objects, true).await?;
    if ctx.has(Capability::Documents) {
        linearizable(ctx, Medium::Documents, true).await?;
    }
    Ok(())
}

async fn linearizable(ctx: &Ctx, medium: Medium, abandons: bool) -> Verdict {
    let registers = |storage| Registers { storage, medium };
    let handles = [registers(ctx.storage().clone()), registers(ctx.second().await?)];
    let documents = medium == Medium::Documents;
    let declared = ctx.declaration();
    let consistency = match &declared.documents {
        Some(section) if documents => section.consistency,
        _ => declared.objects.consistency,
    };
    let mut random = ctx.random();
    for round in 0..ROUNDS {
        let (clock, values) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
        let ticking = |clock: &Arc<AtomicU64>| {
            let clock = Arc::clone(clock);
            move || clock.fetch_add(1, Ordering::SeqCst)
        };
        let clients = (0..CLIENTS).map(|client| {
            let client = Client {
                registers: handles[client % handles.len()].clone(),
                clock: Box::new(ticking(&clock)),
                fresh: Box::new(ticking(&values)),
                random: Random::new(random.next()),
                create: documents || ctx.has(Capability::CreateIfAbsent),
                swap: documents || ctx.has(Capability::CompareAndSwap),
                abandons,
            };
            tokio::spawn(operate(client, round))
        });
        let clients: Vec<_> = clients.collect();
        let mut histories = vec![Vec::new(); KEYS];
        for done in join_all(clients).await {
            for (key, operation) in done.map_err(|stopped| Failure::new(stopped.to_string()))?? {
                histories[key].push(operation);
            }
        }
        settled(ctx).await;
        for (key, mut history) in histories.into_iter().enumerate() {
            // The last word, on which all clients must agree once nothing is under way.
            for handle in &handles {
                let called = clock.fetch_add(1, Ordering::SeqCst);
                let value = handle.read(&name(round, key)).await?.map(|(value, _)| value);
                let returned = Some(clock.fetch_add(1, Ordering::SeqCst));
                history.push(Operation {
                    called,
                    returned,
                    action: Action::Read(value),
                });
            }
            if consistency != Consistency::Linearizable {
                // Reads meanwhile may be old; the last ones may not differ, and must read what was written.
                let last = &history[history.len() - handles.len()..];
                ensure!(
                    abandons || last[0].action == last[1].action,
                    "round {round}: clients do not agree: {last:?}"
                );
                continue;
            }
            history.sort_by_key(|operation| operation.called);
            history::check(&history).map_err(|failure| failure.in_context(&format!("round {round}")))?;
        }
    }
    Ok(())
}

fn name(round: usize, key: usize) -> String {
    format!("register/{round}/{key}")
}

async fn operate(mut client: Client, round: usize) -> Result<Vec<(usize, Operation)>, Failure> {
    let mut done = Vec::new();
    let mut known: [Known; KEYS] = Default::default();
    for _ in 0..OPERATIONS {
        let key = client.random.below(KEYS);
        let operation = client.step(&name(round, key), &mut known[key], |_| ()).await?;
        done.push((key, operation));
        // A medium in memory never waits; clients take turns all the same.
        tokio::task::yield_now().await;
    }
    Ok(done)
}
