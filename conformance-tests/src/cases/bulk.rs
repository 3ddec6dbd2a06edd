//! Many documents at once: put_many and get_many.

use storage_core::bson::doc;
use storage_core::{ErrorKind, Query};

use super::sample::{documents, ids, in_parallel, load};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { bulk:
    smoke [Documents] put_many_writes_each = "every document is there under its id, with the version its result gave";
    smoke [Documents] get_many_keeps_the_order_asked = "one answer for each id, in the order asked, missing ones and repeated ones included";
    standard [Documents] put_many_replaces = "documents that are there are replaced whole";
    standard [Documents] one_bad_document_spares_the_others = "what cannot be written fails in its place, and the others are written";
    standard [Documents] an_id_given_twice_is_refused = "the same id twice in one call is refused before any effect";
    standard [Documents] too_many_are_refused = "more than declared is LimitExceeded before any effect";
    standard [Documents] nothing_is_nothing = "no documents, no results, no collection";
    standard [Documents] concurrent_bulk_writes_all_count = "put_many over two handles at once loses nothing";
}

async fn put_many_writes_each(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let all: Vec<_> = (0..250_i64)
        .map(|n| (format!("{n:03}"), doc! { "n": n }))
        .collect();
    let versions = load(&people, &all).await?;
    let found = people.find(Query::all()).await?.collect().await?;
    ensure_eq!(found.len(), all.len(), "as many as were written");
    for ((read, (id, value)), version) in found.iter().zip(&all).zip(&versions) {
        ensure_eq!(read.id.as_str(), id, "in order of ids");
        ensure_eq!(read.value, *value, "the value of {id}");
        ensure_eq!(read.version, *version, "the version of {id}");
    }
    Ok(())
}

async fn get_many_keeps_the_order_asked(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for n in 0..5_i64 {
        people.put(n.to_string(), &doc! { "n": n }).await?;
    }
    let asked = ["3", "missing", "0", "3", "4", "44"];
    let read: Vec<_> = people
        .get_many(asked)
        .await?
        .into_iter()
        .map(|read| read.map(|read| read.id.to_string()))
        .collect();
    let expected = [Some("3"), None, Some("0"), Some("3"), Some("4"), None];
    ensure_eq!(
        read,
        expected.map(|id| id.map(ToOwned::to_owned)),
        "in the order asked"
    );
    ensure!(
        people.get_many(Vec::<String>::new()).await?.is_empty(),
        "nothing asked, nothing given"
    );
    let many: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let read = people.get_many(&many).await?;
    ensure_eq!(read.len(), 300, "one answer for each");
    ensure_eq!(read.iter().flatten().count(), 5, "of which five are there");
    Ok(())
}

async fn put_many_replaces(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let before = people.put("b", &doc! { "old": true }).await?;
    let all = ["a", "b", "c"].map(|id| (id.to_owned(), doc! { "new": id }));
    let versions = load(&people, &all).await?;
    ensure!(versions[1] != before, "a version of its own");
    ensure_eq!(
        people.get("b").await?.map(|read| read.value),
        Some(doc! { "new": "b" }),
        "replaced whole"
    );
    ensure_kind!(
        people.put_if("b", &doc! {}, before).await,
        ErrorKind::PreconditionFailed,
        "the version before is stale"
    );
    Ok(())
}

async fn one_bad_document_spares_the_others(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let all = [
        ("a", doc! { "n": 1_i64 }),
        ("", doc! {}),
        ("b", doc! { "_id": 1_i64 }),
        ("c", doc! { "n": 3_i64 }),
    ];
    let mut results = people
        .put_many(all.iter().map(|(id, value)| (*id, value)))
        .await?
        .into_iter();
    let mut next = || results.next().ok_or("fewer results than documents");
    let a = next()??;
    ensure_kind!(next()?, ErrorKind::InvalidName, "an impossible id");
    ensure_kind!(next()?, ErrorKind::InvalidArgument, "a reserved field");
    let c = next()??;
    ensure!(results.next().is_none(), "more results than documents");
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["a", "c"],
        "the others are written"
    );
    ensure_eq!(
        people.get("a").await?.map(|read| read.version),
        Some(a),
        "each with its own version"
    );
    ensure_eq!(
        people.get("c").await?.map(|read| read.version),
        Some(c),
        "each with its own version"
    );
    Ok(())
}

async fn an_id_given_twice_is_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let value = doc! {};
    let refused = people
        .put_many([("a", &value), ("b", &value), ("a", &value)])
        .await;
    ensure_kind!(refused, ErrorKind::InvalidArgument, "an id twice");
    ensure!(
        ids(&people, Query::all()).await?.is_empty(),
        "nothing was written"
    );
    Ok(())
}

async fn too_many_are_refused(ctx: &Ctx) -> Verdict {
    let Some(section) = &ctx.declaration().documents else {
        return Ok(());
    };
    let people = documents(ctx.storage(), "people");
    let (value, most) = (
        doc! {},
        usize::try_from(section.max_batch_operations).unwrap_or(usize::MAX),
    );
    if most <= 1_000_000 {
        let refused = people.put_many((0..=most).map(|n| (n.to_string(), &value))).await;
        ensure_kind!(refused, ErrorKind::LimitExceeded, "{most} and one");
    }
    ensure!(
        ids(&people, Query::all()).await?.is_empty(),
        "nothing was written"
    );
    Ok(())
}

async fn nothing_is_nothing(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    ensure!(
        people.put_many(Vec::<(&str, _)>::new()).await?.is_empty(),
        "no results"
    );
    ensure!(ctx.storage().collections().await?.is_empty(), "no collection");
    Ok(())
}

async fn concurrent_bulk_writes_all_count(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let loading = (0..4).map(|writer| {
        let people = documents(&handles[writer % 2], "people");
        async move {
            let all: Vec<_> = (0..40_i64)
                .map(|n| (format!("{writer}-{n:02}"), doc! { "n": n }))
                .collect();
            load(&people, &all).await
        }
    });
    for loaded in in_parallel(loading).await? {
        ensure_eq!(loaded?.len(), 40, "each writer's documents");
    }
    let people = documents(ctx.storage(), "people");
    ensure_eq!(people.count(Query::all()).await?, 160, "all writers' documents");
    Ok(())
}
