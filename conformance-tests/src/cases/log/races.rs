//! Several at once.

use storage_core::{Appended, ErrorKind};

use super::all;
use crate::case::{Verdict, ensure, ensure_eq};
use crate::cases::sample::{in_parallel, winners};
use crate::context::Ctx;

pub(super) async fn two_appenders_share_the_numbers(ctx: &Ctx) -> Verdict {
    let handles = [
        ctx.storage().clone(),
        ctx.second().await?,
        ctx.storage().clone(),
        ctx.second().await?,
    ];
    let appending = handles
        .into_iter()
        .enumerate()
        .map(|(writer, storage)| async move {
            let log = storage.log("events");
            let mut appended = Vec::new();
            for n in 0..40 {
                appended.push(
                    log.append_all([format!("{writer} {n} first"), format!("{writer} {n} then")])
                        .await?,
                );
                tokio::task::yield_now().await;
            }
            Ok::<_, storage_core::Error>(appended)
        });
    let results = in_parallel(appending).await?;
    let entries = all(&ctx.storage().log("events")).await?;
    ensure_eq!(entries.len(), 320, "every entry is there once");
    ensure!(
        entries.iter().map(|(number, _)| *number).eq(0..320),
        "numbers without a gap"
    );
    for (writer, appended) in results.into_iter().enumerate() {
        let mut last = 0;
        for (n, Appended { first, next }) in appended?.into_iter().enumerate() {
            ensure_eq!(next, first + 2, "each append is of two");
            ensure!(first >= last, "writer {writer}'s appends are in its own order");
            last = next;
            let at = usize::try_from(first).unwrap_or(usize::MAX);
            let stands = entries.get(at..at + 2).ok_or("an append stands beyond the end")?;
            let (a, b) = (format!("{writer} {n} first"), format!("{writer} {n} then"));
            ensure!(
                stands[0].1 == a.as_bytes() && stands[1].1 == b.as_bytes(),
                "what stands at {first} is not {a:?}"
            );
        }
    }
    Ok(())
}

pub(super) async fn expected_number_race_has_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let log = ctx.storage().log("events");
    for round in 0..10_u64 {
        let contenders = (0..4).map(|n| {
            let log = handles[n % 2].log("events");
            async move { log.append_at(round, [format!("{round} {n}")]).await }
        });
        let results = in_parallel(contenders).await?;
        ensure_eq!(
            winners(&results, ErrorKind::PreconditionFailed)?,
            1,
            "winners of round {round}"
        );
        let winner = results.iter().position(Result::is_ok).unwrap_or_default();
        let stands = log
            .read(round, 1)
            .await?
            .entries
            .into_iter()
            .next()
            .map(|entry| entry.bytes.to_vec());
        ensure_eq!(
            stands,
            Some(format!("{round} {winner}").into_bytes()),
            "what the winner wrote"
        );
    }
    ensure_eq!(log.len().await?, 10, "one entry for each round");
    Ok(())
}

pub(super) async fn close_race_loses_no_entry(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    for round in 0..10 {
        let name = format!("events-{round}");
        let (appending, closing) = (ctx.storage().log(&name), second.log(&name));
        let appender = tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0..100_000_u64 {
                match appending.append(n.to_string()).await {
                    Ok(appended) => acknowledged.push(appended.first),
                    Err(error) => return (acknowledged, error.kind()),
                }
                tokio::task::yield_now().await;
            }
            (acknowledged, ErrorKind::Timeout)
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        closing.close().await?;
        let closed = all(&closing).await?;
        let (acknowledged, ended) = appender.await.map_err(|error| error.to_string())?;
        ensure_eq!(ended, ErrorKind::LogClosed, "how the appends end");
        let numbers: Vec<u64> = closed.iter().map(|(number, _)| *number).collect();
        ensure_eq!(
            numbers,
            acknowledged,
            "what is there once it is closed is what was acknowledged, in round {round}"
        );
        ensure_eq!(all(&closing).await?, closed, "and nothing comes after");
    }
    Ok(())
}
