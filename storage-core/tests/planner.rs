//! A plan leads to exactly the documents that match; where it promises an order, walking the index delivers it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use storage_core::bson::{Bson, Document, RawDocumentBuf, doc};
use storage_core::{
    Access, Comparison, Direction, DocumentId, FieldPath, Filter, FindRequest, Index, Plan, Position, Query,
    Sort, Timestamp, encode_bson, sort_key, value,
};

type Documents = BTreeMap<String, RawDocumentBuf>;

fn scalar() -> impl Strategy<Value = Bson> {
    prop_oneof![
        4 => (-2i64..3).prop_map(Bson::Int64),
        2 => prop::sample::select(vec![-0.0, 0.5, 1.0, 2.0, f64::NAN, f64::INFINITY]).prop_map(Bson::Double),
        3 => "[ab]{0,2}".prop_map(Bson::String),
        1 => Just(Bson::Null),
        1 => any::<bool>().prop_map(Bson::Boolean),
    ]
}

fn documents() -> impl Strategy<Value = Documents> {
    let fields = prop::collection::vec(prop::option::weighted(0.8, scalar()), 3);
    let tags = prop::option::of(prop::collection::vec(scalar(), 0..3));
    prop::collection::vec((fields, tags), 0..25).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(at, (fields, tags))| {
                let mut body = Document::new();
                for (name, value) in ["a", "b", "c"].into_iter().zip(fields) {
                    if let Some(value) = value {
                        body.insert(name, value);
                    }
                }
                if let Some(tags) = tags {
                    body.insert("t", Bson::Array(tags));
                }
                (
                    format!("{:02}", (at * 7) % 25),
                    value::canonical(RawDocumentBuf::try_from(&body).unwrap()).unwrap(),
                )
            })
            .collect()
    })
}

fn leaf() -> impl Strategy<Value = Filter> {
    let field = prop::sample::select(vec!["a", "b", "c", "t"]);
    let comparison = prop::sample::select(vec![
        Comparison::Eq,
        Comparison::Eq,
        Comparison::Ne,
        Comparison::Lt,
        Comparison::Le,
        Comparison::Gt,
        Comparison::Ge,
    ]);
    prop_oneof![
        6 => (field.clone(), comparison, scalar()).prop_map(|(field, comparison, value)| Filter::Compare {
            field: field.into(),
            comparison,
            value,
        }),
        2 => (field.clone(), prop::collection::vec(scalar(), 0..4))
            .prop_map(|(field, values)| Query::is_in(field, in_order(values)).into()),
        1 => (field.clone(), "[ab]{0,1}").prop_map(|(field, prefix)| Query::prefix(field, prefix).into()),
        1 => (field, any::<bool>()).prop_map(|(field, exists)| Query::exists(field, exists).into()),
    ]
}

/// Lists of values reach a planner in order and without duplicates.
fn in_order(values: Vec<Bson>) -> Vec<Bson> {
    let by_key: BTreeMap<_, _> = values
        .into_iter()
        .map(|value| (encode_bson(&value), value))
        .collect();
    by_key.into_values().collect()
}

fn sorts() -> impl Strategy<Value = Vec<Sort>> {
    let direction = prop::sample::select(vec![Direction::Ascending, Direction::Descending]);
    prop::sample::subsequence(vec!["a", "b", "c"], 0..3)
        .prop_shuffle()
        .prop_flat_map(move |fields| {
            prop::collection::vec(direction.clone(), fields.len()).prop_map(move |directions| {
                let pairs = fields.iter().zip(directions);
                pairs
                    .map(|(field, direction)| Sort::new(FieldPath::from(*field), direction))
                    .collect()
            })
        })
}

fn indexes() -> Vec<Index> {
    vec![
        Index::btree("a", ["a"]),
        Index::btree("ab", ["a", "b"]),
        Index::btree("bca", ["b", "c", "a"]).sparse(),
        Index::hash("hash_b", ["b"]),
        Index::hash("hash_ab", ["a", "b"]),
        Index::btree("each_t", ["t"]).each(),
        Index::hash("hash_t", ["t"]).each(),
    ]
}

/// The entries of an index, in the order a medium keeps them.
fn entries(index: &Index, documents: &Documents) -> BTreeSet<(Vec<u8>, String)> {
    let mut entries = BTreeSet::new();
    for (id, body) in documents {
        entries.extend(
            index
                .keys(body, u64::MAX)
                .unwrap()
                .keys
                .into_iter()
                .map(|key| (key, id.clone())),
        );
    }
    entries
}

