//! What stands in a query, however it looks.

use storage_core::bson::{Bson, doc};
use storage_core::{ErrorKind, Index, Query};

use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{documents, ids, load};
use crate::context::Ctx;

pub(super) async fn empty_lists(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.put("1", &doc! { "a": 1_i64 }).await?;
    things.put("2", &doc! {}).await?;
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_a", ["a"])).await?;
        }
        let none = Query::is_in("a", Vec::<Bson>::new()).allow_scan();
        ensure!(
            ids(&things, none.clone()).await?.is_empty(),
            "in nothing, indexed: {indexed}"
        );
        ensure_eq!(
            things.count(none).await?,
            0,
            "the count of in nothing, indexed: {indexed}"
        );
        let all = Query::not_in("a", Vec::<Bson>::new()).allow_scan();
        ensure_eq!(
            ids(&things, all).await?,
            ["1"],
            "not in nothing, indexed: {indexed}"
        );
    }
    Ok(())
}

pub(super) async fn literals_are_data(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let texts = [
        "' OR 1=1 --",
        "%",
        "_",
        "\\",
        "a%",
        "a_c",
        ".*",
        "^a",
        "[a]",
        "(",
        "$ne",
        "{\"$gt\":\"\"}",
        "?",
        ":a",
        "@a",
        "NULL",
        "null",
        "true",
        "1",
        "\"",
        "abc",
        "a.c",
        "",
    ];
    for (at, text) in texts.iter().enumerate() {
        things.put(format!("{at:02}"), &doc! { "a": *text }).await?;
    }
    things.put("document", &doc! { "a": { "$gt": "" } }).await?;
    things.put("where", &doc! { "a": { "$where": "1" } }).await?;
    things.put("number", &doc! { "a": 1_i64 }).await?;
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_a", ["a"])).await?;
        }
        for (at, text) in texts.iter().enumerate() {
            let found = ids(&things, Query::eq("a", *text).allow_scan()).await?;
            ensure_eq!(found, [format!("{at:02}")], "eq {text:?}, indexed: {indexed}");
            let expected = texts.iter().filter(|other| other.starts_with(text)).count() as u64;
            let count = things.count(Query::prefix("a", *text).allow_scan()).await?;
            ensure_eq!(count, expected, "prefix {text:?}, indexed: {indexed}");
            let others = things.count(Query::ne("a", *text).allow_scan()).await?;
            ensure_eq!(others, texts.len() as u64 + 2, "ne {text:?}, indexed: {indexed}");
        }
        for (id, literal) in [
            ("document", doc! { "$gt": "" }),
            ("where", doc! { "$where": "1" }),
        ] {
            let found = ids(&things, Query::eq("a", literal.clone()).allow_scan()).await?;
            ensure_eq!(found, [id], "eq {literal}, indexed: {indexed}");
        }
    }
    Ok(())
}

pub(super) async fn long_list_of_values(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let all: Vec<_> = (0..40_i64)
        .map(|n| {
            (
                format!("{n:02}"),
                doc! { "a": n * 5000, "text": format!("t{}", n * 5000) },
            )
        })
        .collect();
    load(&things, &all).await?;
    // Ten of the 40 are in the list; its duplicates and its order mean nothing.
    let numbers: Vec<i64> = (0..50_000).rev().chain(0..10).collect();
    let texts: Vec<String> = (0..50_000).map(|n| format!("t{n}")).collect();
    let expected: Vec<String> = (0..10).map(|n| format!("{n:02}")).collect();
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_a", ["a"])).await?;
            things.ensure_index(Index::hash("by_text", ["text"])).await?;
        }
        let found = ids(&things, Query::is_in("a", numbers.clone()).allow_scan()).await?;
        ensure_eq!(found, expected, "numbers, indexed: {indexed}");
        let found = ids(&things, Query::is_in("text", texts.clone()).limit(4).allow_scan()).await?;
        ensure_eq!(found, expected[..4], "texts, indexed: {indexed}");
        let outside = things
            .count(Query::not_in("a", numbers.clone()).allow_scan())
            .await?;
        ensure_eq!(outside, 30, "not in, indexed: {indexed}");
    }
    Ok(())
}

