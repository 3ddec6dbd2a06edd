//! Indexes: what they hold, what they refuse, and that no answer depends on them.

mod kinds;
mod refusals;

use storage_core::bson::doc;
use storage_core::{ErrorKind, Index, Query};

use self::kinds::*;
use self::refusals::*;
use super::sample::{documents, ids, load};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { index:
    smoke [Indexes] ensure_is_idempotent = "the same definition again changes nothing; another one under the name is AlreadyExists";
    smoke [Indexes] backfills_what_is_there = "an index made later holds what was written before";
    smoke [Indexes] follows_put_and_delete = "an index follows inserts, changes, deletes and put_many at once";
    standard [Indexes] hash_answers_equality_only = "a hash index answers eq and in over all its fields, and nothing else";
    standard [Indexes] compound_answers_prefix_and_order = "equality on the first fields, then a range or the order of the rest";
    standard [Indexes] compound_keys_do_not_run_together = "(a, bc) and (ab, c) are two keys";
    standard [Indexes] sparse_leaves_out_what_has_no_field = "a sparse index holds only documents that have a field, and answers no order of all";
    standard [Indexes] each_has_one_entry_per_element = "an index over each element counts distinct elements, and follows changes of the array";
    standard [Indexes] array_needs_each = "an array under a single-valued index, or on the way to its field, is refused, naming the field, and nothing is written";
    standard [Indexes] long_key_is_refused = "a key over the declared limit is LimitExceeded naming the index, and nothing is written; a hash index takes it";
    standard [Indexes] unfit_document_stops_ensure = "an index a document does not fit is refused naming the document, and does not exist";
    standard [Indexes] impossible_definitions_are_refused = "no fields, a field twice, too many, each over several, an empty name";
    standard [Indexes] drop_takes_it_away = "a dropped index answers nothing, is not listed, and can be made anew with another definition";
    standard [Indexes] rebuild_changes_no_answer = "rebuilding gives the same answers and figures; of nothing it is NotFound";
    standard [Indexes] stats_count_keys_and_entries = "figures are of what is there: keys and entries, also after deletes";
    standard [Indexes] are_listed_with_their_definitions = "indexes are listed by name, as defined and ready, to every client";
    standard [Indexes] belong_to_one_collection = "an index of one collection knows nothing of another";
    standard [Indexes] survive_reopen = "definitions, entries and answers are the same after closing and opening again";
}

async fn ensure_is_idempotent(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("ada", &doc! { "age": 36_i64 }).await?;
    ensure!(
        people.ensure_index(Index::btree("by_age", ["age"])).await?,
        "it is created"
    );
    ensure!(
        !people.ensure_index(Index::btree("by_age", ["age"])).await?,
        "it is there already"
    );
    let second = documents(&ctx.second().await?, "people");
    ensure!(
        !second.ensure_index(Index::btree("by_age", ["age"])).await?,
        "also for another client"
    );
    let others = [
        Index::hash("by_age", ["age"]),
        Index::btree("by_age", ["name"]),
        Index::btree("by_age", ["age", "name"]),
        Index::btree("by_age", ["age"]).sparse(),
        Index::btree("by_age", ["age"]).each(),
    ];
    for other in others {
        ensure_kind!(
            people.ensure_index(other.clone()).await,
            ErrorKind::AlreadyExists,
            "{other:?}"
        );
    }
    let listed: Vec<_> = people
        .indexes()
        .await?
        .into_iter()
        .map(|info| info.index)
        .collect();
    ensure_eq!(
        listed,
        [Index::btree("by_age", ["age"])],
        "the first definition stays"
    );
    ensure_eq!(
        ids(&people, Query::eq("age", 36_i64)).await?,
        ["ada"],
        "and answers"
    );
    Ok(())
}

async fn backfills_what_is_there(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let all: Vec<_> = (0..230_i64)
        .map(|n| (format!("{n:03}"), doc! { "mod": n % 10 }))
        .collect();
    load(&people, &all).await?;
    people.delete("005").await?;
    people.put("006", &doc! { "mod": 5_i64 }).await?;
    people.ensure_index(Index::btree("by_mod", ["mod"])).await?;
    let found = ids(&people, Query::eq("mod", 5_i64)).await?;
    ensure_eq!(
        found.len(),
        23,
        "one deleted and one changed before the index was made: {found:?}"
    );
    ensure_eq!(
        people.count(Query::ge("mod", 0_i64)).await?,
        229,
        "every document has its entry"
    );
    Ok(())
}

