//! What does not fit an index, and that nothing is written then.

use storage_core::bson::doc;
use storage_core::{Error, ErrorKind, Index, Query};

use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{documents, ids};
use crate::context::Ctx;

pub(super) async fn array_needs_each(ctx: &Ctx) -> Verdict {
    let posts = documents(ctx.storage(), "posts");
    posts.ensure_index(Index::btree("by_title", ["title"])).await?;
    posts.ensure_index(Index::btree("by_tag", ["meta.tags"])).await?;
    let before = posts
        .put("1", &doc! { "title": "x", "meta": { "tags": "one" } })
        .await?;
    let array = doc! { "title": "y", "meta": { "tags": ["a"] } };
    let Err(error) = posts.put("1", &array).await else {
        return Err("an array was taken".into());
    };
    names(&error, ErrorKind::InvalidArgument, &["meta.tags", "by_tag"])?;
    let on_the_way = doc! { "title": "y", "meta": [{ "tags": "a" }] };
    let Err(error) = posts.put("1", &on_the_way).await else {
        return Err("an array on the way to the field was taken".into());
    };
    names(&error, ErrorKind::InvalidArgument, &["meta.tags", "by_tag"])?;
    ensure_kind!(
        posts.insert("2", &array).await,
        ErrorKind::InvalidArgument,
        "an insert with an array"
    );
    ensure_eq!(
        posts.get("1").await?.map(|read| read.version),
        Some(before),
        "what was there stays"
    );
    ensure_eq!(
        ids(&posts, Query::eq("title", "x")).await?,
        ["1"],
        "in every index"
    );
    ensure!(
        ids(&posts, Query::eq("title", "y")).await?.is_empty(),
        "and nothing else is"
    );
    ensure_eq!(posts.count(Query::all()).await?, 1, "nothing was written");
    Ok(())
}

pub(super) async fn long_key_is_refused(ctx: &Ctx) -> Verdict {
    let Some(section) = &ctx.declaration().documents else {
        return Ok(());
    };
    let most = usize::try_from(section.max_index_key_bytes)
        .unwrap_or(usize::MAX)
        .min(1 << 20);
    let people = documents(ctx.storage(), "people");
    people.ensure_index(Index::btree("by_age", ["age"])).await?;
    people.ensure_index(Index::btree("by_name", ["name"])).await?;
    // In core's encoding a string of plain letters takes a byte before and a byte after.
    for name in ["x".repeat(most - 2), "é".repeat((most - 2) / 2)] {
        people.put("longest", &doc! { "name": &name }).await?;
        ensure_eq!(
            ids(&people, Query::eq("name", &name)).await?,
            ["longest"],
            "a key at the limit"
        );
    }
    let too_long = doc! { "age": 1_i64, "name": "x".repeat(most) };
    let Err(error) = people.put("longest", &too_long).await else {
        return Err("a key over the limit was taken".into());
    };
    names(&error, ErrorKind::LimitExceeded, &["by_name", "name"])?;
    ensure_kind!(
        people.insert("new", &too_long).await,
        ErrorKind::LimitExceeded,
        "an insert over the limit"
    );
    ensure!(
        ids(&people, Query::eq("age", 1_i64)).await?.is_empty(),
        "no other index has it"
    );
    ensure_eq!(
        ids(&people, Query::all()).await?,
        ["longest"],
        "nothing was written"
    );
    people.drop_index("by_name").await?;
    people.ensure_index(Index::hash("by_name", ["name"])).await?;
    people.put("new", &too_long).await?;
    ensure_eq!(
        ids(&people, Query::eq("name", "x".repeat(most))).await?,
        ["new"],
        "a hash index takes any length"
    );
    Ok(())
}

pub(super) async fn unfit_document_stops_ensure(ctx: &Ctx) -> Verdict {
    let posts = documents(ctx.storage(), "posts");
    for n in 0..5_i64 {
        posts.put(format!("fit-{n}"), &doc! { "tag": n }).await?;
    }
    posts.put("unfit", &doc! { "tag": ["a"] }).await?;
    let Err(error) = posts.ensure_index(Index::btree("by_tag", ["tag"])).await else {
        return Err("it was made".into());
    };
    names(&error, ErrorKind::InvalidArgument, &["unfit", "tag"])?;
    ensure!(
        posts.indexes().await?.is_empty(),
        "it is not listed: {:?}",
        posts.indexes().await?
    );
    ensure_kind!(
        posts.find(Query::eq("tag", 1_i64)).await,
        ErrorKind::IndexRequired,
        "it answers nothing"
    );
    posts.put("another", &doc! { "tag": ["b"] }).await?;
    posts.delete("unfit").await?;
    posts.delete("another").await?;
    ensure!(
        posts.ensure_index(Index::btree("by_tag", ["tag"])).await?,
        "without that document it can be made"
    );
    ensure_eq!(
        posts.count(Query::ge("tag", 0_i64)).await?,
        5,
        "and holds the rest"
    );
    Ok(())
}

pub(super) async fn impossible_definitions_are_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let wide: Vec<String> = (0..17).map(|n| format!("f{n}")).collect();
    let impossible = [
        Index::btree("none", Vec::<String>::new()),
        Index::btree("twice", ["a", "b", "a"]),
        Index::hash("wide", wide),
        Index::btree("each", ["a", "b"]).each(),
    ];
    for index in impossible {
        ensure_kind!(
            people.ensure_index(index.clone()).await,
            ErrorKind::InvalidArgument,
            "{index:?}"
        );
    }
    for name in ["", "a\0b"] {
        ensure_kind!(
            people.ensure_index(Index::btree(name, ["a"])).await,
            ErrorKind::InvalidName,
            "the name {name:?}"
        );
        ensure_kind!(
            people.drop_index(name).await,
            ErrorKind::InvalidName,
            "dropping {name:?}"
        );
    }
    ensure!(people.indexes().await?.is_empty(), "nothing was made");
    Ok(())
}

/// The error is of this kind and names all of these, in its text or its context.
fn names(error: &Error, kind: ErrorKind, named: &[&str]) -> Verdict {
    ensure_eq!(error.kind(), kind, "{error}");
    for name in named {
        let found = error.message().contains(name) || error.context().any(|(_, value)| value.contains(name));
        ensure!(found, "the error does not name {name:?}: {error:?}");
    }
    Ok(())
}
