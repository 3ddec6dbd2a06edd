//! Fences: a write that happens only while a lease is still its holder's.

use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{Condition, ErrorKind, Fence, Lease, PutOptions, Query, Storage};

use super::sample::{documents, ids};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { fence:
    smoke [GuardedWrite] holder_may_write = "the holder's fenced writes and deletes are done, also after renewals";
    smoke [GuardedWrite] stale_token_is_rejected = "once another has the lease, the old holder's writes are LeaseLost and change nothing";
    standard [GuardedWrite] released_or_broken_is_rejected = "so they are after a release or a break, though nobody has it";
    standard [GuardedWrite] forged_fence_is_rejected = "a token that is not the current one, or a lease that never was, is LeaseLost";
    standard [GuardedWrite] conditions_still_decide = "a fence that holds leaves the write's own condition to decide, with its own error";
    standard [GuardedWrite] travels_as_text = "a fence carried to another client as text is as good";
    standard [GuardedWrite] paused_holder_never_writes_last = "however an old holder's writes race with a take-over, what the new holder wrote stays";
    standard [GuardedWrite] renewals_do_not_fail_writes = "renewing all the time, from another task, lets every fenced write through";
}

const TTL: Duration = Duration::from_secs(600);

async fn take(storage: &Storage) -> Result<Lease, Failure> {
    let lease = storage.lease("job", TTL).try_acquire().await?;
    lease.ok_or_else(|| Failure::new("the lease is free and was not given"))
}

fn under(fence: Fence) -> PutOptions {
    PutOptions::new().fence(fence)
}

async fn holder_may_write(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let lease = take(ctx.storage()).await?;
    let version = people
        .put_with("a", &doc! { "n": 1_i64 }, under(lease.fence()))
        .await?;
    lease.renew().await?;
    let condition = Condition::IfVersion(version);
    people
        .put_with(
            "a",
            &doc! { "n": 2_i64 },
            under(lease.fence()).condition(condition),
        )
        .await?;
    people.put_with("b", &doc! {}, under(lease.fence())).await?;
    ensure_eq!(
        people.get("a").await?.map(|read| read.value),
        Some(doc! { "n": 2_i64 }),
        "both writes were done"
    );
    ensure!(
        people.delete_fenced("b", lease.fence()).await?,
        "it was there to delete"
    );
    ensure!(
        !people.delete_fenced("b", lease.fence()).await?,
        "it was not there any more"
    );
    ensure_eq!(ids(&people, Query::all()).await?, ["a"], "the delete was done");
    Ok(())
}

/// Under this fence nothing can be written, inserted or deleted.
async fn rejected(ctx: &Ctx, fence: &Fence, why: &str) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let before = people.find(Query::all()).await?.collect().await?;
    let put = people
        .put_with("a", &doc! { "late": true }, under(fence.clone()))
        .await;
    ensure_kind!(put, ErrorKind::LeaseLost, "a put, {why}");
    let insert = people
        .put_with(
            "new",
            &doc! {},
            under(fence.clone()).condition(Condition::IfAbsent),
        )
        .await;
    ensure_kind!(insert, ErrorKind::LeaseLost, "an insert, {why}");
    ensure_kind!(
        people.delete_fenced("a", fence.clone()).await,
        ErrorKind::LeaseLost,
        "a delete, {why}"
    );
    ensure_eq!(
        people.find(Query::all()).await?.collect().await?,
        before,
        "nothing changed, {why}"
    );
    Ok(())
}

async fn stale_token_is_rejected(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    documents(ctx.storage(), "people")
        .put("a", &doc! { "n": 1_i64 })
        .await?;
    let first = take(ctx.storage()).await?;
    let contender = second.lease("job", TTL);
    ensure!(contender.try_acquire().await?.is_none(), "it is held");
    ctx.clock().advance_elapsed(TTL + TTL / 50);
    let taken = contender.try_acquire().await?.ok_or("it has run out")?;
    rejected(ctx, &first.fence(), "after it was taken").await?;
    let people = documents(&second, "people");
    people
        .put_with("a", &doc! { "n": 2_i64 }, under(taken.fence()))
        .await?;
    taken.renew().await?;
    rejected(ctx, &first.fence(), "after the new holder wrote").await
}