async fn follows_put_and_delete(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for index in [
        Index::btree("tree", ["n"]),
        Index::hash("hash", ["n"]),
        Index::btree("other", ["m", "n"]),
    ] {
        people.ensure_index(index).await?;
    }
    let second = documents(&ctx.second().await?, "people");
    let of = |n: i64| Query::eq("n", n);
    people.put("a", &doc! { "n": 1_i64 }).await?;
    ensure_eq!(ids(&second, of(1)).await?, ["a"], "after an insert");
    second.put("a", &doc! { "n": 2_i64, "m": 1_i64 }).await?;
    ensure!(
        ids(&people, of(1)).await?.is_empty(),
        "the old key is gone after a change"
    );
    ensure_eq!(ids(&people, of(2)).await?, ["a"], "the new key is there");
    people.put("a", &doc! { "n": 2_i64, "m": 2_i64 }).await?;
    ensure_eq!(
        ids(&people, of(2)).await?,
        ["a"],
        "once, though it was written twice"
    );
    ensure!(
        ids(&people, Query::eq("m", 1_i64).and(of(2))).await?.is_empty(),
        "the compound key moved"
    );
    load(
        &people,
        &[
            ("a".to_owned(), doc! { "n": 3_i64 }),
            ("b".to_owned(), doc! { "n": 3_i64 }),
        ],
    )
    .await?;
    ensure_eq!(ids(&second, of(3)).await?, ["a", "b"], "after put_many");
    people.update("a", |value| _ = value.insert("n", 4_i64)).await?;
    ensure_eq!(ids(&second, of(4)).await?, ["a"], "after an update");
    people.put("a", &doc! {}).await?;
    ensure!(
        ids(&second, of(4)).await?.is_empty(),
        "after the field was taken away"
    );
    second.delete("b").await?;
    ensure!(ids(&people, of(3)).await?.is_empty(), "after a delete");
    ensure_eq!(people.count(Query::ge("n", 0_i64)).await?, 0, "no entry is left");
    people.put("b", &doc! { "n": 5_i64 }).await?;
    ensure!(
        ids(&people, of(3)).await?.is_empty(),
        "what was deleted does not come back with its id"
    );
    ensure_eq!(ids(&people, of(5)).await?, ["b"], "the new document is there");
    Ok(())
}

async fn drop_takes_it_away(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("ada", &doc! { "age": 36_i64 }).await?;
    people.ensure_index(Index::btree("by_age", ["age"])).await?;
    let second = documents(&ctx.second().await?, "people");
    ensure!(second.drop_index("by_age").await?, "it was there");
    ensure!(!people.drop_index("by_age").await?, "it was not there any more");
    ensure!(people.indexes().await?.is_empty(), "it is not listed");
    ensure_kind!(
        people.find(Query::eq("age", 36_i64)).await,
        ErrorKind::IndexRequired,
        "it answers nothing"
    );
    ensure_kind!(
        people.index_stats("by_age").await,
        ErrorKind::NotFound,
        "it has no figures"
    );
    people
        .put("bob", &doc! { "age": ["an", "array"], "name": "Bob" })
        .await?;
    ensure!(
        people.ensure_index(Index::hash("by_age", ["name"])).await?,
        "the name is free for another definition"
    );
    ensure_eq!(
        ids(&people, Query::eq("name", "Bob")).await?,
        ["bob"],
        "which answers"
    );
    Ok(())
}

async fn rebuild_changes_no_answer(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let all: Vec<_> = (0..40_i64)
        .map(|n| (format!("{n:02}"), doc! { "mod": n % 7 }))
        .collect();
    load(&people, &all).await?;
    people.ensure_index(Index::btree("by_mod", ["mod"])).await?;
    let (answer, stats) = (
        ids(&people, Query::ge("mod", 3_i64)).await?,
        people.index_stats("by_mod").await?,
    );
    people.rebuild_index("by_mod").await?;
    ensure_eq!(
        ids(&people, Query::ge("mod", 3_i64)).await?,
        answer,
        "the same answer"
    );
    ensure_eq!(people.index_stats("by_mod").await?, stats, "the same figures");
    people.delete("03").await?;
    people.put("40", &doc! { "mod": 3_i64 }).await?;
    ensure_eq!(
        ids(&people, Query::eq("mod", 3_i64)).await?,
        ["10", "17", "24", "31", "38", "40"],
        "it goes on following"
    );
    ensure_kind!(
        people.rebuild_index("by_age").await,
        ErrorKind::NotFound,
        "an index that is not there"
    );
    Ok(())
}

