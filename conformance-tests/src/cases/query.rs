//! Queries: which documents, and in which order. Every answer is compared with the reference's.

mod literals;
mod order;
mod values;

use storage_core::bson::{Bson, Document, doc};
use storage_core::{AccessKind, ErrorKind, Index, Query};

use self::literals::*;
use self::order::*;
use self::values::*;
use super::sample::{Documents, documents, ids, load};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::reference::{Condition, OPERATORS, Operator, Order, answer, condition, documents_of, scalar};

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
