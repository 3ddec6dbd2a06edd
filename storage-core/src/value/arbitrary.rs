//! Values of every allowed type for property tests, mostly from the edges, and few enough of them that ties happen.

use bson::oid::ObjectId;
use bson::{Binary, Bson, DateTime, Document, RawBsonRef, RawDocumentBuf, doc};
use proptest::collection::vec;
use proptest::prelude::*;

/// A canonical value of any allowed type, nested up to four levels.
pub(crate) fn value() -> impl Strategy<Value = Bson> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Bson::Array),
            vec((name(), inner), 0..4).prop_map(|fields| Bson::Document(fields.into_iter().collect())),
        ]
    })
}

/// A canonical document.
pub(crate) fn document() -> impl Strategy<Value = RawDocumentBuf> {
    vec((name(), value()), 0..5).prop_map(|fields| raw(&fields.into_iter().collect()))
}

/// A field name: often one that JSON at rest gives a meaning to.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "", "a.b", "é", "\u{1}", "\"\\\n"]).prop_map(String::from),
        2 => prop::sample::select(vec!["$", "$a", "$literal", "$oid", "$date", "$binary", "$numberDouble", "$numberLong"])
            .prop_map(String::from),
        1 => "[^\0]{0,6}",
    ]
}

/// Integers and floats around every point where their order or their text is delicate.
pub(crate) fn number() -> impl Strategy<Value = Bson> {
    prop_oneof![
        prop::sample::select(edge_integers()).prop_map(Bson::Int64),
        prop::sample::select(edge_floats()).prop_map(Bson::Double),
        any::<i64>().prop_map(Bson::Int64),
        (any::<i64>(), -1..=1).prop_map(|(integer, step)| Bson::Double(beside(integer as f64, step))),
        any::<f64>().prop_map(Bson::Double),
    ]
}

/// The document in which [`first`] finds a value as a reference.
pub(crate) fn holder(value: &Bson) -> RawDocumentBuf {
    raw(&doc! { "value": value.clone() })
}

/// The value of the first field.
pub(crate) fn first(holder: &RawDocumentBuf) -> RawBsonRef<'_> {
    holder.iter().next().unwrap().unwrap().1
}

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn scalar() -> impl Strategy<Value = Bson> {
    prop_oneof![
        1 => Just(Bson::Null),
        1 => any::<bool>().prop_map(Bson::Boolean),
        4 => number(),
        4 => text().prop_map(Bson::String),
        2 => binary().prop_map(Bson::Binary),
        1 => prop_oneof![0..3_u8, any::<u8>()].prop_map(|byte| Bson::ObjectId(ObjectId::from_bytes([byte; 12]))),
        2 => prop_oneof![
            prop::sample::select(vec![0, -1, 1, i64::MIN, i64::MAX, 253_402_300_800_000]),
            any::<i64>(),
            any::<i32>().prop_map(|seconds| i64::from(seconds) * 1000),
        ]
        .prop_map(|milliseconds| Bson::DateTime(DateTime::from_millis(milliseconds))),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\0\u{1}\u{2}a]{0,4}",
        prop::sample::select(vec![
            "",
            "$oid",
            "😀",
            "\u{FFFF}",
            "\u{10FFFF}",
            "\u{7F}",
            "a/\"\\\n\t\u{8}"
        ])
        .prop_map(String::from),
        any::<String>(),
    ]
}

fn binary() -> impl Strategy<Value = Binary> {
    let subtype = prop_oneof![prop::sample::select(vec![0, 2, 4, 9, 128]), any::<u8>()];
    let bytes = vec(prop_oneof![0..2_u8, any::<u8>()], 0..5);
    (subtype, bytes).prop_map(|(subtype, bytes)| Binary {
        subtype: subtype.into(),
        bytes,
    })
}

fn edge_integers() -> Vec<i64> {
    let mut edges = vec![0, 1, -1, 5, i64::MAX, i64::MIN];
    for power in [10, 52, 53, 54, 62] {
        edges.extend((-1..=1).flat_map(|step| [(1_i64 << power) + step, -(1_i64 << power) + step]));
    }
    for step in [1, 2, 511, 512, 513, 1023, 1024, 1025] {
        edges.extend([i64::MAX - step, i64::MIN + step]);
    }
    edges
}

fn edge_floats() -> Vec<f64> {
    let mut edges = vec![
        f64::NAN,
        f64::INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        2.2e-308,
        0.0,
        0.5,
        5.5,
        1e16,
        1e300,
    ];
    edges.extend(
        edge_integers()
            .into_iter()
            .flat_map(|integer| (-1..=1).map(move |step| beside(integer as f64, step))),
    );
    edges.extend(
        edges
            .clone()
            .into_iter()
            .filter(|float| !float.is_nan())
            .map(|float| -float),
    );
    edges
}

fn beside(float: f64, step: i32) -> f64 {
    match step {
        0 => float,
        1.. => float.next_up(),
        _ => float.next_down(),
    }
}
