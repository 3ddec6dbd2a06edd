//! How values compare, type by type.

use storage_core::bson::{Bson, Document, doc};
use storage_core::{AccessKind, Index, Query};

use super::compare_with_reference;
use crate::case::{Verdict, ensure_eq};
use crate::cases::sample::{documents, ids, load};
use crate::context::Ctx;
use crate::reference::{Condition, Operator, Order, scalar, value};

pub(super) async fn arrays_match_by_element(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.put("1", &doc! { "tags": ["a", "b"] }).await?;
    things.put("2", &doc! { "tags": ["b", 7_i64, null] }).await?;
    things.put("3", &doc! { "tags": [] }).await?;
    things.put("4", &doc! { "tags": "b" }).await?;
    things.put("5", &doc! { "tags": [["b"]] }).await?;
    things
        .put("6", &doc! { "tags": [{ "x": 1_i64 }, { "x": 1_i64 }] })
        .await?;
    for indexed in [false, true] {
        if indexed {
            things
                .ensure_index(Index::btree("by_tag", ["tags"]).each())
                .await?;
            ensure_eq!(
                things.explain(Query::eq("tags", "b")).await?.access,
                AccessKind::Index,
                "eq uses the index"
            );
        }
        let table: [(&str, Query, &[&str]); 9] = [
            ("eq b", Query::eq("tags", "b"), &["1", "2", "4"]),
            ("eq 7.0", Query::eq("tags", 7.0), &["2"]),
            ("eq null", Query::eq("tags", Bson::Null), &["2"]),
            ("eq document", Query::eq("tags", doc! { "x": 1_i64 }), &["6"]),
            ("in a, b", Query::is_in("tags", ["a", "b"]), &["1", "2", "4"]),
            ("ne b", Query::ne("tags", "b"), &["3", "5", "6"]),
            ("both", Query::eq("tags", "a").and(Query::eq("tags", "b")), &["1"]),
            ("gt a", Query::gt("tags", "a"), &["4"]),
            ("nothing", Query::eq("tags", "c"), &[]),
        ];
        for (what, query, expected) in table {
            ensure_eq!(
                ids(&things, query.clone().allow_scan()).await?,
                expected,
                "{what}, indexed: {indexed}"
            );
            let count = things.count(query.allow_scan()).await?;
            ensure_eq!(
                count,
                expected.len() as u64,
                "the count of {what}, indexed: {indexed}"
            );
        }
    }
    Ok(())
}

pub(super) async fn ranges_stay_in_their_type(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    let things = documents(ctx.storage(), "things");
    let mut all: Vec<(String, Document)> = Vec::new();
    for n in 0..120 {
        let value = loop {
            let value = value(&mut random);
            if value.as_array().is_none() {
                break value;
            }
        };
        all.push((format!("{n:03}"), doc! { "a": value }));
    }
    load(&things, &all).await?;
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_a", ["a"])).await?;
        }
        for _ in 0..30 {
            let (low, high) = (scalar(&mut random), scalar(&mut random));
            let above = Condition::Compare("a", Operator::Ge, low);
            let below = Condition::Compare("a", Operator::Lt, high);
            compare_with_reference(&things, &all, &above, &Order::new()).await?;
            let between = Condition::And(Box::new(above), Box::new(below));
            compare_with_reference(&things, &all, &between, &Order::new()).await?;
        }
    }
    Ok(())
}

