//! Random documents and queries.

use storage_core::bson::{Binary, Bson, RawDocumentBuf, doc, oid::ObjectId, spec::BinarySubtype};
use storage_core::{Comparison, Filter};

/// A small generator (xorshift), so that a failure repeats.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
}

fn value(random: &mut Random) -> Bson {
    match random.below(14) {
        0 => Bson::Null,
        1 => Bson::Boolean(random.below(2) == 0),
        2 => Bson::Double(random.pick(&[0.5, -0.0, f64::NAN, f64::NEG_INFINITY, 1e300, 3.0])),
        3 | 4 => Bson::String(
            random
                .pick(&["", "a", "ab", "é", "\u{1}", "$x", "'", "a\0", "😀"])
                .to_owned(),
        ),
        5 => Bson::DateTime(storage_core::bson::DateTime::from_millis(
            i64::try_from(random.below(4)).unwrap(),
        )),
        6 => {
            let (subtype, bytes) = random.pick(&[
                (BinarySubtype::Generic, vec![]),
                (BinarySubtype::Generic, vec![0]),
                (BinarySubtype::Generic, vec![1, 2]),
                (BinarySubtype::Uuid, vec![0; 16]),
            ]);
            Bson::Binary(Binary { subtype, bytes })
        }
        7 => Bson::ObjectId(ObjectId::from_bytes([u8::try_from(random.below(3)).unwrap(); 12])),
        8 => random
            .pick(&[
                doc! {},
                doc! { "$gt": 1_i64 },
                doc! { "x.y": [1_i64, { "%": null }] },
                doc! { "": "" },
            ])
            .into(),
        _ => Bson::Int64(i64::try_from(random.below(5)).unwrap() - 1),
    }
}

/// The fields of documents, with names that mean something to MongoDB.
const FIELDS: [&str; 5] = ["a", "b", "c", "$d.e", "%"];

pub(super) fn body(random: &mut Random) -> RawDocumentBuf {
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
    let body = RawDocumentBuf::try_from(&body).unwrap();
    storage_core::value::canonical(body).unwrap()
}

pub(super) fn filter(random: &mut Random, depth: u32) -> Filter {
    let field = |random: &mut Random| {
        random
            .pick(&[
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
            ])
            .into()
    };
    match random.below(if depth == 0 { 7 } else { 11 }) {
        0 => Filter::All,
        1 => Filter::In {
            field: field(random),
            values: sorted((0..random.below(4)).map(|_| value(random)).collect()),
        },
        2 => Filter::Prefix {
            field: field(random),
            prefix: random.pick(&["", "a", "é"]).to_owned(),
        },
        3 | 4 => {
            let value = value(random);
            let mut comparisons = vec![Comparison::Eq, Comparison::Eq, Comparison::Ne];
            // A range over a document is refused above all backends.
            if !matches!(value, Bson::Document(_)) {
                comparisons.extend([Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge]);
            }
            Filter::Compare {
                field: field(random),
                comparison: random.pick(&comparisons),
                value,
            }
        }
        5 => Filter::Exists {
            field: field(random),
            exists: random.below(2) == 0,
        },
        6 => Filter::NotIn {
            field: field(random),
            values: sorted((0..random.below(3)).map(|_| value(random)).collect()),
        },
        7 => Filter::Not(Box::new(filter(random, depth - 1))),
        8 => filter(random, depth - 1).or(filter(random, depth - 1)),
        _ => filter(random, depth - 1).and(filter(random, depth - 1)),
    }
}

/// As `Storage` hands lists over: in order, without duplicates.
fn sorted(values: Vec<Bson>) -> Vec<Bson> {
    let mut encoded: Vec<_> = values
        .into_iter()
        .map(|value| (storage_core::encode_bson(&value), value))
        .collect();
    encoded.sort_by(|a, b| a.0.cmp(&b.0));
    encoded.dedup_by(|a, b| a.0 == b.0);
    encoded.into_iter().map(|(_, value)| value).collect()
}
