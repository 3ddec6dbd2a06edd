//! Atomic batches: documents written and deleted all together or not at all.

mod indexes;
mod races;

use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{Capability, Condition, ErrorKind, Index, PutOptions, Query, Result, Version};

use self::indexes::*;
use self::races::*;
use super::sample::{documents, ids};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { batch:
    smoke [AtomicBatch] commit_applies_all = "every operation of a batch is there after commit, over several collections, with the versions returned";
    smoke [AtomicBatch] refusal_anywhere_applies_nothing = "whatever is refused, wherever it stands, everything is as it was, and the error says which operation";
    smoke [AtomicBatch] nothing_without_commit = "a batch that is dropped does nothing";
    standard [AtomicBatch] later_operations_see_earlier_ones = "an operation sees what those before it in the batch did";
    standard [AtomicBatch] conditions_hold = "put_if and delete_if in a batch decide by the current version";
    standard [AtomicBatch] observers_see_all_or_none = "a reader beside a writer never sees a part of a batch";
    standard [AtomicBatch] race_has_one_winner = "of many batches over two handles that replace one version exactly one is applied, whole";
    standard [AtomicBatch] transfers_keep_the_total = "concurrent transfers between accounts neither make nor lose anything";
    standard [AtomicBatch] indexes_follow_batches = "every index follows a batch that is applied, and none follows one that is refused";
    standard [AtomicBatch] unique_holds_within_a_batch = "a key may move within a batch once it is free, not before";
    standard [AtomicBatch] limits_and_edges = "no operations are Ok; too many are LimitExceeded; a fence is refused";
    standard [AtomicBatch] survives_reopen = "what was committed is there after closing and opening again";
}

async fn commit_applies_all(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let (people, orders) = (documents(storage, "people"), documents(storage, "orders"));
    let old = people.put("old", &doc! { "n": 0_i64 }).await?;
    people.put("gone", &doc! {}).await?;
    let batch = storage.batch();
    let batch = batch
        .insert(&people, "ada", &doc! { "n": 1_i64 })
        .put(&orders, "o1", &doc! { "who": "ada" });
    let batch = batch
        .put_if(&people, "old", &doc! { "n": 2_i64 }, old)
        .delete(&people, "gone")
        .delete(&orders, "never");
    let versions = batch.commit().await?;
    ensure_eq!(versions.len(), 5, "one result for each operation");
    ensure!(
        versions[3].is_none() && versions[4].is_none(),
        "deletes have no version"
    );
    let second = ctx.second().await?;
    let (people, orders) = (documents(&second, "people"), documents(&second, "orders"));
    ensure_eq!(ids(&people, Query::all()).await?, ["ada", "old"], "the people");
    ensure_eq!(ids(&orders, Query::all()).await?, ["o1"], "the orders");
    for (collection, id, at) in [(&people, "ada", 0), (&orders, "o1", 1), (&people, "old", 2)] {
        let read = collection.get(id).await?.map(|read| read.version);
        ensure!(
            read.is_some() && read == versions[at],
            "the version of {id} is the one returned"
        );
    }
    ensure_eq!(
        people.get("old").await?.map(|read| read.value),
        Some(doc! { "n": 2_i64 }),
        "the document replaced"
    );
    Ok(())
}

/// Everything there is, versions included.
async fn state(ctx: &Ctx) -> Result<Vec<(String, String, Version, String)>> {
    let mut state = Vec::new();
    for name in ctx.storage().collections().await? {
        for document in documents(ctx.storage(), name.as_str())
            .find(Query::all())
            .await?
            .collect()
            .await?
        {
            let expiry = format!("{} {:?}", document.value, document.expires_at);
            state.push((
                name.to_string(),
                document.id.to_string(),
                document.version,
                expiry,
            ));
        }
    }
    Ok(state)
}

