//! Several at once: exactly one wins.

use futures::future::join_all;
use storage_core::{ErrorKind, Result, Storage, Version};
use tokio::task::JoinHandle;

use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::context::Ctx;
use crate::settle::settled;

const ROUNDS: usize = 32;
const CONTENDERS: usize = 8;

pub(super) async fn create_race_one_winner_same_handle(ctx: &Ctx) -> Verdict {
    create_race(ctx, &[ctx.storage().clone()]).await
}

pub(super) async fn create_race_one_winner_two_handles(ctx: &Ctx) -> Verdict {
    create_race(ctx, &[ctx.storage().clone(), ctx.second().await?]).await
}

async fn create_race(ctx: &Ctx, handles: &[Storage]) -> Verdict {
    for round in 0..ROUNDS {
        let key = format!("race/{round}");
        let results = contend(handles, |contender, storage| {
            let key = key.clone();
            async move { storage.objects().create(&key, contender.to_string()).await }
        })
        .await?;
        let (winner, version) = one_winner(round, results, ErrorKind::AlreadyExists)?;
        settled(ctx).await;
        for storage in handles {
            let read = storage.objects().read_with(&key, Default::default()).await?;
            let Some(read) = read else {
                return Err(format!("round {round}: nothing was created").into());
            };
            ensure_eq!(
                read.bytes,
                winner.to_string(),
                "round {round}: who wrote what is there"
            );
            ensure_eq!(
                read.meta.version,
                version,
                "round {round}: the version of what is there"
            );
        }
    }
    Ok(())
}

pub(super) async fn swap_race_one_winner_two_handles(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let mut version = handles[0].objects().write("a", "start").await?;
    for round in 0..ROUNDS {
        settled(ctx).await;
        let results = contend(&handles, |contender, storage| {
            let version = version.clone();
            async move {
                storage
                    .objects()
                    .write_if("a", format!("{round} {contender}"), version)
                    .await
            }
        })
        .await?;
        let (winner, won) = one_winner(round, results, ErrorKind::PreconditionFailed)?;
        let read = ctx.storage().objects().read("a").await?;
        ensure_eq!(
            read.unwrap_or_default(),
            format!("{round} {winner}"),
            "round {round}: who wrote what is there"
        );
        version = won;
    }
    Ok(())
}

pub(super) async fn delete_and_swap_race_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    for round in 0..ROUNDS {
        let version = handles[0].objects().write("a", "start").await?;
        settled(ctx).await;
        let results = contend(&handles, |contender, storage| {
            let version = version.clone();
            async move {
                if contender % 2 == 0 {
                    storage
                        .objects()
                        .delete_if("a", version.clone())
                        .await
                        .map(|()| version)
                } else {
                    storage
                        .objects()
                        .write_if("a", contender.to_string(), version)
                        .await
                }
            }
        })
        .await?;
        let (winner, _) = one_winner(round, results, ErrorKind::PreconditionFailed)?;
        settled(ctx).await;
        let expected = (winner % 2 == 1).then(|| winner.to_string());
        let read = ctx.storage().objects().read("a").await?;
        ensure_eq!(
            read.as_deref(),
            expected.as_ref().map(String::as_bytes),
            "round {round}: what the winner left"
        );
    }
    Ok(())
}

pub(super) async fn cas_counter_no_lost_update(ctx: &Ctx) -> Verdict {
    const WORKERS: usize = 5;
    const TIMES: usize = 20;
    let handles = [ctx.storage().clone(), ctx.second().await?];
    handles[0].objects().write("counter", "0").await?;
    settled(ctx).await;
    let workers: Vec<JoinHandle<Verdict>> = (0..WORKERS)
        .map(|worker| {
            let objects = handles[worker % handles.len()].objects();
            tokio::spawn(async move {
                let mut done = 0;
                while done < TIMES {
                    let read = objects.read_with("counter", Default::default()).await?;
                    let Some(read) = read else {
                        return Err("the counter is gone".into());
                    };
                    let count = number(&read.bytes)? + 1;
                    match objects
                        .write_if("counter", count.to_string(), read.meta.version)
                        .await
                    {
                        Ok(_) => done += 1,
                        Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
                            tokio::task::yield_now().await
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(())
            })
        })
        .collect();
    for worker in join_all(workers).await {
        worker.map_err(|stopped| Failure::new(stopped.to_string()))??;
    }
    settled(ctx).await;
    let count = number(&ctx.storage().objects().read("counter").await?.unwrap_or_default())?;
    ensure_eq!(count, WORKERS * TIMES, "the counter");
    Ok(())
}

fn number(bytes: &[u8]) -> Result<usize, Failure> {
    let text = String::from_utf8_lossy(bytes);
    text.parse()
        .map_err(|_| Failure::new(format!("the counter reads {text:?}")))
}

/// Starts every contender in a task of its own, on the handles in turn, from one gate.
async fn contend<F, R>(handles: &[Storage], attempt: F) -> Result<Vec<Result<Version>>, Failure>
where
    F: Fn(usize, Storage) -> R,
    R: Future<Output = Result<Version>> + Send + 'static,
{
    let gate = std::sync::Arc::new(tokio::sync::Barrier::new(CONTENDERS));
    let tasks: Vec<_> = (0..CONTENDERS)
        .map(|contender| {
            let (gate, attempt) = (
                gate.clone(),
                attempt(contender, handles[contender % handles.len()].clone()),
            );
            tokio::spawn(async move {
                gate.wait().await;
                attempt.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in join_all(tasks).await {
        results.push(task.map_err(|stopped| Failure::new(stopped.to_string()))?);
    }
    Ok(results)
}

/// Who won, and what it got; everybody else must have lost with this kind.
fn one_winner(
    round: usize,
    results: Vec<Result<Version>>,
    lost: ErrorKind,
) -> Result<(usize, Version), Failure> {
    let mut winners = Vec::new();
    for (contender, result) in results.into_iter().enumerate() {
        match result {
            Ok(version) => winners.push((contender, version)),
            Err(error) if error.kind() == lost => {}
            Err(error) => {
                let message = format!("round {round}, contender {contender}: expected {lost}");
                return Err(Failure::new(format!(
                    "{message}, got {}: failed to {error}",
                    error.kind()
                )));
            }
        }
    }
    ensure!(
        winners.len() == 1,
        "round {round}: {} of {CONTENDERS} contenders won",
        winners.len()
    );
    Ok(winners.remove(0))
}
