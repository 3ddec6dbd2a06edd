//! Indexes: what they hold, what they refuse, and that no answer depends on them.

use storage_core::bson::{Bson, doc};
use storage_core::{AccessKind, Error, ErrorKind, Index, Query};

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
    standard [Indexes] array_needs_each = "an array under a single-valued index is refused, naming the field, and nothing is written";
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

async fn hash_answers_equality_only(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::hash("city_age", ["city", "age"]))
        .await?;
    people
        .put("ada", &doc! { "city": "Delft", "age": 36_i64 })
        .await?;
    people.put("bob", &doc! { "city": "Delft" }).await?;
    let city = || Query::eq("city", "Delft");
    ensure_eq!(
        ids(&people, city().and(Query::eq("age", 36.0))).await?,
        ["ada"],
        "equality of both, by value"
    );
    ensure!(
        ids(&people, city().and(Query::eq("age", 37_i64)))
            .await?
            .is_empty(),
        "no such age"
    );
    for query in [
        city(),
        Query::eq("age", 36_i64),
        city().and(Query::ge("age", 1_i64)),
        Query::all().sort("city"),
    ] {
        ensure_kind!(
            people.find(query.clone()).await,
            ErrorKind::IndexRequired,
            "{query:?}"
        );
    }
    let null = city().and(Query::eq("age", Bson::Null));
    ensure!(
        ids(&people, null).await?.is_empty(),
        "a missing field is not null"
    );
    people.put("cay", &doc! { "city": "Delft", "age": null }).await?;
    ensure_eq!(
        ids(&people, city().and(Query::eq("age", Bson::Null))).await?,
        ["cay"],
        "null is"
    );
    Ok(())
}

async fn compound_answers_prefix_and_order(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("city_age_name", ["city", "age", "name"]))
        .await?;
    let mut all = Vec::new();
    for (at, (city, age)) in [
        ("B", 3_i64),
        ("A", 2),
        ("A", 1),
        ("B", 1),
        ("A", 3),
        ("A", 2),
        ("C", 2),
    ]
    .into_iter()
    .enumerate()
    {
        all.push((
            format!("{at}"),
            doc! { "city": city, "age": age, "name": format!("n{}", 9 - at) },
        ));
    }
    all.push(("7".to_owned(), doc! { "city": "A" }));
    load(&people, &all).await?;
    let a = || Query::eq("city", "A");
    let table: [(Query, &[&str]); 8] = [
        (a().sort("age").sort("name"), &["7", "2", "5", "1", "4"]),
        (
            a().sort_descending("age").sort_descending("name"),
            &["4", "1", "5", "2", "7"],
        ),
        (a().and(Query::eq("age", 2_i64)).sort("name"), &["5", "1"]),
        (a().and(Query::ge("age", 2_i64)), &["1", "5", "4"]),
        (a().and(Query::is_in("age", [3_i64, 1])), &["2", "4"]),
        (
            a().and(Query::eq("age", 2_i64)).and(Query::prefix("name", "n4")),
            &["5"],
        ),
        (a(), &["1", "2", "4", "5", "7"]),
        (Query::ge("city", "B"), &["0", "3", "6"]),
    ];
    for (query, expected) in table {
        ensure_eq!(
            people.explain(query.clone()).await?.access,
            AccessKind::Index,
            "{query:?}"
        );
        ensure_eq!(ids(&people, query.clone()).await?, expected, "{query:?}");
    }
    let without_first = Query::ge("age", 2_i64);
    ensure_kind!(
        people.find(without_first).await,
        ErrorKind::IndexRequired,
        "the second field alone"
    );
    Ok(())
}

async fn compound_keys_do_not_run_together(ctx: &Ctx) -> Verdict {
    let pairs = documents(ctx.storage(), "pairs");
    let texts = [
        "", "a", "ab", "abc", "b", "bc", "c", "a\0", "\0", "\u{1}", "a\u{1}", "\0\0",
    ];
    let mut all = Vec::new();
    for a in texts {
        for b in texts {
            all.push((format!("{}", all.len()), doc! { "a": a, "b": b }));
        }
    }
    load(&pairs, &all).await?;
    for index in [Index::btree("tree", ["a", "b"]), Index::hash("hash", ["a", "b"])] {
        pairs.ensure_index(index.clone()).await?;
        for (id, value) in &all {
            let (a, b) = (value.get("a").cloned(), value.get("b").cloned());
            let query = Query::eq("a", a.unwrap_or(Bson::Null)).and(Query::eq("b", b.unwrap_or(Bson::Null)));
            ensure_eq!(
                ids(&pairs, query).await?,
                std::slice::from_ref(id),
                "{value} in {:?}",
                index.kind
            );
        }
        pairs.drop_index(&index.name).await?;
    }
    Ok(())
}

