//! Random documents and conditions: few values, so that they meet, with names and bytes that mean something to some engine.

use storage_core::bson::{Binary, Bson, DateTime, RawDocumentBuf, doc, oid::ObjectId, spec::BinarySubtype};
use storage_core::{Comparison, Filter, Result, encode_bson, malformed};

use crate::random::Random;

/// The ids of documents.
pub(super) const IDS: [&str; 10] = ["a", "b", "B", "é", "z", "10", "9", "x/y", "%", "'"];

/// The fields of documents that hold one value.
const FIELDS: [&str; 5] = ["a", "b", "c", "$d.e", "%"];

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
pub(super) fn body(random: &mut Random) -> Result<RawDocumentBuf> {
    let mut body = doc! {};
    for field in FIELDS {
        if random.below(5) > 0 {
            body.insert(field, value(random));
        }
    }
    if random.below(3) > 0 {
        body.insert("inner", doc! { "x": value(random), "": value(random) });
    }
    if random.below(3) > 0 {
        let length = random.below(4);
        body.insert("tags", Bson::Array((0..length).map(|_| value(random)).collect()));
    }
    if random.below(30) == 0 {
        body.insert("a", Bson::Array(vec![Bson::Int64(1)]));
    }
    if random.below(30) == 0 {
        body.insert("inner", Bson::Array(vec![doc! { "x": 1_i64 }.into()]));
    }
    storage_core::value::canonical(RawDocumentBuf::try_from(&body).map_err(malformed)?)
}

/// A condition up to so many levels deep.
pub(super) fn filter(random: &mut Random, depth: usize) -> Filter {
    let field = text(random, &PATHS).as_str().into();
    match random.below(if depth == 0 { 7 } else { 11 }) {
        0 => Filter::All,
        1 => Filter::In {
            field,
            values: values(random),
        },
        2 => Filter::Prefix {
            field,
            prefix: text(random, &["", "a", "é"]),
        },
        3 | 4 => {
            let value = value(random);
            let mut comparisons = vec![Comparison::Eq, Comparison::Eq, Comparison::Ne];
            // A range over a document is refused above all backends.
            if value.as_document().is_none() {
                comparisons.extend([Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge]);
            }
            Filter::Compare {
                field,
                comparison: *random.pick(&comparisons),
                value,
            }
        }
        5 => Filter::Exists {
            field,
            exists: random.below(2) == 0,
        },
        6 => Filter::NotIn {
            field,
            values: values(random),
        },
        7 => Filter::Not(Box::new(filter(random, depth - 1))),
        8 => filter(random, depth - 1).or(filter(random, depth - 1)),
        _ => filter(random, depth - 1).and(filter(random, depth - 1)),
    }
}

/// A list as `Storage` hands it over: in order, without duplicates.
fn values(random: &mut Random) -> Vec<Bson> {
    let count = random.below(4);
    let mut values: Vec<_> = (0..count).map(|_| value(random)).collect();
    values.sort_by_cached_key(encode_bson);
    values.dedup_by_key(|value| encode_bson(value));
    values
}
