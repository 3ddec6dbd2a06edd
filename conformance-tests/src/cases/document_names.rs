//! Names of collections and documents: data, up to the declared limit.

mod hostile;

use storage_core::bson::doc;
use storage_core::{ErrorKind, Index, Query, Storage};

pub(super) use self::hostile::HOSTILE;
use self::hostile::*;
use super::sample::{documents, ids};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { document_names:
    smoke [Documents] collections_are_isolated = "equal ids in two collections are two documents, also where one name begins with the other";
    smoke [Documents] impossible_names_are_refused = "an empty name or one with NUL is InvalidName, before any effect";
    standard [Documents] hostile_ids_are_ids = "ids that look like paths, statements, escapes or files are only ids";
    standard [Documents] hostile_collection_names_are_names = "so are the names of collections";
    standard [Documents] limits_are_as_declared = "the longest id and name declared work, one byte more is LimitExceeded";
    standard [Documents] collections_are_listed_in_order = "collections are listed in byte order, each once, to every client";
    standard [Documents] refused_write_makes_no_collection = "a write that was refused leaves no collection behind";
    standard [Documents] own_names_are_reserved = "names that begin with _storage. are refused, and what the library keeps is not listed";
}

async fn collections_are_isolated(ctx: &Ctx) -> Verdict {
    let names = ["a", "ab", "a/b", "a.b", "A", "b"];
    for (n, name) in (0_i64..).zip(names) {
        documents(ctx.storage(), name)
            .put("same", &doc! { "n": n })
            .await?;
    }
    for (n, name) in (0_i64..).zip(names) {
        let collection = documents(ctx.storage(), name);
        let read = collection.get("same").await?.map(|read| read.value);
        ensure_eq!(read, Some(doc! { "n": n }), "the document of collection {name:?}");
        ensure_eq!(
            collection.count(Query::all()).await?,
            1,
            "the size of collection {name:?}"
        );
    }
    documents(ctx.storage(), "a").delete("same").await?;
    for name in &names[1..] {
        ensure!(
            documents(ctx.storage(), name).get("same").await?.is_some(),
            "deleting in \"a\" deleted in {name:?}"
        );
    }
    Ok(())
}

async fn impossible_names_are_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for impossible in ["", "\0", "a\0b"] {
        let unnamed = documents(ctx.storage(), impossible);
        ensure_kind!(
            people.put(impossible, &doc! {}).await,
            ErrorKind::InvalidName,
            "put of {impossible:?}"
        );
        ensure_kind!(
            people.get(impossible).await,
            ErrorKind::InvalidName,
            "get of {impossible:?}"
        );
        ensure_kind!(
            people.get_many([impossible]).await,
            ErrorKind::InvalidName,
            "get_many of {impossible:?}"
        );
        ensure_kind!(
            people.delete(impossible).await,
            ErrorKind::InvalidName,
            "delete of {impossible:?}"
        );
        ensure_kind!(
            unnamed.put("a", &doc! {}).await,
            ErrorKind::InvalidName,
            "put in {impossible:?}"
        );
        ensure_kind!(
            unnamed.get("a").await,
            ErrorKind::InvalidName,
            "get in {impossible:?}"
        );
        ensure_kind!(
            unnamed.find(Query::all()).await,
            ErrorKind::InvalidName,
            "find in {impossible:?}"
        );
        ensure_kind!(
            unnamed.count(Query::all()).await,
            ErrorKind::InvalidName,
            "count in {impossible:?}"
        );
    }
    ensure!(ctx.storage().collections().await?.is_empty(), "nothing was made");
    Ok(())
}

