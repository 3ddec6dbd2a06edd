//! Random operations by several clients, checked against every order they may have happened in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use storage_core::{Capability, Consistency, ErrorKind, Objects};

use crate::case::{Failure, Verdict, ensure};
use crate::context::Ctx;
use crate::history::{Action, MOST_OPERATIONS, Operation, is_linearizable};
use crate::random::Random;
use crate::settle::settled;

const ROUNDS: usize = 8;
const CLIENTS: usize = 4;
const KEYS: usize = 3;
const OPERATIONS: usize = 25;

pub(super) async fn register_linearizable_per_key(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let mut random = ctx.random();
    for round in 0..ROUNDS {
        let (clock, values) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
        let clients = (0..CLIENTS).map(|client| {
            let client = Client {
                objects: handles[client % handles.len()].objects(),
                clock: clock.clone(),
                values: values.clone(),
                random: Random::new(random.next()),
                create: ctx.has(Capability::CreateIfAbsent),
                swap: ctx.has(Capability::CompareAndSwap),
                round,
            };
            tokio::spawn(client.run())
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
                let value = read(&handle.objects(), &name(round, key))
                    .await?
                    .map(|(value, _)| value);
                let returned = clock.fetch_add(1, Ordering::SeqCst);
                history.push(Operation {
                    called,
                    returned,
                    action: Action::Read(value),
                });
            }
            history.sort_by_key(|operation| operation.called);
            if ctx.declaration().objects.consistency != Consistency::Linearizable {
                // Reads meanwhile may be old; the last ones may not differ, and must read what was written.
                history.drain(..history.len() - handles.len());
                ensure!(
                    history[0].action == history[1].action,
                    "round {round}: clients do not agree: {history:?}"
                );
                continue;
            }
            ensure!(
                history.len() <= MOST_OPERATIONS,
                "round {round}: {} operations on one key",
                history.len()
            );
            ensure!(
                is_linearizable(&history),
                "round {round}: no order explains these operations on one key: {history:#?}"
            );
        }
    }
    Ok(())
}

fn name(round: usize, key: usize) -> String {
    format!("register/{round}/{key}")
}

async fn read(objects: &Objects, name: &str) -> Result<Option<(u64, storage_core::Version)>, Failure> {
    let Some(object) = objects.read_with(name, Default::default()).await? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&object.bytes).into_owned();
    let value = text
        .parse()
        .map_err(|_| Failure::new(format!("a register reads {text:?}")))?;
    Ok(Some((value, object.meta.version)))
}

struct Client {
    objects: Objects,
    clock: Arc<AtomicU64>,
    values: Arc<AtomicU64>,
    random: Random,
    create: bool,
    swap: bool,
    round: usize,
}

impl Client {
    async fn run(mut self) -> Result<Vec<(usize, Operation)>, Failure> {
        let mut done = Vec::new();
        let mut known = vec![None; KEYS];
        for _ in 0..OPERATIONS {
            let key = self.random.below(KEYS);
            let called = self.clock.fetch_add(1, Ordering::SeqCst);
            let action = self.act(key, &mut known[key]).await?;
            let returned = self.clock.fetch_add(1, Ordering::SeqCst);
            done.push((
                key,
                Operation {
                    called,
                    returned,
                    action,
                },
            ));
            // A medium in memory never waits; clients take turns all the same.
            tokio::task::yield_now().await;
        }
        Ok(done)
    }

    /// Does one operation; `known` is what this client last read, to replace it.
    async fn act(
        &mut self,
        key: usize,
        known: &mut Option<(u64, storage_core::Version)>,
    ) -> Result<Action, Failure> {
        let (name, objects) = (name(self.round, key), &self.objects);
        let value = self.values.fetch_add(1, Ordering::SeqCst);
        match self.random.below(10) {
            0 | 1 => {
                objects.write(&name, value.to_string()).await?;
                Ok(Action::Write(value))
            }
            2 => {
                objects.delete(&name).await?;
                Ok(Action::Delete)
            }
            3 | 4 if self.create => match objects.create(&name, value.to_string()).await {
                Ok(_) => Ok(Action::Create(value, true)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Action::Create(value, false)),
                Err(error) => Err(error.into()),
            },
            5..=7 if self.swap && known.is_some() => {
                let Some((old, version)) = known.take() else {
                    return Err("nothing is known".into());
                };
                match objects.write_if(&name, value.to_string(), version).await {
                    Ok(_) => Ok(Action::Swap(old, value, true)),
                    Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
                        Ok(Action::Swap(old, value, false))
                    }
                    Err(error) => Err(error.into()),
                }
            }
            _ => {
                *known = read(objects, &name).await?;
                Ok(Action::Read(known.as_ref().map(|(value, _)| *value)))
            }
        }
    }
}