pub(super) async fn hostile_field_names(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let long = "n".repeat(1024);
    let names = [
        "$set",
        "$where",
        ".",
        "a.b",
        "",
        "__proto__",
        "constructor",
        "\\",
        "a\\.b",
        "[0]",
        "0",
        "'",
        "\"",
        "`",
        "$",
        "é",
        "😀",
        " ",
        "\n",
        "%",
        "id",
        "body",
        "version",
        "expires_at",
        "rowid",
        &long,
    ];
    for name in names {
        let field = storage_core::FieldPath::new([name])?;
        let nested = storage_core::FieldPath::new(["inner", name])?;
        for n in 0..3_i64 {
            things
                .put(n.to_string(), &doc! { name: 2 - n, "inner": { name: n } })
                .await?;
        }
        for indexed in [false, true] {
            if indexed {
                things
                    .ensure_index(Index::btree("outer", [field.clone()]))
                    .await?;
                things
                    .ensure_index(Index::btree("inner", [nested.clone()]))
                    .await?;
            }
            let found = ids(&things, Query::eq(field.clone(), 0_i64).allow_scan()).await?;
            ensure_eq!(found, ["2"], "eq over {name:?}, indexed: {indexed}");
            let found = ids(&things, Query::ge(nested.clone(), 1_i64).allow_scan()).await?;
            ensure_eq!(
                found,
                ["1", "2"],
                "ge over {name:?} further in, indexed: {indexed}"
            );
            let sorted = ids(&things, Query::all().sort(field.clone()).allow_scan()).await?;
            ensure_eq!(sorted, ["2", "1", "0"], "sorted by {name:?}, indexed: {indexed}");
        }
        things.drop_index("outer").await?;
        things.drop_index("inner").await?;
    }
    // A path is no name: `a.b` leads into a document, `a\.b` is one field.
    things
        .put("0", &doc! { "a": { "b": 1_i64 }, "a.b": 2_i64 })
        .await?;
    ensure_eq!(
        ids(&things, Query::eq("a.b", 1_i64).allow_scan()).await?,
        ["0"],
        "the path a.b"
    );
    ensure_eq!(
        ids(&things, Query::eq(r"a\.b", 2_i64).allow_scan()).await?,
        ["0"],
        "the field a.b"
    );
    Ok(())
}

pub(super) async fn impossible_queries_are_refused(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.put("1", &doc! { "a": [1_i64] }).await?;
    let array = || Bson::Array(vec![Bson::Int64(1)]);
    let refused = [
        Query::eq("a", array()),
        Query::is_in("a", [array()]),
        Query::lt("a", doc! { "x": 1_i64 }),
        Query::eq("a", Bson::Undefined),
        Query::ge("a", Bson::MinKey),
        Query::eq("a", Bson::Symbol("x".to_owned())),
        Query::eq("a", doc! { "x": Bson::MaxKey }),
        Query::all().sort("a").sort_descending("a"),
    ];
    for query in refused {
        let query = query.allow_scan();
        ensure_kind!(
            things.find(query.clone()).await,
            ErrorKind::InvalidArgument,
            "find of {query:?}"
        );
        ensure_kind!(
            things.find_page(query.clone()).await,
            ErrorKind::InvalidArgument,
            "a page of {query:?}"
        );
        ensure_kind!(
            things.count(query.clone()).await,
            ErrorKind::InvalidArgument,
            "count of {query:?}"
        );
        ensure_kind!(
            things.explain(query.clone()).await,
            ErrorKind::InvalidArgument,
            "explain of {query:?}"
        );
    }
    let deep = (0..40)
        .fold(Query::eq("a", 1_i64), |query, _| query.negate())
        .allow_scan();
    ensure_kind!(
        things.find(deep).await,
        ErrorKind::LimitExceeded,
        "a filter 40 levels deep"
    );
    let wide = (0..17)
        .fold(Query::all(), |query, n| query.sort(format!("f{n}")))
        .allow_scan();
    ensure_kind!(
        things.find(wide).await,
        ErrorKind::LimitExceeded,
        "an order over 17 fields"
    );
    Ok(())
}
