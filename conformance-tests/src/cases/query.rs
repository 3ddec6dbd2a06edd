//! Queries: which documents, and in which order. Every answer is compared with the reference's.

use storage_core::bson::{Bson, Document, doc};
use storage_core::{AccessKind, ErrorKind, Index, Query};

use super::reference::{
    Condition, OPERATORS, Operator, Order, answer, condition, documents_of, scalar, value,
};
use super::sample::{Documents, documents, ids, load};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { query:
    smoke [Indexes] each_op_each_type_vs_reference = "every operator with a literal of every type gives what the reference evaluator gives";
    smoke [Indexes] missing_and_null = "null equals null only; ne and not-in match only where the field is; exists tells null from missing";
    smoke [Indexes] unindexed_is_refused = "a query no index answers is IndexRequired, naming the fields, and never an empty answer";
    smoke [Indexes] order_is_global = "a limit gives the first of the whole order, not of some page of it";
    standard [Indexes] random_queries_vs_reference = "random conditions, orders and limits over random documents give what the reference gives";
    standard [Indexes] random_queries_with_indexes_vs_reference = "the same with every kind of index there to be used";
    standard [Indexes] arrays_match_by_element = "an array matches eq and in by its elements, and no range";
    standard [Indexes] ranges_stay_in_their_type = "a range compares within one type, and NaN is in none";
    standard [Indexes] numbers_compare_by_value = "integers and floats are one type, without rounding, also at 2^53 and 2^63";
    standard [Indexes] strings_compare_by_bytes = "no collation: case, accents and surrogates by their UTF-8 bytes";
    standard [Indexes] empty_lists = "in nothing matches nothing; not in nothing matches whatever has the field";
    standard [Indexes] range_implies_its_order = "an unsorted range or prefix comes in the order of its field, with an index and without";
    standard [Indexes] ties_are_in_order_of_ids = "equal keys come by id, ascending, also where the order descends";
    standard [Indexes] count_equals_length = "count is the number find gives, up to the limit";
    standard [Indexes] literals_are_data = "literals that are statements, patterns or operators elsewhere match only themselves";
    standard [Indexes] long_list_of_values = "a list of 50,000 values works, with an index and without";
    standard [Indexes] hostile_field_names = "fields named like operators, paths or prototypes can be queried, sorted and indexed";
    standard [Indexes] impossible_queries_are_refused = "arrays and types outside the contract as literals, and a field sorted twice, are InvalidArgument";
    standard [Indexes] explain_says_how = "explain names the ids, the index or the scan that answers";
}

async fn each_op_each_type_vs_reference(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    let things = documents(ctx.storage(), "things");
    let all = documents_of(&mut random, 60, true);
    load(&things, &all).await?;
    let mut literals = vec![
        Bson::Document(doc! {}),
        Bson::Document(doc! { "x": null }),
        Bson::Null,
        Bson::Double(f64::NAN),
    ];
    literals.extend((0..24).map(|_| scalar(&mut random)));
    for literal in literals {
        for operator in OPERATORS {
            if literal.as_document().is_some() && !matches!(operator, Operator::Eq | Operator::Ne) {
                continue;
            }
            agrees(&things, &all, &Condition::Compare("a", operator, literal.clone())).await?;
        }
        agrees(
            &things,
            &all,
            &Condition::In("a", vec![literal.clone(), Bson::Int64(1)]),
        )
        .await?;
        agrees(&things, &all, &Condition::NotIn("a", vec![literal, Bson::Null])).await?;
    }
    for prefix in ["", "a", "a\u{1}", "é", "%"] {
        agrees(&things, &all, &Condition::Prefix("a", prefix.to_owned())).await?;
    }
    for exists in [true, false] {
        agrees(&things, &all, &Condition::Exists("c.d", exists)).await?;
    }
    Ok(())
}