async fn stats_count_keys_and_entries(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.ensure_index(Index::btree("by_mod", ["mod"])).await?;
    people
        .ensure_index(Index::hash("by_tag", ["tags"]).each())
        .await?;
    let figures = async |index: &str| {
        people
            .index_stats(index)
            .await
            .map(|stats| (stats.unique_keys, stats.total_entries))
    };
    ensure_eq!(figures("by_mod").await?, (0, 0), "of nothing");
    let all: Vec<_> = (0..12_i64)
        .map(|n| (format!("{n:02}"), doc! { "mod": n % 4, "tags": ["x", n] }))
        .collect();
    load(&people, &all).await?;
    ensure_eq!(figures("by_mod").await?, (4, 12), "twelve documents, four values");
    ensure_eq!(
        figures("by_tag").await?,
        (13, 24),
        "two elements each, one of them shared"
    );
    people.put("00", &doc! { "mod": 1_i64, "tags": ["x"] }).await?;
    people.delete("01").await?;
    ensure_eq!(figures("by_mod").await?, (4, 11), "after a change and a delete");
    ensure_eq!(figures("by_tag").await?, (11, 21), "after a change and a delete");
    Ok(())
}

async fn are_listed_with_their_definitions(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let mut defined = vec![
        Index::btree("tree", ["a", "b.c", r"d\.e"]),
        Index::hash("hash", ["a"]),
        Index::btree("sparse", ["a"]).sparse(),
        Index::btree("each", ["tags"]).each(),
    ];
    if ctx.has(storage_core::Capability::UniqueIndexes) {
        defined.push(Index::hash("unique", ["a", "b"]).unique());
    }
    for index in &defined {
        people.ensure_index(index.clone()).await?;
    }
    defined.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    for storage in [ctx.storage().clone(), ctx.second().await?] {
        let listed = documents(&storage, "people").indexes().await?;
        ensure!(
            listed.iter().all(|info| info.ready),
            "every index is ready: {listed:?}"
        );
        ensure_eq!(
            listed.into_iter().map(|info| info.index).collect::<Vec<_>>(),
            defined,
            "as defined, by name"
        );
    }
    ensure!(
        documents(ctx.storage(), "nobody").indexes().await?.is_empty(),
        "a collection that does not exist has none"
    );
    Ok(())
}

async fn belong_to_one_collection(ctx: &Ctx) -> Verdict {
    let (first, second) = (documents(ctx.storage(), "a"), documents(ctx.storage(), "ab"));
    first.ensure_index(Index::btree("by_n", ["n"])).await?;
    first.put("1", &doc! { "n": 1_i64 }).await?;
    second.put("2", &doc! { "n": 1_i64 }).await?;
    ensure_kind!(
        second.find(Query::eq("n", 1_i64)).await,
        ErrorKind::IndexRequired,
        "the other collection has none"
    );
    second.ensure_index(Index::btree("by_n", ["n"])).await?;
    ensure_eq!(
        ids(&first, Query::eq("n", 1_i64)).await?,
        ["1"],
        "the one's documents"
    );
    ensure_eq!(
        ids(&second, Query::eq("n", 1_i64)).await?,
        ["2"],
        "the other's documents"
    );
    first.drop_index("by_n").await?;
    ensure_eq!(
        ids(&second, Query::eq("n", 1_i64)).await?,
        ["2"],
        "dropping the one leaves the other"
    );
    Ok(())
}

async fn survive_reopen(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.ensure_index(Index::btree("by_age", ["age"])).await?;
    people.ensure_index(Index::hash("by_name", ["name"])).await?;
    people.put("ada", &doc! { "age": 36_i64, "name": "Ada" }).await?;
    people.put("bob", &doc! { "age": 17_i64, "name": "Bob" }).await?;
    let storage = ctx.reopen().await?;
    let people = documents(&storage, "people");
    ensure_eq!(people.indexes().await?.len(), 2, "the indexes are listed");
    ensure_eq!(
        ids(&people, Query::ge("age", 18_i64)).await?,
        ["ada"],
        "a range is answered"
    );
    ensure_eq!(
        ids(&people, Query::eq("name", "Bob")).await?,
        ["bob"],
        "equality is answered"
    );
    ensure!(
        !people.ensure_index(Index::btree("by_age", ["age"])).await?,
        "the definition is the same"
    );
    people.put("cay", &doc! { "age": 18_i64 }).await?;
    ensure_eq!(
        ids(&people, Query::ge("age", 18_i64)).await?,
        ["cay", "ada"],
        "it goes on following"
    );
    Ok(())
}
