//! Following a log: every entry once, in order, until it is closed or deleted.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use storage_core::{ErrorKind, LogEntry};

use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { log_follow:
    smoke [Logs] ends_at_close = "following a closed log gives every entry and ends";
    standard [Logs] sees_every_entry_once = "following beside two appenders gives every entry once, in order, and ends when the log is closed";
    standard [Logs] waits_for_a_log_that_does_not_exist = "a log can be followed before its first entry";
    standard [Logs] begins_where_asked = "following from the middle gives the rest";
    standard [Logs] fails_when_deleted = "following a log that is deleted ends in NotFound, also when a new one took its name";
    standard [Logs] many_follow_one = "followers over two handles see the same";
}

const OFTEN: Duration = Duration::from_millis(2);

/// Waits for the end of it, but not for ever.
async fn within<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| Failure::new("following did not come to an end"))
}

fn numbers(entries: &[LogEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence).collect()
}

async fn ends_at_close(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    log.append_all(["a", "b", "c"]).await?;
    log.close().await?;
    let entries: Vec<_> = within(log.follow(0).try_collect()).await??;
    ensure_eq!(numbers(&entries), [0, 1, 2], "every entry");
    let none: Vec<_> = within(log.follow(3).try_collect()).await??;
    ensure!(none.is_empty(), "nothing from the end on");
    Ok(())
}

async fn sees_every_entry_once(ctx: &Ctx) -> Verdict {
    let following = ctx.second().await?.log("events");
    let follower =
        tokio::spawn(async move { following.follow_every(0, OFTEN).try_collect::<Vec<_>>().await });
    let appenders = [ctx.storage().clone(), ctx.second().await?]
        .into_iter()
        .enumerate()
        .map(|(writer, storage)| {
            tokio::spawn(async move {
                let log = storage.log("events");
                for n in 0..40 {
                    log.append_all([format!("{writer} {n} a"), format!("{writer} {n} b")])
                        .await?;
                    tokio::time::sleep(Duration::from_micros(300)).await;
                }
                Ok::<_, storage_core::Error>(())
            })
        });
    for appender in appenders.collect::<Vec<_>>() {
        appender.await.map_err(|error| error.to_string())??;
    }
    ctx.storage().log("events").close().await?;
    let seen = within(follower).await?.map_err(|error| error.to_string())??;
    let whole: Vec<_> = ctx.storage().log("events").entries(0).try_collect().await?;
    ensure_eq!(
        numbers(&seen),
        (0..160).collect::<Vec<_>>(),
        "every entry once, in order"
    );
    ensure!(seen == whole, "what was seen is what is there");
    Ok(())
}

async fn waits_for_a_log_that_does_not_exist(ctx: &Ctx) -> Verdict {
    let mut follow = ctx.second().await?.log("events").follow_every(0, OFTEN);
    let early = tokio::time::timeout(Duration::from_millis(20), follow.next()).await;
    ensure!(early.is_err(), "there is nothing to see yet: {early:?}");
    let log = ctx.storage().log("events");
    log.append("a").await?;
    let first = within(follow.try_next()).await??;
    ensure_eq!(first.map(|entry| entry.sequence), Some(0), "the first entry");
    let early = tokio::time::timeout(Duration::from_millis(20), follow.next()).await;
    ensure!(early.is_err(), "there is nothing more to see yet: {early:?}");
    log.append("b").await?;
    log.close().await?;
    let rest: Vec<_> = within(follow.try_collect()).await??;
    ensure_eq!(numbers(&rest), [1], "the rest, up to the close");
    Ok(())
}

async fn begins_where_asked(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    log.append_all((0..1500).map(|n| n.to_string())).await?;
    let mut follow = log.follow_every(1498, OFTEN);
    for expected in [1498, 1499] {
        let entry = within(follow.try_next()).await??;
        ensure_eq!(
            entry.map(|entry| entry.sequence),
            Some(expected),
            "the next entry"
        );
    }
    let ahead = ctx.storage().log("events").follow_every(1501, OFTEN);
    log.append_all(["x", "y"]).await?;
    log.close().await?;
    let rest: Vec<_> = within(follow.try_collect()).await??;
    ensure_eq!(numbers(&rest), [1500, 1501], "what was appended meanwhile");
    let ahead: Vec<_> = within(ahead.try_collect()).await??;
    ensure_eq!(numbers(&ahead), [1501], "a follower that began beyond the end");
    Ok(())
}

async fn fails_when_deleted(ctx: &Ctx) -> Verdict {
    for recreated in [false, true] {
        let log = ctx.storage().log("events");
        log.append_all(["a", "b"]).await?;
        let mut follow = ctx.second().await?.log("events").follow_every(0, OFTEN);
        ensure!(within(follow.try_next()).await??.is_some(), "the first entry");
        ensure!(within(follow.try_next()).await??.is_some(), "the second entry");
        log.delete().await?;
        if recreated {
            log.append_all(["x", "y", "z"]).await?;
        }
        match within(follow.next()).await? {
            Some(Err(error)) => ensure_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
            other => {
                return Err(format!("a deleted log goes on with {other:?}, recreated: {recreated}").into());
            }
        }
        log.delete().await?;
    }
    Ok(())
}

async fn many_follow_one(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let followers: Vec<_> = (0..6)
        .map(|n| {
            let log = if n % 2 == 0 { ctx.storage() } else { &second }.log("events");
            tokio::spawn(async move { log.follow_every(n, OFTEN).try_collect::<Vec<_>>().await })
        })
        .collect();
    let log = ctx.storage().log("events");
    for n in 0..20 {
        log.append(n.to_string()).await?;
    }
    second.log("events").close().await?;
    for (from, follower) in (0..).zip(followers) {
        let seen = within(follower).await?.map_err(|error| error.to_string())??;
        ensure_eq!(
            numbers(&seen),
            (from..20).collect::<Vec<u64>>(),
            "what follower {from} saw"
        );
    }
    Ok(())
}
