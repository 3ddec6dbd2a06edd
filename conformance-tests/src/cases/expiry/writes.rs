//! Writing what expires, and over what has expired.

use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{Capability, Condition, ErrorKind, PutOptions, Query, Timestamp};

use super::{HOUR, gone, within};
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{documents, ids};
use crate::context::Ctx;

pub(super) async fn expired_counts_as_absent_for_insert(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let expired = people.put_with("a", &doc! { "old": true }, within(HOUR)).await?;
    ctx.clock().advance(HOUR * 2);
    let version = people.insert("a", &doc! { "new": true }).await?;
    let Some(read) = people.get("a").await? else {
        return Err("what was inserted is not there".into());
    };
    ensure_eq!(read.value, doc! { "new": true }, "nothing of the old one is left");
    ensure_eq!(read.expires_at, None, "not even its expiry");
    ensure!(
        read.version == version && version != expired,
        "it has a version of its own"
    );
    ctx.clock().advance(HOUR * 2);
    ensure!(people.get("a").await?.is_some(), "it does not expire");
    Ok(())
}

pub(super) async fn put_replaces_the_expiry(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for id in ["cleared", "prolonged", "shortened", "updated"] {
        people
            .put_with(id, &doc! { "n": 1_i64 }, within(HOUR * 2))
            .await?;
    }
    people.put("cleared", &doc! {}).await?;
    people.put_with("prolonged", &doc! {}, within(HOUR * 4)).await?;
    people.put_with("shortened", &doc! {}, within(HOUR)).await?;
    let updated = people
        .update("updated", |value| _ = value.insert("n", 2_i64))
        .await?;
    ensure!(
        updated.is_some_and(|updated| updated.expires_at.is_some()),
        "update keeps the expiry"
    );
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["cleared", "prolonged", "shortened", "updated"],
        "at first"
    );
    ctx.clock().advance(HOUR + HOUR / 2);
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["cleared", "prolonged", "updated"],
        "after 1½ hours"
    );
    ctx.clock().advance(HOUR);
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["cleared", "prolonged"],
        "after 2½ hours"
    );
    ctx.clock().advance(HOUR * 2);
    ensure_eq!(ids(&people, Query::all()).await?, ["cleared"], "after 4½ hours");
    Ok(())
}

pub(super) async fn past_deadline_is_taken(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("a", &doc! { "old": true }).await?;
    for time in [0, 1, -1, i64::MIN, 1_000_000_000_000] {
        let past = PutOptions::new().expires_at(Timestamp::from_millis(time));
        let version = people.put_with("a", &doc! { "late": true }, past).await?;
        gone(&people, "a", &version).await?;
    }
    people.put_with("b", &doc! {}, within(Duration::ZERO)).await?;
    ensure_eq!(people.get("b").await?, None, "a time to live of nothing");
    let far = PutOptions::new().expires_at(Timestamp::from_millis(i64::MAX));
    people.put_with("c", &doc! {}, far).await?;
    people.put_with("d", &doc! {}, within(Duration::MAX)).await?;
    ctx.clock().advance(HOUR * 24 * 365 * 100);
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["c", "d"],
        "the end of time is not in the past"
    );
    Ok(())
}

pub(super) async fn version_of_the_expired_is_stale(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let version = people.put_with("a", &doc! {}, within(HOUR)).await?;
    ctx.clock().advance(HOUR * 2);
    gone(&people, "a", &version).await?;
    people.insert("a", &doc! { "n": 1_i64 }).await?;
    let refused = people.put_if("a", &doc! {}, version).await;
    ensure_kind!(
        refused,
        ErrorKind::PreconditionFailed,
        "also when something is there again"
    );
    Ok(())
}

pub(super) async fn refused_write_keeps_the_expiry(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let stale = people.put("a", &doc! {}).await?;
    people.put_with("a", &doc! { "n": 1_i64 }, within(HOUR)).await?;
    let before = people.get("a").await?;
    ensure_kind!(
        people.insert("a", &doc! {}).await,
        ErrorKind::AlreadyExists,
        "a plain insert"
    );
    let longer = within(HOUR * 9).condition(Condition::IfVersion(stale));
    ensure_kind!(
        people.put_with("a", &doc! {}, longer).await,
        ErrorKind::PreconditionFailed,
        "a stale put"
    );
    let longer = within(HOUR * 9).condition(Condition::IfAbsent);
    ensure_kind!(
        people.put_with("a", &doc! {}, longer).await,
        ErrorKind::AlreadyExists,
        "an insert with an expiry"
    );
    ensure_eq!(
        people.get("a").await?,
        before,
        "value, version and expiry are the same"
    );
    ctx.clock().advance(HOUR * 2);
    ensure_eq!(people.get("a").await?, None, "and it expires when it had to");
    Ok(())
}

pub(super) async fn both_ways_at_once_are_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let both = within(HOUR).expires_at(Timestamp::from_millis(i64::MAX));
    ensure_kind!(
        people.put_with("a", &doc! {}, both).await,
        ErrorKind::InvalidArgument,
        "both"
    );
    ensure_eq!(people.get("a").await?, None, "nothing was written");
    Ok(())
}

pub(super) async fn each_item_of_a_batch_has_its_own(ctx: &Ctx) -> Verdict {
    if !ctx.has(Capability::AtomicBatch) {
        return Ok(());
    }
    let people = documents(ctx.storage(), "people");
    let (value, batch) = (doc! {}, ctx.storage().batch());
    let batch =
        batch
            .put_with(&people, "a", &value, within(HOUR))
            .put_with(&people, "b", &value, within(HOUR * 3));
    batch.put(&people, "c", &value).commit().await?;
    ctx.clock().advance(HOUR * 2);
    ensure_eq!(ids(&people, Query::all()).await?, ["b", "c"], "after two hours");
    let batch = ctx
        .storage()
        .batch()
        .insert(&people, "a", &value)
        .delete(&people, "b");
    batch.commit().await?;
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["a", "c"],
        "an expired one counts as absent in a batch"
    );
    Ok(())
}
