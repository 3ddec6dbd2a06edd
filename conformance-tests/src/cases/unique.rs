//! Unique indexes: no two documents that have every field share a key.

mod races;

use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{Capability, ErrorKind, Index, PutOptions, Query};

use self::races::{
    insert_race_has_one_winner, made_during_writes_holds, race_for_a_freed_key_has_one_winner,
};
use super::sample::{documents, ids, load, winners};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { unique:
    smoke [UniqueIndexes] violation_changes_nothing = "a second document with the key is UniqueViolation naming index and holder, and nothing changes";
    standard [UniqueIndexes] key_is_free_again = "a key is free once its holder changes it or is deleted";
    standard [UniqueIndexes] holder_may_write_again = "the holder itself can be written again with the key it has";
    standard [UniqueIndexes] covers_complete_documents_only = "documents without one of the fields are not covered; null is a value like any other";
    standard [UniqueIndexes] numbers_are_equal_by_value = "1 and 1.0 are one key; 1 and its text are two";
    standard [UniqueIndexes] each_element_is_a_key = "over each element, no element may be shared";
    standard [UniqueIndexes] cannot_be_made_over_duplicates = "an index that duplicates violate is refused naming them, and does not exist";
    standard [UniqueIndexes] put_many_refuses_only_the_second = "of two documents with one key in one put_many, one is written and one refused";
    standard [UniqueIndexes] insert_race_has_one_winner = "of many documents with one key over two handles exactly one is written";
    standard [UniqueIndexes] race_for_a_freed_key_has_one_winner = "so it is when the key moves from holder to holder";
    standard [UniqueIndexes] made_during_writes_holds = "made while two clients write duplicates, it exists without duplicates or not at all";
    standard [UniqueIndexes] expired_holder_gives_way = "an expired document holds no key";
    standard [UniqueIndexes] survives_reopen = "the law holds after closing and opening again";
}

async fn violation_changes_nothing(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::hash("by_mail", ["mail"]).unique())
        .await?;
    people.ensure_index(Index::btree("by_age", ["age"])).await?;
    people.put("ada", &doc! { "mail": "a@x", "age": 36_i64 }).await?;
    let before = people.put("bob", &doc! { "mail": "b@x", "age": 17_i64 }).await?;
    let second = documents(&ctx.second().await?, "people");
    for people in [&people, &second] {
        let taken = doc! { "mail": "a@x", "age": 99_i64 };
        let Err(error) = people.put("bob", &taken).await else {
            return Err("two documents share a key".into());
        };
        ensure_eq!(error.kind(), ErrorKind::UniqueViolation, "{error}");
        ensure_eq!(
            error.context_value("index"),
            Some("by_mail"),
            "the index is named"
        );
        ensure_eq!(error.context_value("holder"), Some("ada"), "the holder is named");
        ensure_eq!(error.applied(), storage_core::Applied::No, "nothing was applied");
        ensure_kind!(
            people.insert("cay", &taken).await,
            ErrorKind::UniqueViolation,
            "an insert"
        );
        ensure_kind!(
            people.put_if("bob", &taken, before.clone()).await,
            ErrorKind::UniqueViolation,
            "a put_if"
        );
        ensure_eq!(
            people.get("bob").await?.map(|read| read.version),
            Some(before.clone()),
            "what was there stays"
        );
        ensure_eq!(people.get("cay").await?, None, "nothing was inserted");
        ensure_eq!(
            ids(people, Query::ge("age", 0_i64)).await?,
            ["bob", "ada"],
            "no other index changed"
        );
        ensure_eq!(
            ids(people, Query::eq("mail", "a@x")).await?,
            ["ada"],
            "the key has its holder"
        );
        ensure_eq!(
            ids(people, Query::eq("mail", "b@x")).await?,
            ["bob"],
            "and so has the other"
        );
    }
    Ok(())
}