/// Walks an access as a medium would: ranges and keys in its direction, ids of equal keys ascending.
fn walk(plan: &Plan, documents: &Documents) -> Vec<(Vec<u8>, String)> {
    let Access::Index(access) = &plan.access else {
        return documents.keys().map(|id| (Vec::new(), id.clone())).collect();
    };
    let mut found: Vec<_> = entries(&access.index, documents)
        .into_iter()
        .filter(|(key, _)| access.ranges.iter().any(|range| range.contains(key)))
        .collect();
    if access.reverse {
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    }
    found
}

/// What a query means, without any plan.
fn expected(request: &FindRequest, documents: &Documents) -> Vec<String> {
    let mut found: Vec<(Vec<u8>, String)> = documents
        .iter()
        .filter(|(_, body)| request.filter.matches(body).unwrap())
        .map(|(id, body)| {
            (
                sort_key(body, &DocumentId::new(id).unwrap(), &request.sort).unwrap(),
                id.clone(),
            )
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_plan_finds_what_matches_in_the_order_it_promises(
        documents in documents(),
        leaves in prop::collection::vec(leaf(), 0..4),
        sort in sorts(),
        chosen in prop::sample::subsequence(indexes(), 0..7),
    ) {
        let filter = leaves.into_iter().fold(Filter::All, Filter::and);
        let query = sort.iter().fold(Query::filter(filter.clone()), |query, sort| match sort.direction {
            Direction::Ascending => query.sort(sort.field.clone()),
            Direction::Descending => query.sort_descending(sort.field.clone()),
        });
        let mut request = FindRequest::new(filter, query.effective_sort(), Timestamp::from_millis(0));
        request.allow_scan = true;
        let plan = Plan::of(&request, &chosen).unwrap();

        let mut seen = BTreeSet::new();
        let found: Vec<(Vec<u8>, String)> = walk(&plan, &documents)
            .into_iter()
            .filter(|(_, id)| plan.residual.matches(&documents[id]).unwrap())
            .filter(|(_, id)| seen.insert(id.clone()))
            .collect();
        let ids: Vec<String> = found.iter().map(|(_, id)| id.clone()).collect();
        let expected = expected(&request, &documents);
        if plan.sort {
            prop_assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), expected.into_iter().collect());
        } else {
            prop_assert_eq!(&ids, &expected);
            if let Access::Index(access) = &plan.access {
                for (key, id) in &found {
                    let id = DocumentId::new(id).unwrap();
                    let position = Position::of(&documents[id.as_str()], &id, &request.sort).unwrap();
                    prop_assert_eq!(&access.resume_key(&position), key, "the place a page resumes at");
                }
            }
        }
    }
}

fn request(query: Query) -> FindRequest {
    let sort = query.effective_sort();
    FindRequest::new(query.into(), sort, Timestamp::from_millis(0))
}

#[test]
fn a_query_no_index_answers_is_refused_with_the_index_named() {
    let query = Query::eq("city", "Delft").and(Query::ge("age", 18));
    let error = Plan::of(&request(query), &[]).unwrap_err();
    assert_eq!(error.kind(), storage_core::ErrorKind::IndexRequired);
    assert_eq!(error.context_value("fields"), Some("\"city\", \"age\""));
}

#[test]
fn the_index_that_delivers_the_order_is_preferred() {
    let indexes = [
        Index::btree("city", ["city"]),
        Index::btree("city_age", ["city", "age"]),
    ];
    let plan = Plan::of(
        &request(Query::eq("city", "Delft").sort_descending("age")),
        &indexes,
    )
    .unwrap();
    let Access::Index(access) = &plan.access else {
        panic!("{plan:?}")
    };
    assert_eq!(
        (access.index.name.as_str(), access.reverse, plan.sort),
        ("city_age", true, false)
    );
    assert_eq!(plan.residual, Filter::All);
}

#[test]
fn documents_without_an_order_to_deliver_are_sorted_in_memory_never_refused() {
    let plan = Plan::of(
        &request(Query::eq("city", "Delft").sort("age")),
        &[Index::hash("city", ["city"])],
    )
    .unwrap();
    assert!(plan.sort);
}

#[test]
fn a_null_is_told_from_a_missing_field_document_by_document() {
    let plan = Plan::of(&request(Query::eq("a", Bson::Null)), &[Index::btree("a", ["a"])]).unwrap();
    assert_ne!(plan.residual, Filter::All);
    let missing = RawDocumentBuf::try_from(&doc! {"b": 1}).unwrap();
    assert!(!plan.residual.matches(&missing).unwrap());
}