/// A scan gives what the reference gives.
async fn agrees(things: &Documents, all: &[(String, Document)], condition: &Condition) -> Verdict {
    let found = ids(things, condition.query().allow_scan()).await?;
    ensure_eq!(
        found,
        answer(all, Some(condition), &Order::new()),
        "{condition:?}"
    );
    Ok(())
}

async fn missing_and_null(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.put("1-missing", &doc! { "other": 1_i64 }).await?;
    things.put("2-null", &doc! { "a": null }).await?;
    things.put("3-one", &doc! { "a": 1_i64 }).await?;
    things.put("4-text", &doc! { "a": "x" }).await?;
    let one = || Query::eq("a", 1_i64);
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_a", ["a"])).await?;
        }
        let table: [(&str, Query, &[&str]); 12] = [
            ("eq null", Query::eq("a", Bson::Null), &["2-null"]),
            ("ne null", Query::ne("a", Bson::Null), &["3-one", "4-text"]),
            ("eq 1", one(), &["3-one"]),
            ("ne 1", Query::ne("a", 1_i64), &["2-null", "4-text"]),
            ("not eq 1", one().negate(), &["1-missing", "2-null", "4-text"]),
            (
                "in null, 1",
                Query::is_in("a", [Bson::Null, Bson::Int64(1)]),
                &["2-null", "3-one"],
            ),
            (
                "not in null, 1",
                Query::not_in("a", [Bson::Null, Bson::Int64(1)]),
                &["4-text"],
            ),
            ("exists", Query::exists("a", true), &["2-null", "3-one", "4-text"]),
            ("does not exist", Query::exists("a", false), &["1-missing"]),
            ("le null", Query::le("a", Bson::Null), &["2-null"]),
            ("lt 5", Query::lt("a", 5_i64), &["3-one"]),
            ("prefix of nothing", Query::prefix("a", ""), &["4-text"]),
        ];
        for (what, query, expected) in table {
            ensure_eq!(
                ids(&things, query.allow_scan()).await?,
                expected,
                "{what}, indexed: {indexed}"
            );
        }
        let sorted = ids(&things, Query::all().sort("a").allow_scan()).await?;
        ensure_eq!(
            sorted,
            ["1-missing", "2-null", "3-one", "4-text"],
            "missing and null sort together, by id"
        );
    }
    Ok(())
}

async fn unindexed_is_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .put("ada", &doc! { "age": 36_i64, "city": "Delft" })
        .await?;
    people.ensure_index(Index::btree("by_name", ["name"])).await?;
    let queries = [
        (Query::eq("age", 36_i64), "age"),
        (Query::ge("age", 18_i64), "age"),
        (Query::eq("city", "Delft").and(Query::ge("age", 18_i64)), "city"),
        (Query::is_in("age", [36_i64]), "age"),
        (Query::prefix("city", "D"), "city"),
        (Query::all().sort("age"), "age"),
    ];
    for (query, field) in queries {
        let Err(error) = people.find(query.clone()).await else {
            return Err(format!("{query:?} was answered").into());
        };
        ensure_eq!(error.kind(), ErrorKind::IndexRequired, "{query:?}");
        let named = error
            .context_value("fields")
            .is_some_and(|fields| fields.contains(field));
        ensure!(
            named && error.message().contains(field),
            "the refusal of {query:?} does not name {field:?}: {error}"
        );
        ensure_kind!(
            people.count(query.clone()).await,
            ErrorKind::IndexRequired,
            "count of {query:?}"
        );
        ensure_kind!(
            people.explain(query.clone()).await,
            ErrorKind::IndexRequired,
            "explain of {query:?}"
        );
        ensure_kind!(
            people.find_page(query.clone()).await,
            ErrorKind::IndexRequired,
            "a page of {query:?}"
        );
        people.find(query.allow_scan()).await?;
    }
    for query in [
        Query::ne("age", 1_i64),
        Query::exists("age", true),
        Query::eq("age", 1_i64).or(Query::eq("age", 2_i64)),
    ] {
        ensure_kind!(
            people.find(query.clone()).await,
            ErrorKind::IndexRequired,
            "{query:?}"
        );
    }
    // In an empty collection the same query is refused as well, so nobody learns of it in production only.
    let nobody = documents(ctx.storage(), "nobody");
    ensure_kind!(
        nobody.find(Query::eq("age", 1_i64)).await,
        ErrorKind::IndexRequired,
        "in an empty collection"
    );
    Ok(())
}

