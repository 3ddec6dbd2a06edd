//! What each kind of index holds and answers.

use storage_core::bson::{Bson, doc};
use storage_core::{AccessKind, ErrorKind, Index, Query};

use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{documents, ids, load};
use crate::context::Ctx;

pub(super) async fn hash_answers_equality_only(ctx: &Ctx) -> Verdict {
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

pub(super) async fn compound_answers_prefix_and_order(ctx: &Ctx) -> Verdict {
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

pub(super) async fn compound_keys_do_not_run_together(ctx: &Ctx) -> Verdict {
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

pub(super) async fn sparse_leaves_out_what_has_no_field(ctx: &Ctx) -> Verdict {
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

pub(super) async fn each_has_one_entry_per_element(ctx: &Ctx) -> Verdict {
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
