//! Random documents and conditions: few values, so that they meet, with names and bytes that mean something to some engine.

use storage_core::bson::{Binary, Bson, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype};

use crate::random::Random;
use crate::reference::{Condition, OPERATORS, Operator, compare};

/// The fields of documents that hold one value, in byte order, as JSON keeps them.
const FIELDS: [&str; 5] = ["$d.e", "%", "a", "b", "c"];

/// The paths of conditions, as [`FieldPath`](storage_core::FieldPath) writes them.
const PATHS: [&str; 11] = [
    "a",
    "b",
    "c",
    r"$d\.e",
    "%",
    "inner.x",
    "inner.",
    "tags",
    "missing",
    "_id",
    "_storage.version",
];

pub(super) fn text(random: &mut Random, from: &[&str]) -> String {
    (*random.pick(from)).to_owned()
}

fn value(random: &mut Random) -> Bson {
    match random.below(14) {
        0 => Bson::Null,
        1 => Bson::Boolean(random.below(2) == 0),
        2 => Bson::Double(*random.pick(&[0.5, -0.0, f64::NAN, f64::NEG_INFINITY, 1e300, 3.0])),
        3 | 4 => Bson::String(text(
            random,
            &["", "a", "ab", "é", "\u{1}", "$x", "'", "a\0", "😀"],
        )),
        5 => Bson::DateTime(DateTime::from_millis(*random.pick(&[0, 1, 2, 3]))),
        6 => {
            let (subtype, bytes) = *random.pick(&[
                (BinarySubtype::Generic, [].as_slice()),
                (BinarySubtype::Generic, &[0]),
                (BinarySubtype::Generic, &[1, 2]),
                (BinarySubtype::Uuid, &[0; 16]),
            ]);
            let bytes = bytes.to_vec();
            Bson::Binary(Binary { subtype, bytes })
        }
        7 => Bson::ObjectId(ObjectId::from_bytes([*random.pick(&[0, 1, 2]); 12])),
        8 => Bson::Document(match random.below(4) {
            0 => doc! {},
            1 => doc! { "$gt": 1_i64 },
            2 => doc! { "x.y": [1_i64, { "%": null }] },
            _ => doc! { "": "" },
        }),
        _ => Bson::Int64(*random.pick(&[-1, 0, 1, 2, 3])),
    }
}

/// The fields of a document, now and then with an array where a single-valued index would refuse it.
pub(super) fn body(random: &mut Random) -> Document {
    let mut body = doc! {};
    for field in FIELDS {
        if random.below(5) > 0 {
            body.insert(field, value(random));
        }
    }
    if random.below(30) == 0 {
        body.insert("a", Bson::Array(vec![Bson::Int64(1)]));
    }
    match random.below(30) {
        0 => _ = body.insert("inner", Bson::Array(vec![doc! { "x": 1_i64 }.into()])),
        1..20 => _ = body.insert("inner", doc! { "": value(random), "x": value(random) }),
        _ => {}
    }
    if random.below(3) > 0 {
        let length = random.below(4);
        body.insert("tags", Bson::Array((0..length).map(|_| value(random)).collect()));
    }
    let mut sorted: Vec<(String, Bson)> = body.into_iter().collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    sorted.into_iter().collect()
}

/// A condition up to so many levels deep.
pub(super) fn condition(random: &mut Random, depth: usize) -> Condition<String> {
    let field = text(random, &PATHS);
    let inner = |random: &mut Random| Box::new(condition(random, depth.saturating_sub(1)));
    match random.below(if depth == 0 { 7 } else { 11 }) {
        0 | 1 => Condition::In(field, values(random)),
        2 => Condition::Prefix(field, text(random, &["", "a", "é"])),
        3 | 4 => {
            let value = value(random);
            // A range over a document is refused above all backends.
            let operator = match value.as_document() {
                Some(_) => *random.pick(&[Operator::Eq, Operator::Ne]),
                None if random.below(3) == 0 => Operator::Eq,
                None => *random.pick(&OPERATORS),
            };
            Condition::Compare(field, operator, value)
        }
        5 => Condition::Exists(field, random.below(2) == 0),
        6 => Condition::NotIn(field, values(random)),
        7 => Condition::Not(inner(random)),
        8 => Condition::Or(inner(random), inner(random)),
        _ => Condition::And(inner(random), inner(random)),
    }
}

/// A list without duplicates.
fn values(random: &mut Random) -> Vec<Bson> {
    let count = random.below(4);
    let mut values: Vec<_> = (0..count).map(|_| value(random)).collect();
    values.sort_by(compare);
    values.dedup_by(|one, other| compare(one, other).is_eq());
    values
}