pub(super) async fn numbers_compare_by_value(ctx: &Ctx) -> Verdict {
    let numbers = documents(ctx.storage(), "numbers");
    let two_53 = 9_007_199_254_740_992_i64;
    let values = [
        ("01", Bson::Double(f64::NEG_INFINITY)),
        ("02", Bson::Int64(i64::MIN)),
        ("03", Bson::Int64(-1)),
        ("04", Bson::Double(-0.0)),
        ("05", Bson::Int64(0)),
        ("06", Bson::Double(0.5)),
        ("07", Bson::Double(1.0)),
        ("08", Bson::Int64(1)),
        ("09", Bson::Int64(two_53 - 1)),
        ("10", Bson::Double(9_007_199_254_740_992.0)),
        ("11", Bson::Int64(two_53 + 1)),
        ("12", Bson::Double(9_007_199_254_740_994.0)),
        ("13", Bson::Int64(i64::MAX - 1)),
        ("14", Bson::Int64(i64::MAX)),
        ("15", Bson::Double(9_223_372_036_854_775_808.0)),
        ("16", Bson::Double(f64::INFINITY)),
        ("17", Bson::Double(f64::NAN)),
    ];
    // Stored under ids that say nothing about the order.
    for (rank, value) in values.iter().rev() {
        numbers
            .put(
                format!("id-{}", rank.chars().rev().collect::<String>()),
                &doc! { "rank": *rank, "n": value.clone() },
            )
            .await?;
    }
    for indexed in [false, true] {
        if indexed {
            numbers.ensure_index(Index::btree("by_n", ["n"])).await?;
        }
        let ranks = async |query: Query| -> storage_core::Result<Vec<String>> {
            let found = numbers.find(query.allow_scan()).await?.collect().await?;
            Ok(found
                .into_iter()
                .map(|found| found.value.get_str("rank").unwrap_or_default().to_owned())
                .collect())
        };
        let mut sorted = ranks(Query::all().sort("n")).await?;
        ensure_eq!(
            sorted.remove(0),
            "17",
            "NaN sorts before every number, indexed: {indexed}"
        );
        // Equal numbers are in the order of their ids.
        let expected = [
            "01", "02", "03", "05", "04", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16",
        ];
        let mut unordered = expected.to_vec();
        unordered.sort_unstable();
        let by_id = |a: &str, b: &str| a.chars().rev().cmp(b.chars().rev());
        let mut expected = unordered;
        for pair in [(3, 4), (6, 7)] {
            if by_id(expected[pair.0], expected[pair.1]).is_gt() {
                expected.swap(pair.0, pair.1);
            }
        }
        ensure_eq!(sorted, expected, "numbers by value, indexed: {indexed}");
        for (query, count) in [
            (Query::eq("n", 0_i64), 2),
            (Query::eq("n", -0.0), 2),
            (Query::eq("n", 1.0), 2),
            (Query::eq("n", two_53), 1),
            (Query::eq("n", two_53 + 1), 1),
            (Query::eq("n", f64::NAN), 1),
            (Query::gt("n", 9_007_199_254_740_992.0), 6),
            (Query::ge("n", i64::MAX), 3),
            (Query::lt("n", 9_223_372_036_854_775_808.0), 14),
            (Query::ge("n", f64::NEG_INFINITY), 16),
            (Query::ge("n", f64::NAN), 0),
            (Query::le("n", f64::NAN), 0),
        ] {
            ensure_eq!(
                ranks(query.clone()).await?.len(),
                count,
                "{query:?}, indexed: {indexed}"
            );
        }
    }
    Ok(())
}

pub(super) async fn strings_compare_by_bytes(ctx: &Ctx) -> Verdict {
    let words = documents(ctx.storage(), "words");
    let mut all = [
        "", "a", "A", "b", "B", "aa", "a\0", "a\u{1}", "é", "e\u{301}", "z", "\u{FFFF}", "😀", "ß", "ss",
        "10", "9", " a",
    ];
    for (at, word) in all.iter().enumerate() {
        words.put(format!("{at:02}"), &doc! { "word": *word }).await?;
    }
    all.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    for indexed in [false, true] {
        if indexed {
            words.ensure_index(Index::btree("by_word", ["word"])).await?;
        }
        let found = async |query: Query| -> storage_core::Result<Vec<String>> {
            let found = words.find(query.allow_scan()).await?.collect().await?;
            Ok(found
                .into_iter()
                .map(|found| found.value.get_str("word").unwrap_or("?").to_owned())
                .collect())
        };
        ensure_eq!(
            found(Query::all().sort("word")).await?,
            all,
            "in byte order, indexed: {indexed}"
        );
        for word in all {
            ensure_eq!(
                found(Query::eq("word", word)).await?,
                [word],
                "eq {word:?}, indexed: {indexed}"
            );
            let prefixed: Vec<_> = all
                .iter()
                .filter(|other| other.starts_with(word))
                .copied()
                .collect();
            ensure_eq!(
                found(Query::prefix("word", word)).await?,
                prefixed,
                "prefix {word:?}, indexed: {indexed}"
            );
        }
    }
    Ok(())
}