async fn sparse_leaves_out_what_has_no_field(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("with", &doc! { "nick": "x" }).await?;
    people.put("null", &doc! { "nick": null }).await?;
    people.put("without", &doc! { "name": "y" }).await?;
    people
        .ensure_index(Index::btree("by_nick", ["nick"]).sparse())
        .await?;
    ensure_eq!(
        people.index_stats("by_nick").await?.total_entries,
        2,
        "null is a value, missing is not"
    );
    ensure_eq!(
        ids(&people, Query::eq("nick", "x")).await?,
        ["with"],
        "eq is answered"
    );
    ensure_eq!(
        ids(&people, Query::eq("nick", Bson::Null)).await?,
        ["null"],
        "eq null is answered"
    );
    ensure_eq!(
        ids(&people, Query::prefix("nick", "")).await?,
        ["with"],
        "a range is answered"
    );
    let all = Query::all().sort("nick");
    ensure_kind!(
        people.find(all.clone()).await,
        ErrorKind::IndexRequired,
        "an order of all would miss some"
    );
    ensure_eq!(
        ids(&people, all.allow_scan()).await?,
        ["null", "without", "with"],
        "a scan misses none"
    );
    people.put("with", &doc! {}).await?;
    ensure_eq!(
        people.index_stats("by_nick").await?.total_entries,
        1,
        "the entry goes with the field"
    );
    Ok(())
}

async fn each_has_one_entry_per_element(ctx: &Ctx) -> Verdict {
    let posts = documents(ctx.storage(), "posts");
    posts
        .ensure_index(Index::btree("by_tag", ["tags"]).each())
        .await?;
    posts.put("1", &doc! { "tags": ["a", "b", "a"] }).await?;
    posts.put("2", &doc! { "tags": "b" }).await?;
    posts.put("3", &doc! { "tags": [] }).await?;
    posts.put("4", &doc! {}).await?;
    let a = || Query::eq("tags", "a");
    ensure_eq!(
        ids(&posts, a()).await?,
        ["1"],
        "an element given twice is one entry"
    );
    ensure_eq!(
        ids(&posts, Query::is_in("tags", ["a", "b"])).await?,
        ["1", "2"],
        "a document with both comes once"
    );
    ensure_eq!(
        posts.count(Query::is_in("tags", ["a", "b"])).await?,
        2,
        "and counts once"
    );
    posts.put("1", &doc! { "tags": ["b", "c"] }).await?;
    ensure!(ids(&posts, a()).await?.is_empty(), "an element taken away");
    ensure_eq!(
        ids(&posts, Query::eq("tags", "c")).await?,
        ["1"],
        "an element added"
    );
    posts.delete("1").await?;
    ensure_eq!(
        ids(&posts, Query::is_in("tags", ["a", "b", "c"])).await?,
        ["2"],
        "all entries go with the document"
    );
    ensure_kind!(
        posts.find(Query::ge("tags", "a")).await,
        ErrorKind::IndexRequired,
        "it answers no range"
    );
    ensure_kind!(
        posts.find(Query::all().sort("tags")).await,
        ErrorKind::IndexRequired,
        "and no order"
    );
    Ok(())
}

async fn array_needs_each(ctx: &Ctx) -> Verdict {
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

async fn long_key_is_refused(ctx: &Ctx) -> Verdict {
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

async fn unfit_document_stops_ensure(ctx: &Ctx) -> Verdict {
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

async fn impossible_definitions_are_refused(ctx: &Ctx) -> Verdict {
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

/// The error is of this kind and names all of these, in its text or its context.
fn names(error: &Error, kind: ErrorKind, named: &[&str]) -> Verdict {
    ensure_eq!(error.kind(), kind, "{error}");
    for name in named {
        let found = error.message().contains(name) || error.context().any(|(_, value)| value.contains(name));
        ensure!(found, "the error does not name {name:?}: {error:?}");
    }
    Ok(())
}