async fn order_is_global(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    // The order asked runs against the order of ids and of insertion.
    let all: Vec<_> = (0..300_i64)
        .map(|n| (format!("{n:03}"), doc! { "rank": 1000 - n, "even": n % 2 == 0 }))
        .collect();
    load(&things, &all).await?;
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_rank", ["rank"])).await?;
        }
        let first = ids(&things, Query::all().sort("rank").limit(3).allow_scan()).await?;
        ensure_eq!(
            first,
            ["299", "298", "297"],
            "the least three, indexed: {indexed}"
        );
        let last = ids(
            &things,
            Query::all().sort_descending("rank").limit(3).allow_scan(),
        )
        .await?;
        ensure_eq!(
            last,
            ["000", "001", "002"],
            "the greatest three, indexed: {indexed}"
        );
        let range = Query::gt("rank", 0_i64);
        // What is filtered document by document must not use up the limit.
        let filtered = ids(
            &things,
            range.clone().and(Query::eq("even", true)).limit(3).allow_scan(),
        )
        .await?;
        ensure_eq!(
            filtered,
            ["298", "296", "294"],
            "the least three that are even, indexed: {indexed}"
        );
        let rare = ids(
            &things,
            range.and(Query::eq("rank", 1000_i64)).limit(1).allow_scan(),
        )
        .await?;
        ensure_eq!(rare, ["000"], "the one that comes last, indexed: {indexed}");
    }
    Ok(())
}

async fn random_queries_vs_reference(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    let things = documents(ctx.storage(), "things");
    let all = documents_of(&mut random, 80, true);
    load(&things, &all).await?;
    for _ in 0..150 {
        let condition = condition(&mut random, 2);
        let order = random_order(&mut random);
        compare_with_reference(&things, &all, &condition, &order).await?;
    }
    Ok(())
}

async fn random_queries_with_indexes_vs_reference(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    let things = documents(ctx.storage(), "things");
    let all = documents_of(&mut random, 80, false);
    load(&things, &all[..40]).await?;
    for index in [
        Index::btree("a", ["a"]),
        Index::hash("a_hash", ["a"]),
        Index::btree("a_sparse", ["a"]).sparse(),
        Index::btree("b_a", ["b", "a"]),
        Index::btree("cd", ["c.d"]),
        Index::hash("b_cd_hash", ["b", "c.d"]),
        Index::btree("b_each", ["b"]).each(),
    ] {
        things.ensure_index(index).await?;
    }
    load(&things, &all[40..]).await?;
    for _ in 0..250 {
        let condition = condition(&mut random, 2);
        let order = random_order(&mut random);
        compare_with_reference(&things, &all, &condition, &order).await?;
    }
    // Each index alone, so that a better one never hides it.
    for name in ["a_hash", "a_sparse", "b_a", "cd"] {
        let alone = documents(ctx.storage(), name);
        let index = things
            .indexes()
            .await?
            .into_iter()
            .map(|info| info.index)
            .find(|index| index.name == name);
        alone.ensure_index(index.ok_or("an index is not listed")?).await?;
        load(&alone, &all).await?;
        for _ in 0..40 {
            let condition = condition(&mut random, 1);
            compare_with_reference(&alone, &all, &condition, &random_order(&mut random)).await?;
        }
    }
    Ok(())
}

fn random_order(random: &mut crate::random::Random) -> Order {
    let fields = match random.below(6) {
        0 => vec!["a"],
        1 => vec!["b", "a"],
        2 => vec!["c.d"],
        _ => vec![],
    };
    fields
        .into_iter()
        .map(|field| (field, random.below(2) == 1))
        .collect()
}