async fn released_or_broken_is_rejected(ctx: &Ctx) -> Verdict {
    documents(ctx.storage(), "people")
        .put("a", &doc! { "n": 1_i64 })
        .await?;
    let lease = take(ctx.storage()).await?;
    let fence = lease.fence();
    lease.release().await?;
    rejected(ctx, &fence, "after a release").await?;
    let lease = take(ctx.storage()).await?;
    ctx.second().await?.break_lease("job").await?;
    rejected(ctx, &lease.fence(), "after a break").await?;
    rejected(ctx, &fence, "after a release and another holder").await
}

async fn forged_fence_is_rejected(ctx: &Ctx) -> Verdict {
    documents(ctx.storage(), "people")
        .put("a", &doc! { "n": 1_i64 })
        .await?;
    let lease = take(ctx.storage()).await?;
    let mut forged = lease.fence();
    forged.lease = "never".to_owned();
    rejected(ctx, &forged, "for a lease that never was").await?;
    for token in [0, lease.token() + 1, lease.token() - 1, u64::MAX] {
        let mut forged = lease.fence();
        forged.token = token;
        rejected(ctx, &forged, "with a forged token").await?;
    }
    Ok(())
}

async fn conditions_still_decide(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let stale = people.put("a", &doc! { "n": 1_i64 }).await?;
    let version = people.put("a", &doc! { "n": 2_i64 }).await?;
    let lease = take(ctx.storage()).await?;
    let insert = under(lease.fence()).condition(Condition::IfAbsent);
    ensure_kind!(
        people.put_with("a", &doc! {}, insert).await,
        ErrorKind::AlreadyExists,
        "a fenced insert"
    );
    let replace = under(lease.fence()).condition(Condition::IfVersion(stale));
    ensure_kind!(
        people.put_with("a", &doc! {}, replace).await,
        ErrorKind::PreconditionFailed,
        "a fenced put_if"
    );
    ensure_eq!(
        people.get("a").await?.map(|read| read.version),
        Some(version),
        "nothing changed"
    );
    Ok(())
}

async fn travels_as_text(ctx: &Ctx) -> Verdict {
    let lease = take(ctx.storage()).await?;
    let text = serde_json::to_string(&lease.fence()).map_err(|error| error.to_string())?;
    let carried: Fence = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    ensure_eq!(carried, lease.fence(), "text there and back");
    let people = documents(&ctx.second().await?, "people");
    people.put_with("a", &doc! {}, under(carried.clone())).await?;
    lease.release().await?;
    rejected(ctx, &carried, "after the holder released").await
}

async fn paused_holder_never_writes_last(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let (old, new) = (documents(ctx.storage(), "people"), documents(&second, "people"));
    for round in 0..12_i64 {
        let lease = take(ctx.storage()).await?;
        let (writing, fence) = (old.clone(), lease.fence());
        let paused = tokio::spawn(async move {
            for n in 0..1_000_000_i64 {
                let written = writing
                    .put_with("a", &doc! { "who": "old", "n": n }, under(fence.clone()))
                    .await;
                match written {
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => return error.kind(),
                }
            }
            ErrorKind::Timeout
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        // The record may be written to at this very moment only by those who watch it; one try is enough.
        ensure!(second.break_lease("job").await?, "it was held in round {round}");
        let taken = take(&second).await?;
        new.put_with("a", &doc! { "who": "new", "round": round }, under(taken.fence()))
            .await?;
        let ended = paused.await.map_err(|error| error.to_string())?;
        ensure_eq!(ended, ErrorKind::LeaseLost, "how the old holder's writes end");
        let last = new.get("a").await?.map(|read| read.value);
        ensure_eq!(
            last,
            Some(doc! { "who": "new", "round": round }),
            "what stays in round {round}"
        );
        taken.release().await?;
    }
    Ok(())
}

async fn renewals_do_not_fail_writes(ctx: &Ctx) -> Verdict {
    let people = documents(&ctx.second().await?, "people");
    let lease = take(ctx.storage()).await?;
    let renewing = lease.clone();
    let renewals = tokio::spawn(async move {
        for _ in 0..30 {
            renewing.renew().await?;
            tokio::task::yield_now().await;
        }
        Ok::<_, storage_core::Error>(())
    });
    for n in 0..20_i64 {
        people
            .put_with("a", &doc! { "n": n }, under(lease.fence()))
            .await?;
        tokio::task::yield_now().await;
    }
    renewals.await.map_err(|error| error.to_string())??;
    ensure_eq!(
        people.get("a").await?.map(|read| read.value),
        Some(doc! { "n": 19_i64 }),
        "the last write"
    );
    Ok(())
}