async fn limits_are_as_declared(ctx: &Ctx) -> Verdict {
    let Some(section) = &ctx.declaration().documents else {
        return Ok(());
    };
    let longest = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX).min(1 << 20);
    let (id, name) = (longest(section.max_id_bytes), longest(section.max_name_bytes));
    // Each as plain text, as text every byte of which needs an escape somewhere, and as text of four bytes for one character.
    for letter in ["x", "/", "%", "É", "😀"] {
        let id = letter.repeat(id / letter.len());
        let name = letter.repeat(name / letter.len());
        let people = documents(ctx.storage(), &name);
        people.put(&id, &doc! { "letter": letter }).await?;
        ensure_eq!(
            people.get(&id).await?.map(|read| read.value),
            Some(doc! { "letter": letter }),
            "the longest id of {letter:?}"
        );
        ensure_eq!(ids(&people, Query::all()).await?, [id], "in find");
        ensure!(
            listed(ctx.storage()).await?.contains(&name),
            "the longest name of {letter:?} is listed"
        );
    }
    let people = documents(ctx.storage(), "people");
    let (long_id, long_name) = ("x".repeat(id + 1), "x".repeat(name + 1));
    ensure_kind!(
        people.put(&long_id, &doc! {}).await,
        ErrorKind::LimitExceeded,
        "put of an id over the limit"
    );
    ensure_kind!(
        people.get(&long_id).await,
        ErrorKind::LimitExceeded,
        "get of an id over the limit"
    );
    let too_long = documents(ctx.storage(), &long_name);
    ensure_kind!(
        too_long.put("a", &doc! {}).await,
        ErrorKind::LimitExceeded,
        "put in a collection of a name over the limit"
    );
    if ctx.has(storage_core::Capability::Indexes) {
        let refused = people.ensure_index(Index::btree(&long_name, ["n"])).await;
        ensure_kind!(
            refused,
            ErrorKind::LimitExceeded,
            "an index of a name over the limit"
        );
    }
    ensure_eq!(people.count(Query::all()).await?, 0, "nothing was written");
    Ok(())
}

async fn collections_are_listed_in_order(ctx: &Ctx) -> Verdict {
    let names = ["b", "a", "a/b", "a0", "A", "é", "a-"];
    for name in names {
        documents(ctx.storage(), name).put("x", &doc! {}).await?;
        documents(ctx.storage(), name).put("y", &doc! {}).await?;
    }
    let sorted = ["A", "a", "a-", "a/b", "a0", "b", "é"];
    ensure_eq!(listed(ctx.storage()).await?, sorted, "to the client that wrote");
    ensure_eq!(listed(&ctx.second().await?).await?, sorted, "to another client");
    Ok(())
}

async fn refused_write_makes_no_collection(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let nowhere = documents(storage, "nowhere");
    let forged = storage_core::Version::random();
    ensure_kind!(
        nowhere.put_if("a", &doc! {}, forged.clone()).await,
        ErrorKind::PreconditionFailed,
        "put_if of nothing"
    );
    ensure_kind!(
        nowhere.delete_if("a", forged).await,
        ErrorKind::PreconditionFailed,
        "delete_if of nothing"
    );
    ensure!(!nowhere.delete("a").await?, "nothing was there");
    if ctx.has(storage_core::Capability::Indexes) {
        ensure_kind!(
            nowhere.rebuild_index("x").await,
            ErrorKind::NotFound,
            "rebuilding no index"
        );
        ensure_kind!(
            nowhere.index_stats("x").await,
            ErrorKind::NotFound,
            "figures of no index"
        );
        ensure!(!nowhere.drop_index("x").await?, "there was no index to drop");
    }
    ensure!(
        nowhere.get("a").await?.is_none() && ids(&nowhere, Query::all()).await?.is_empty(),
        "it is empty"
    );
    ensure!(
        listed(storage).await?.is_empty(),
        "and is not listed: {:?}",
        listed(storage).await?
    );
    Ok(())
}

async fn own_names_are_reserved(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let own = documents(storage, "_storage.leases");
    ensure_kind!(
        own.put("a", &doc! {}).await,
        ErrorKind::InvalidName,
        "put in a reserved collection"
    );
    ensure_kind!(
        own.find(Query::all()).await,
        ErrorKind::InvalidName,
        "find in a reserved collection"
    );
    let lease = storage
        .lease("job", std::time::Duration::from_secs(60))
        .try_acquire()
        .await?;
    ensure!(lease.is_some(), "a lease that is free can be had");
    ensure!(
        listed(storage).await?.is_empty(),
        "what the library keeps is not listed: {:?}",
        listed(storage).await?
    );
    let beside = documents(storage, "_storage");
    beside.put("a", &doc! {}).await?;
    ensure_eq!(
        listed(storage).await?,
        ["_storage"],
        "a name beside the reserved ones"
    );
    Ok(())
}

async fn listed(storage: &Storage) -> storage_core::Result<Vec<String>> {
    Ok(storage
        .collections()
        .await?
        .into_iter()
        .map(|name| name.to_string())
        .collect())
}