async fn compare_with_reference(
    things: &Documents,
    all: &[(String, Document)],
    condition: &Condition,
    order: &Order,
) -> Verdict {
    let mut query = condition.query().allow_scan();
    for (field, descending) in order {
        query = if *descending {
            query.sort_descending(*field)
        } else {
            query.sort(*field)
        };
    }
    let expected = answer(all, Some(condition), order);
    ensure_eq!(
        ids(things, query.clone()).await?,
        expected,
        "{condition:?} by {order:?}"
    );
    let limited = ids(things, query.clone().limit(3)).await?;
    ensure_eq!(
        limited,
        expected[..expected.len().min(3)],
        "the first 3 of {condition:?} by {order:?}"
    );
    ensure_eq!(
        things.count(query).await?,
        expected.len() as u64,
        "the count of {condition:?}"
    );
    Ok(())
}

async fn arrays_match_by_element(ctx: &Ctx) -> Verdict {
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

async fn ranges_stay_in_their_type(ctx: &Ctx) -> Verdict {
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

async fn numbers_compare_by_value(ctx: &Ctx) -> Verdict {
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

async fn strings_compare_by_bytes(ctx: &Ctx) -> Verdict {
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

async fn empty_lists(ctx: &Ctx) -> Verdict {
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

async fn range_implies_its_order(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for (id, age, name) in [
        ("a", 50_i64, "n3"),
        ("b", 20, "n2"),
        ("c", 40, "n1"),
        ("d", 20, "n4"),
    ] {
        people
            .put(id, &doc! { "age": age, "name": name, "here": true })
            .await?;
    }
    for index in [
        None,
        Some(Index::btree("age", ["age"])),
        Some(Index::btree("here_name", ["here", "name"])),
    ] {
        if let Some(index) = index {
            people.ensure_index(index).await?;
        }
        let by_age = Query::ge("age", 20_i64).allow_scan();
        ensure_eq!(
            ids(&people, by_age).await?,
            ["b", "d", "c", "a"],
            "a range over age"
        );
        let by_name = Query::prefix("name", "n").allow_scan();
        ensure_eq!(
            ids(&people, by_name).await?,
            ["c", "b", "a", "d"],
            "a prefix of name"
        );
        let first = Query::eq("here", true)
            .and(Query::ge("age", 20_i64))
            .and(Query::prefix("name", "n"))
            .allow_scan();
        ensure_eq!(
            ids(&people, first).await?,
            ["b", "d", "c", "a"],
            "the first range counts"
        );
        let by_id = Query::eq("here", true).allow_scan();
        ensure_eq!(
            ids(&people, by_id).await?,
            ["a", "b", "c", "d"],
            "equality implies no order but that of ids"
        );
        let asked = Query::ge("age", 20_i64).sort_descending("name").allow_scan();
        ensure_eq!(
            ids(&people, asked).await?,
            ["d", "a", "b", "c"],
            "what is asked goes before what is implied"
        );
    }
    Ok(())
}

async fn ties_are_in_order_of_ids(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let ids_in_order = ["A", "a", "a/b", "b", "é", "😀"];
    for id in ["é", "b", "😀", "a/b", "A", "a"] {
        things.put(id, &doc! { "same": 1_i64 }).await?;
        things.put(format!("{id}-2"), &doc! { "same": 2_i64 }).await?;
    }
    for indexed in [false, true] {
        if indexed {
            things.ensure_index(Index::btree("by_same", ["same"])).await?;
        }
        let twos = ["A-2", "a-2", "a/b-2", "b-2", "é-2", "😀-2"];
        let up = ids(&things, Query::all().sort("same").allow_scan()).await?;
        ensure_eq!(up, [ids_in_order, twos].concat(), "ascending, indexed: {indexed}");
        let down = ids(&things, Query::all().sort_descending("same").allow_scan()).await?;
        ensure_eq!(
            down,
            [twos, ids_in_order].concat(),
            "descending, indexed: {indexed}"
        );
        for limit in 1..12 {
            let first = ids(
                &things,
                Query::all()
                    .sort_descending("same")
                    .limit(limit as u64)
                    .allow_scan(),
            )
            .await?;
            ensure_eq!(
                first,
                down[..limit],
                "the first {limit} descending, indexed: {indexed}"
            );
        }
    }
    Ok(())
}

async fn count_equals_length(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    let things = documents(ctx.storage(), "things");
    let all = documents_of(&mut random, 130, true);
    load(&things, &all).await?;
    ensure_eq!(things.count(Query::all()).await?, 130, "all of them");
    ensure_eq!(things.count(Query::all().limit(7)).await?, 7, "up to the limit");
    ensure_eq!(things.count(Query::all().limit(0)).await?, 0, "a limit of none");
    ensure_eq!(
        things.count(Query::all().limit(1000)).await?,
        130,
        "a limit beyond the end"
    );
    for _ in 0..30 {
        let condition = condition(&mut random, 1);
        let length = ids(&things, condition.query().allow_scan()).await?.len() as u64;
        ensure_eq!(
            things.count(condition.query().allow_scan()).await?,
            length,
            "{condition:?}"
        );
        let limited = things.count(condition.query().limit(5).allow_scan()).await?;
        ensure_eq!(limited, length.min(5), "{condition:?} up to 5");
    }
    let page = things.find_page(Query::all().limit(1)).await?;
    let Some(token) = page.next else {
        return Err("a page of 1 of 130 has no next".into());
    };
    ensure_kind!(
        things.count(Query::all().after(token)).await,
        ErrorKind::InvalidArgument,
        "a count after a token"
    );
    Ok(())
}

async fn literals_are_data(ctx: &Ctx) -> Verdict {
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

async fn long_list_of_values(ctx: &Ctx) -> Verdict {
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

async fn hostile_field_names(ctx: &Ctx) -> Verdict {
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

async fn impossible_queries_are_refused(ctx: &Ctx) -> Verdict {
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

async fn explain_says_how(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people
        .put("ada", &doc! { "age": 36_i64, "city": "Delft", "tags": ["x"] })
        .await?;
    people
        .ensure_index(Index::btree("city_age", ["city", "age"]))
        .await?;
    people.ensure_index(Index::hash("by_name", ["name"])).await?;
    people
        .ensure_index(Index::btree("by_tag", ["tags"]).each())
        .await?;
    let city = || Query::eq("city", "Delft");
    let table = [
        (Query::all(), AccessKind::Ids, None),
        (Query::eq("name", "Ada"), AccessKind::Index, Some("by_name")),
        (city(), AccessKind::Index, Some("city_age")),
        (
            city().and(Query::ge("age", 18_i64)),
            AccessKind::Index,
            Some("city_age"),
        ),
        (city().sort_descending("age"), AccessKind::Index, Some("city_age")),
        (Query::eq("tags", "x"), AccessKind::Index, Some("by_tag")),
        (Query::ge("age", 18_i64).allow_scan(), AccessKind::Scan, None),
        (Query::gt("name", "A").allow_scan(), AccessKind::Scan, None),
    ];
    for (query, access, index) in table {
        let explanation = people.explain(query.clone()).await?;
        ensure_eq!(explanation.access, access, "{query:?}");
        ensure_eq!(explanation.index.as_deref(), index, "{query:?}");
    }
    let sorted = people.explain(city().and(Query::ge("age", 18_i64))).await?;
    ensure!(
        !sorted.sorted && !sorted.filtered,
        "an index that answers exactly and in order leaves nothing to do: {sorted:?}"
    );
    let filtered = people.explain(city().and(Query::ne("age", 18_i64))).await?;
    ensure!(
        filtered.filtered,
        "what the index cannot decide is filtered: {filtered:?}"
    );
    Ok(())
}
