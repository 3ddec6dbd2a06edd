//! Expiry: a document that disappears at a given time, everywhere at once.

mod writes;

use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{Capability, ErrorKind, Index, PutOptions, Query, Timestamp, Version};

use self::writes::*;
use super::sample::{Documents, documents, ids};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { expiry:
    smoke [Expiry] expired_is_invisible_everywhere = "get, get_many, find, count, index, put_if and delete agree that it is gone";
    smoke [Expiry] not_early = "until its time it is there, everywhere";
    smoke [Expiry] expired_counts_as_absent_for_insert = "insert succeeds where an expired document is";
    standard [Expiry] put_replaces_the_expiry = "a plain put takes the expiry away, another one sets it anew, update keeps it";
    standard [Expiry] reading_never_prolongs = "reading a document does not keep it";
    standard [Expiry] past_deadline_is_taken = "a time that has passed is taken, and the document is gone at once";
    standard [Expiry] version_of_the_expired_is_stale = "put_if and delete_if with the version of an expired document are refused";
    standard [Expiry] refused_write_keeps_the_expiry = "a write that is refused leaves the expiry as it was";
    standard [Expiry] is_reported = "get and find tell when a document expires, to the millisecond";
    standard [Expiry] both_ways_at_once_are_refused = "a time and a time to live together are InvalidArgument";
    standard [Expiry] only_the_expired_disappear = "documents beside it, later or without expiry, stay, in every order";
    standard [Expiry] each_item_of_a_batch_has_its_own = "in a batch each document expires for itself";
    standard [Expiry] clock_stepping_back_revives_nothing = "what was seen to be expired stays so when the wall clock is set back";
    standard [Expiry] sweep_changes_nothing_visible = "purging the expired changes no answer, and purges nothing else";
    standard [Expiry] survives_reopen = "the expiry is the same after closing and opening again";
}

const HOUR: Duration = Duration::from_secs(3600);

fn within(ttl: Duration) -> PutOptions {
    PutOptions::new().ttl(ttl)
}

async fn gone(people: &Documents, id: &str, version: &Version) -> Verdict {
    ensure_eq!(people.get(id).await?, None, "get");
    ensure_eq!(people.get_many([id]).await?, vec![None], "get_many");
    ensure!(!ids(people, Query::all()).await?.contains(&id.to_owned()), "find");
    let refused = people.put_if(id, &doc! {}, version.clone()).await;
    ensure_kind!(refused, ErrorKind::PreconditionFailed, "put_if with its version");
    ensure_kind!(
        people.delete_if(id, version.clone()).await,
        ErrorKind::PreconditionFailed,
        "delete_if with its version"
    );
    ensure!(people.update(id, |_| ()).await?.is_none(), "update");
    ensure!(!people.delete(id).await?, "delete says that nothing was there");
    Ok(())
}

async fn expired_is_invisible_everywhere(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let indexed = ctx.has(Capability::Indexes);
    if indexed {
        people.ensure_index(Index::btree("by_n", ["n"])).await?;
        people
            .ensure_index(Index::hash("by_tag", ["tags"]).each())
            .await?;
    }
    let value = doc! { "n": 1_i64, "tags": ["x", "y"] };
    people.put("b", &value).await?;
    let version = people.put_with("a", &value, within(HOUR)).await?;
    ctx.clock().advance(HOUR + Duration::from_secs(1));
    let second = documents(&ctx.second().await?, "people");
    for people in [&people, &second] {
        ensure_eq!(people.count(Query::all()).await?, 1, "count");
        if indexed {
            ensure_eq!(ids(people, Query::eq("n", 1_i64)).await?, ["b"], "an index");
            ensure_eq!(
                ids(people, Query::all().sort_descending("n")).await?,
                ["b"],
                "the order of an index"
            );
            ensure_eq!(people.count(Query::ge("n", 0_i64)).await?, 1, "count by an index");
            ensure_eq!(
                ids(people, Query::is_in("tags", ["x", "y"])).await?,
                ["b"],
                "an index over each"
            );
            ensure_eq!(
                ids(people, Query::exists("n", true).allow_scan()).await?,
                ["b"],
                "a scan"
            );
            ensure_eq!(people.index_stats("by_n").await?.total_entries, 1, "figures");
        }
    }
    gone(&people, "a", &version).await?;
    gone(&second, "a", &version).await
}

async fn not_early(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let version = people.put_with("a", &doc! { "n": 1_i64 }, within(HOUR)).await?;
    ctx.clock().advance(HOUR - Duration::from_secs(300));
    let second = documents(&ctx.second().await?, "people");
    for people in [&people, &second] {
        ensure_eq!(
            people.get("a").await?.map(|read| read.version),
            Some(version.clone()),
            "get"
        );
        ensure_eq!(ids(people, Query::all()).await?, ["a"], "find");
        ensure_eq!(people.count(Query::all()).await?, 1, "count");
        ensure_kind!(
            people.insert("a", &doc! {}).await,
            ErrorKind::AlreadyExists,
            "insert"
        );
    }
    ensure!(second.delete("a").await?, "delete");
    Ok(())
}

