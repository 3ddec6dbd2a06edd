//! Several at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use storage_core::bson::doc;
use storage_core::{ErrorKind, Query, Result};

use crate::case::{Verdict, ensure, ensure_eq};
use crate::cases::sample::{documents, in_parallel, winners};
use crate::context::Ctx;
use crate::settle::settled;

pub(super) async fn observers_see_all_or_none(ctx: &Ctx) -> Verdict {
    const DOCUMENTS: usize = 10;
    let enough = Arc::new(AtomicBool::new(false));
    let (writing, stop) = (ctx.storage().clone(), enough.clone());
    let writer = tokio::spawn(async move {
        let people = documents(&writing, "people");
        let mut round = 0_i64;
        while !stop.load(Ordering::Acquire) {
            round += 1;
            let value = doc! { "round": round };
            let batch = (0..DOCUMENTS).fold(writing.batch(), |batch, id| {
                batch.put(&people, id.to_string(), &value)
            });
            batch.commit().await?;
            tokio::task::yield_now().await;
        }
        Ok::<_, storage_core::Error>(round)
    });
    let reading = documents(&ctx.second().await?, "people");
    let round_of = async |id: usize| -> Result<i64> {
        let read = reading.get(id.to_string()).await?;
        Ok(read
            .and_then(|read| read.value.get_i64("round").ok())
            .unwrap_or(0))
    };
    let (begun, mut seen) = (Instant::now(), 0);
    for look in 0..2000 {
        // Two reads are no snapshot, but a batch that shows in one document shows in every other from then on.
        let (first, then) = (look % DOCUMENTS, (look * 7 + 9) % DOCUMENTS);
        let early = round_of(first).await?;
        settled(ctx).await; // Where a client may be behind, it may be behind with one document and not with another.
        let late = round_of(then).await?;
        ensure!(
            late >= early,
            "round {early} shows in document {first}, and document {then} is still at {late}"
        );
        seen = late.max(seen);
        // On a slow medium fewer looks have to do.
        if look >= 100 && seen >= 20 && begun.elapsed() > Duration::from_secs(1) {
            break;
        }
        tokio::task::yield_now().await;
    }
    enough.store(true, Ordering::Release);
    let rounds = writer.await.map_err(|error| error.to_string())??;
    settled(ctx).await;
    for id in 0..DOCUMENTS {
        ensure_eq!(round_of(id).await?, rounds, "the last batch, in document {id}");
    }
    Ok(())
}

pub(super) async fn race_has_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let people = documents(ctx.storage(), "people");
    for round in 0..8_i64 {
        let version = people.put("shared", &doc! { "who": "nobody" }).await?;
        let contenders = (0..4).map(|n| {
            let (storage, version) = (handles[n % 2].clone(), version.clone());
            async move {
                let people = documents(&storage, "people");
                let who = doc! { "who": n.to_string(), "round": round };
                let batch = storage.batch().put(&people, format!("own-{n}"), &who);
                batch.put_if(&people, "shared", &who, version).commit().await
            }
        });
        let results = in_parallel(contenders).await?;
        ensure_eq!(
            winners(&results, ErrorKind::PreconditionFailed)?,
            1,
            "winners of round {round}"
        );
        settled(ctx).await;
        for (n, result) in results.iter().enumerate() {
            let own = people
                .get(format!("own-{n}"))
                .await?
                .and_then(|read| read.value.get_i64("round").ok());
            ensure_eq!(
                own == Some(round),
                result.is_ok(),
                "the batch of {n} is applied whole or not at all"
            );
        }
    }
    Ok(())
}

pub(super) async fn transfers_keep_the_total(ctx: &Ctx) -> Verdict {
    let accounts = documents(ctx.storage(), "accounts");
    for n in 0..4 {
        accounts.put(n.to_string(), &doc! { "balance": 100_i64 }).await?;
    }
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let transferring = (0..4_usize).map(|worker| {
        let storage = handles[worker % 2].clone();
        async move {
            let mut done = 0;
            for step in 0..200_usize {
                let (from, to) = ((worker + step) % 4, (worker + step * 3 + 1) % 4);
                if from != to && transfer(&storage, from, to).await? {
                    done += 1;
                }
                if done == 8 {
                    break;
                }
                tokio::task::yield_now().await;
            }
            Ok::<_, storage_core::Error>(done)
        }
    });
    let mut done = 0;
    for result in in_parallel(transferring).await? {
        done += result?;
    }
    ensure!(done > 0, "no transfer ever succeeded");
    let all = accounts.find(Query::all()).await?.collect().await?;
    let total: i64 = all
        .iter()
        .filter_map(|account| account.value.get_i64("balance").ok())
        .sum();
    let moved: i64 = all
        .iter()
        .filter_map(|account| account.value.get_i64("moves").ok())
        .sum();
    ensure_eq!(total, 400, "the total after {done} transfers");
    ensure_eq!(
        moved,
        2 * done,
        "each transfer that was acknowledged counts on both sides, and no other does"
    );
    Ok(())
}

/// Moves 1 from one account to another; `false` when others were faster.
async fn transfer(storage: &storage_core::Storage, from: usize, to: usize) -> Result<bool> {
    let accounts = documents(storage, "accounts");
    let mut batch = storage.batch();
    for (account, change) in [(from, -1), (to, 1)] {
        let Some(mut read) = accounts.get(account.to_string()).await? else {
            return Ok(false);
        };
        let balance = read.value.get_i64("balance").unwrap_or(0) + change;
        let moves = read.value.get_i64("moves").unwrap_or(0) + 1;
        read.value.insert("balance", balance);
        read.value.insert("moves", moves);
        batch = batch.put_if(&accounts, account.to_string(), &read.value, read.version);
    }
    match batch.commit().await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::Conflict) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