async fn key_is_free_again(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("by_mail", ["mail"]).unique())
        .await?;
    people.put("ada", &doc! { "mail": "m" }).await?;
    people.put("ada", &doc! { "mail": "n" }).await?;
    people.put("bob", &doc! { "mail": "m" }).await?;
    ensure_kind!(
        people.put("ada", &doc! { "mail": "m" }).await,
        ErrorKind::UniqueViolation,
        "it has a new holder"
    );
    people.delete("bob").await?;
    people.put("ada", &doc! { "mail": "m" }).await?;
    people.put("ada", &doc! {}).await?;
    people.put("cay", &doc! { "mail": "m" }).await?;
    ensure_eq!(
        ids(&people, Query::eq("mail", "m")).await?,
        ["cay"],
        "the last holder"
    );
    Ok(())
}

async fn holder_may_write_again(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("by_mail", ["mail"]).unique())
        .await?;
    let version = people.put("ada", &doc! { "mail": "m", "n": 1_i64 }).await?;
    let version = people
        .put_if("ada", &doc! { "mail": "m", "n": 2_i64 }, version)
        .await?;
    people.put("ada", &doc! { "mail": "m", "n": 3_i64 }).await?;
    ensure_kind!(
        people.put_if("ada", &doc! { "mail": "m" }, version).await,
        ErrorKind::PreconditionFailed,
        "a stale one"
    );
    ensure_eq!(
        ids(&people, Query::eq("mail", "m")).await?,
        ["ada"],
        "it is there once"
    );
    ensure_kind!(
        people.put("bob", &doc! { "mail": "m" }).await,
        ErrorKind::UniqueViolation,
        "and holds the key"
    );
    Ok(())
}

async fn covers_complete_documents_only(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("by_both", ["a", "b"]).unique())
        .await?;
    for n in 0..3 {
        people.put(format!("no-b-{n}"), &doc! { "a": 1_i64 }).await?;
        people.put(format!("neither-{n}"), &doc! {}).await?;
    }
    people.put("null", &doc! { "a": 1_i64, "b": null }).await?;
    ensure_kind!(
        people.put("null-2", &doc! { "a": 1_i64, "b": null }).await,
        ErrorKind::UniqueViolation,
        "null counts"
    );
    people.put("other-null", &doc! { "a": null, "b": 1_i64 }).await?;
    people.put("both-null", &doc! { "a": null, "b": null }).await?;
    ensure_kind!(
        people.put("x", &doc! { "a": null, "b": null }).await,
        ErrorKind::UniqueViolation,
        "so do two nulls"
    );
    ensure_eq!(people.count(Query::all()).await?, 9, "all but those refused");
    Ok(())
}

async fn numbers_are_equal_by_value(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for index in [
        Index::btree("tree", ["n"]).unique(),
        Index::hash("hash", ["n"]).unique(),
    ] {
        people.ensure_index(index.clone()).await?;
        people.put("integer", &doc! { "n": 1_i64 }).await?;
        ensure_kind!(
            people.put("float", &doc! { "n": 1.0 }).await,
            ErrorKind::UniqueViolation,
            "1.0 in {:?}",
            index.kind
        );
        people.put("text", &doc! { "n": "1" }).await?;
        people.put("boolean", &doc! { "n": true }).await?;
        people.put("zero", &doc! { "n": 0.0 }).await?;
        ensure_kind!(
            people.put("minus", &doc! { "n": -0.0 }).await,
            ErrorKind::UniqueViolation,
            "-0.0 in {:?}",
            index.kind
        );
        people.put("nan", &doc! { "n": f64::NAN }).await?;
        ensure_kind!(
            people.put("nan-2", &doc! { "n": f64::NAN }).await,
            ErrorKind::UniqueViolation,
            "NaN in {:?}",
            index.kind
        );
        people
            .put("large", &doc! { "n": 9_007_199_254_740_993_i64 })
            .await?;
        people.put("near", &doc! { "n": 9_007_199_254_740_992.0 }).await?;
        people.drop_index(&index.name).await?;
    }
    Ok(())
}