async fn refusal_anywhere_applies_nothing(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let (people, orders) = (documents(storage, "people"), documents(storage, "orders"));
    let stale = people.put("present", &doc! { "n": 1_i64 }).await?;
    people.put("present", &doc! { "n": 2_i64 }).await?;
    for id in ["a", "b"] {
        people.put(id, &doc! { "old": true }).await?;
    }
    if ctx.has(Capability::Indexes) {
        people.ensure_index(Index::btree("by_single", ["single"])).await?;
    }
    let before = state(ctx).await?;
    let kinds = [
        ("insert of what is there", ErrorKind::AlreadyExists),
        ("put_if of a stale version", ErrorKind::PreconditionFailed),
        ("put_if of nothing", ErrorKind::PreconditionFailed),
        ("delete_if of a stale version", ErrorKind::PreconditionFailed),
        ("delete_if of nothing", ErrorKind::PreconditionFailed),
        ("a reserved field", ErrorKind::InvalidArgument),
        ("an impossible id", ErrorKind::InvalidName),
        ("an array where the index takes none", ErrorKind::InvalidArgument),
    ];
    for (what, kind) in kinds {
        if what.contains("index") && !ctx.has(Capability::Indexes) {
            continue;
        }
        for position in 0..5 {
            let mut batch = storage.batch();
            for at in 0..5 {
                batch = match (at == position, what) {
                    (true, "insert of what is there") => batch.insert(&people, "present", &doc! {}),
                    (true, "put_if of a stale version") => {
                        batch.put_if(&people, "present", &doc! {}, stale.clone())
                    }
                    (true, "put_if of nothing") => batch.put_if(&people, "absent", &doc! {}, stale.clone()),
                    (true, "delete_if of a stale version") => {
                        batch.delete_if(&people, "present", stale.clone())
                    }
                    (true, "delete_if of nothing") => batch.delete_if(&orders, "absent", stale.clone()),
                    (true, "a reserved field") => batch.put(&people, "c", &doc! { "_id": 1_i64 }),
                    (true, "an impossible id") => batch.delete(&people, ""),
                    (true, _) => batch.put(&people, "c", &doc! { "single": ["x"] }),
                    // What surrounds it would change, insert and delete, in this collection and a new one.
                    (false, _) => match at {
                        0 => batch.put(&people, "a", &doc! { "new": true }),
                        1 => batch.insert(&orders, "o1", &doc! {}),
                        2 => batch.delete(&people, "b"),
                        3 => batch.insert(&people, "new", &doc! {}),
                        _ => batch.put(&orders, "o2", &doc! {}),
                    },
                };
            }
            let Err(error) = batch.commit().await else {
                return Err(format!("{what} at {position} was applied").into());
            };
            ensure_eq!(error.kind(), kind, "{what} at {position}: {error}");
            ensure_eq!(error.applied(), storage_core::Applied::No, "{what} at {position}");
            let named = error.context_value("operation").map(ToOwned::to_owned);
            ensure_eq!(
                named,
                Some(position.to_string()),
                "the operation named for {what}"
            );
            ensure_eq!(
                state(ctx).await?,
                before,
                "{what} at {position} changed something"
            );
        }
    }
    ensure_eq!(
        storage.collections().await?.len(),
        1,
        "no collection was made by what was refused"
    );
    Ok(())
}

async fn nothing_without_commit(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    drop(
        ctx.storage()
            .batch()
            .put(&people, "ada", &doc! {})
            .delete(&people, "bob"),
    );
    let never = ctx.storage().batch().put(&people, "ada", &doc! {});
    // A commit that is made and never polled has not begun.
    drop(never.commit());
    ensure!(
        ids(&people, Query::all()).await?.is_empty(),
        "nothing was written"
    );
    Ok(())
}