async fn reading_never_prolongs(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put_with("a", &doc! {}, within(HOUR)).await?;
    for _ in 0..5 {
        ctx.clock().advance(HOUR / 6);
        ensure!(people.get("a").await?.is_some(), "it is there");
        ensure_eq!(people.count(Query::all()).await?, 1, "it is there");
    }
    ctx.clock().advance(HOUR / 5);
    ensure_eq!(people.get("a").await?, None, "it is gone after an hour in all");
    Ok(())
}

async fn is_reported(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let time = Timestamp::from_millis(4_102_444_800_123);
    people
        .put_with("a", &doc! {}, PutOptions::new().expires_at(time))
        .await?;
    people.put("b", &doc! {}).await?;
    let second = documents(&ctx.second().await?, "people");
    let Some(read) = second.get("a").await? else {
        return Err("it has not expired yet".into());
    };
    ensure_eq!(read.expires_at, Some(time), "get");
    let found: Vec<_> = second
        .find(Query::all())
        .await?
        .collect()
        .await?
        .iter()
        .map(|read| read.expires_at)
        .collect();
    ensure_eq!(found, [Some(time), None], "find");
    Ok(())
}

async fn only_the_expired_disappear(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let mut staying = Vec::new();
    for n in 0..40_u32 {
        let (id, value) = (format!("{n:02}"), doc! { "n": i64::from(n) });
        match n % 4 {
            0 => _ = people.put(&id, &value).await?,
            1 => _ = people.put_with(&id, &value, within(HOUR * 3)).await?,
            _ => {
                people.put_with(&id, &value, within(HOUR)).await?;
                continue;
            }
        }
        staying.push(id);
    }
    ctx.clock().advance(HOUR * 2);
    ensure_eq!(ids(&people, Query::all()).await?, staying, "those that stay");
    for limit in [1, 7, 19, 20, 21] {
        let first = &staying[..staying.len().min(limit)];
        // The expired must not use up the limit.
        ensure_eq!(
            ids(&people, Query::all().limit(limit as u64)).await?,
            first,
            "the first {limit}"
        );
    }
    Ok(())
}

async fn clock_stepping_back_revives_nothing(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put_with("a", &doc! {}, within(HOUR)).await?;
    ctx.clock().advance_wall(HOUR * 2);
    ensure_eq!(people.get("a").await?, None, "it is gone");
    ctx.clock().step_back_wall(HOUR * 2);
    ensure_eq!(people.get("a").await?, None, "it stays gone");
    ensure!(ids(&people, Query::all()).await?.is_empty(), "in find as well");
    people.insert("a", &doc! { "n": 1_i64 }).await?;
    ensure!(people.get("a").await?.is_some(), "another one can be written");
    Ok(())
}

async fn sweep_changes_nothing_visible(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    if ctx.has(Capability::Indexes) {
        people.ensure_index(Index::btree("by_n", ["n"])).await?;
    }
    for n in 0..12_i64 {
        let options = if n % 3 == 0 {
            PutOptions::new()
        } else {
            within(HOUR * u32::try_from(n).unwrap_or(1))
        };
        people
            .put_with(format!("{n:02}"), &doc! { "n": n }, options)
            .await?;
    }
    people.delete("00").await?;
    ctx.clock().advance(HOUR * 5);
    let before = people.find(Query::all()).await?.collect().await?;
    for _ in 0..2 {
        ctx.storage().sweep().await?;
        ensure_eq!(
            people.find(Query::all()).await?.collect().await?,
            before,
            "documents, versions and expiry"
        );
        if ctx.has(Capability::Indexes) {
            let indexed = people.find(Query::ge("n", 0_i64)).await?.collect().await?;
            ensure_eq!(indexed, before, "by an index");
        }
    }
    let kept: Vec<&str> = before.iter().map(|document| document.id.as_str()).collect();
    ensure_eq!(
        kept,
        ["03", "06", "07", "08", "09", "10", "11"],
        "what has not expired"
    );
    let report = ctx.storage().sweep().await?;
    ensure_eq!(
        report.purged_documents,
        0,
        "a second sweep finds nothing more to purge"
    );
    Ok(())
}

async fn survives_reopen(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put_with("a", &doc! {}, within(HOUR)).await?;
    people.put_with("b", &doc! {}, within(HOUR * 3)).await?;
    let before = people.get("b").await?;
    ctx.clock().advance(HOUR * 2);
    let people = documents(&ctx.reopen().await?, "people");
    ensure_eq!(people.get("a").await?, None, "it expired meanwhile");
    ensure_eq!(people.get("b").await?, before, "this one did not");
    ctx.clock().advance(HOUR * 2);
    ensure!(ids(&people, Query::all()).await?.is_empty(), "and now it did");
    Ok(())
}