async fn each_element_is_a_key(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::hash("by_mail", ["mails"]).unique().each())
        .await?;
    people.put("ada", &doc! { "mails": ["a", "b", "a"] }).await?;
    ensure_kind!(
        people.put("bob", &doc! { "mails": ["c", "b"] }).await,
        ErrorKind::UniqueViolation,
        "one is shared"
    );
    people.put("bob", &doc! { "mails": ["c"] }).await?;
    ensure_kind!(
        people.put("cay", &doc! { "mails": "c" }).await,
        ErrorKind::UniqueViolation,
        "alone or in an array"
    );
    people.put("ada", &doc! { "mails": ["a"] }).await?;
    people.put("bob", &doc! { "mails": ["b", "c"] }).await?;
    people.put("cay", &doc! { "mails": [] }).await?;
    people.put("dot", &doc! { "mails": [] }).await?;
    Ok(())
}

async fn cannot_be_made_over_duplicates(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let all = ["a", "b", "c"].map(|id| {
        (
            id.to_owned(),
            doc! { "mail": if id == "a" { "x" } else { "same" } },
        )
    });
    load(&people, &all).await?;
    let made = people
        .ensure_index(Index::btree("by_mail", ["mail"]).unique())
        .await;
    ensure_kind!(made, ErrorKind::UniqueViolation, "over duplicates");
    ensure!(people.indexes().await?.is_empty(), "it does not exist");
    people.put("d", &doc! { "mail": "same" }).await?;
    people.delete("c").await?;
    people.delete("d").await?;
    ensure!(
        people
            .ensure_index(Index::btree("by_mail", ["mail"]).unique())
            .await?,
        "without duplicates it can be made"
    );
    ensure_kind!(
        people.put("c", &doc! { "mail": "same" }).await,
        ErrorKind::UniqueViolation,
        "and holds"
    );
    Ok(())
}

async fn put_many_refuses_only_the_second(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("by_mail", ["mail"]).unique())
        .await?;
    let all = [
        ("a", doc! { "mail": "same" }),
        ("b", doc! { "mail": "same" }),
        ("c", doc! { "mail": "other" }),
    ];
    let results = people
        .put_many(all.iter().map(|(id, value)| (*id, value)))
        .await?;
    ensure_eq!(
        winners(&results, ErrorKind::UniqueViolation)?,
        2,
        "how many were written"
    );
    ensure_eq!(
        ids(&people, Query::eq("mail", "same")).await?.len(),
        1,
        "one has the key"
    );
    ensure!(results[2].is_ok(), "what has nothing to do with it is written");
    Ok(())
}

async fn expired_holder_gives_way(ctx: &Ctx) -> Verdict {
    if !ctx.has(Capability::Expiry) {
        return Ok(());
    }
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("by_mail", ["mail"]).unique())
        .await?;
    let expiring = PutOptions::new().ttl(Duration::from_secs(60));
    people.put_with("ada", &doc! { "mail": "m" }, expiring).await?;
    ensure_kind!(
        people.put("bob", &doc! { "mail": "m" }).await,
        ErrorKind::UniqueViolation,
        "it has not expired yet"
    );
    ctx.clock().advance(Duration::from_secs(61));
    people.put("bob", &doc! { "mail": "m" }).await?;
    ensure_eq!(
        ids(&people, Query::eq("mail", "m")).await?,
        ["bob"],
        "the new holder alone"
    );
    ensure_kind!(
        people.insert("ada", &doc! { "mail": "m" }).await,
        ErrorKind::UniqueViolation,
        "the old one comes too late"
    );
    people.insert("ada", &doc! { "mail": "n" }).await?;
    ensure_eq!(
        ids(&people, Query::eq("mail", "m")).await?,
        ["bob"],
        "and takes nothing with it"
    );
    Ok(())
}

async fn survives_reopen(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::hash("by_mail", ["mail"]).unique())
        .await?;
    people.put("ada", &doc! { "mail": "m" }).await?;
    let people = documents(&ctx.reopen().await?, "people");
    ensure_kind!(
        people.put("bob", &doc! { "mail": "m" }).await,
        ErrorKind::UniqueViolation,
        "after a reopen"
    );
    people.put("bob", &doc! { "mail": "n" }).await?;
    Ok(())
}