async fn later_operations_see_earlier_ones(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let people = documents(storage, "people");
    people.put("old", &doc! { "n": 1_i64 }).await?;
    let batch = storage
        .batch()
        .delete(&people, "old")
        .insert(&people, "old", &doc! { "n": 2_i64 });
    let batch = batch.insert(&people, "brief", &doc! {}).delete(&people, "brief");
    let batch = batch
        .put(&people, "twice", &doc! { "n": 1_i64 })
        .put(&people, "twice", &doc! { "n": 2_i64 });
    let versions = batch.commit().await?;
    ensure_eq!(
        people.get("old").await?.map(|read| read.value),
        Some(doc! { "n": 2_i64 }),
        "deleted, then inserted"
    );
    ensure_eq!(people.get("brief").await?, None, "inserted, then deleted");
    let twice = people.get("twice").await?;
    ensure_eq!(
        twice.as_ref().map(|read| &read.value),
        Some(&doc! { "n": 2_i64 }),
        "the later of two puts"
    );
    ensure!(
        twice.map(|read| read.version) == versions[5],
        "its version is that of the later put"
    );
    let batch = storage
        .batch()
        .insert(&people, "new", &doc! {})
        .insert(&people, "new", &doc! {});
    ensure_kind!(batch.commit().await, ErrorKind::AlreadyExists, "inserted twice");
    ensure_eq!(people.get("new").await?, None, "neither was applied");
    Ok(())
}

async fn conditions_hold(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let people = documents(storage, "people");
    let first = people.put("a", &doc! { "n": 1_i64 }).await?;
    let other = people.put("b", &doc! { "n": 1_i64 }).await?;
    let batch = storage
        .batch()
        .put_if(&people, "a", &doc! { "n": 2_i64 }, first.clone())
        .delete_if(&people, "b", other);
    let versions = batch.commit().await?;
    ensure_eq!(ids(&people, Query::all()).await?, ["a"], "both conditions held");
    let batch = storage.batch().put_if(&people, "a", &doc! { "n": 3_i64 }, first);
    ensure_kind!(
        batch.commit().await,
        ErrorKind::PreconditionFailed,
        "the version before the batch is stale"
    );
    let Some(Some(current)) = versions.into_iter().next() else {
        return Err("a put has no version".into());
    };
    people.put_if("a", &doc! { "n": 3_i64 }, current).await?;
    Ok(())
}

async fn limits_and_edges(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let people = documents(storage, "people");
    ensure!(
        storage.batch().commit().await?.is_empty(),
        "no operations, no results"
    );
    let Some(section) = &ctx.declaration().documents else {
        return Ok(());
    };
    let most = usize::try_from(section.max_batch_operations).unwrap_or(usize::MAX);
    if most <= 1_000_000 {
        let value = doc! {};
        let too_many = (0..=most).fold(storage.batch(), |batch, n| {
            batch.put(&people, n.to_string(), &value)
        });
        ensure_kind!(
            too_many.commit().await,
            ErrorKind::LimitExceeded,
            "{most} and one"
        );
    }
    if ctx.has(Capability::GuardedWrite) {
        let lease = storage
            .lease("job", Duration::from_secs(60))
            .try_acquire()
            .await?
            .ok_or("it is free")?;
        let fenced = PutOptions::new()
            .condition(Condition::Always)
            .fence(lease.fence());
        let batch = storage.batch().put_with(&people, "a", &doc! {}, fenced);
        ensure_kind!(batch.commit().await, ErrorKind::Unsupported, "a fence in a batch");
    }
    ensure!(
        ids(&people, Query::all()).await?.is_empty(),
        "nothing was written"
    );
    Ok(())
}

async fn survives_reopen(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("c", &doc! {}).await?;
    let (a, b) = (doc! { "n": 1_i64 }, doc! { "n": 2_i64 });
    let versions = ctx
        .storage()
        .batch()
        .put(&people, "a", &a)
        .put(&people, "b", &b)
        .delete(&people, "c")
        .commit()
        .await?;
    let people = documents(&ctx.reopen().await?, "people");
    let found = people.find(Query::all()).await?.collect().await?;
    let read: Vec<_> = found
        .iter()
        .map(|read| (read.id.as_str(), Some(read.version.clone())))
        .collect();
    ensure_eq!(
        read,
        [("a", versions[0].clone()), ("b", versions[1].clone())],
        "documents and versions"
    );
    Ok(())
}
