//! Random documents and conditions, mostly from where comparing is delicate.

use storage_core::bson::{Binary, Bson, DateTime, Document, doc};

use super::{Condition, OPERATORS, Operator};
use crate::random::Random;

/// A value of any type, mostly from where comparing is delicate, and few enough for ties.
pub(crate) fn value(random: &mut Random) -> Bson {
    match random.below(12) {
        0 => array(random),
        1 => Bson::Document(match random.below(4) {
            0 => doc! {},
            1 => doc! { "x": scalar(random) },
            2 => doc! { "x": scalar(random), "y": 1_i64 },
            _ => doc! { "y": [scalar(random)] },
        }),
        _ => scalar(random),
    }
}

/// An array of a few values.
fn array(random: &mut Random) -> Bson {
    let length = random.below(4);
    let mut elements: Vec<Bson> = (0..length).map(|_| scalar(random)).collect();
    if random.below(6) == 0 {
        elements.push(Bson::Array(vec![scalar(random)]));
    }
    Bson::Array(elements)
}

/// A value that is neither array nor document.
pub(crate) fn scalar(random: &mut Random) -> Bson {
    const INTEGERS: [i64; 15] = [
        0,
        1,
        -1,
        2,
        5,
        7,
        i64::MAX,
        i64::MAX - 1,
        i64::MIN,
        i64::MIN + 1,
        1 << 53,
        (1 << 53) + 1,
        (1 << 53) - 1,
        -(1 << 53) - 1,
        1 << 62,
    ];
    const FLOATS: [f64; 20] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        5.0,
        7.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        -5e-324,
        1e300,
        -1e300,
        9_007_199_254_740_992.0,
        9_007_199_254_740_994.0,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        0.1,
    ];
    const TEXTS: [&str; 17] = [
        "", "a", "aa", "ab", "a\0", "a\u{1}", "a\u{1}b", "A", "b", "é", "e\u{301}", "😀", "\u{FFFF}", "%",
        "a%", "_", "10",
    ];
    match random.below(10) {
        0 => Bson::Null,
        1 => Bson::Boolean(random.below(2) == 1),
        2 | 3 => Bson::Int64(*random.pick(&INTEGERS)),
        4 | 5 => Bson::Double(*random.pick(&FLOATS)),
        6 | 7 => Bson::String((*random.pick(&TEXTS)).to_owned()),
        8 => match random.below(3) {
            0 => Bson::ObjectId([*random.pick(&[0, 1, 0xFF]); 12].into()),
            _ => Bson::Binary(Binary {
                subtype: (*random.pick(&[0_u8, 4, 128])).into(),
                bytes: vec![*random.pick(&[0, 1, 0xFF]); *random.pick(&[0, 1, 2])],
            }),
        },
        _ => Bson::DateTime(DateTime::from_millis(*random.pick(&[
            0,
            -1,
            1,
            1_700_000_000_000,
            i64::MIN,
            i64::MAX,
        ]))),
    }
}

/// So many documents with fields `a`, `b`, `c.d`, each of which may be missing; without arrays in `a` and `b` unless asked for.
pub(crate) fn documents_of(random: &mut Random, count: usize, arrays: bool) -> Vec<(String, Document)> {
    let of_field = |random: &mut Random| loop {
        let value = value(random);
        if arrays || value.as_array().is_none() {
            return value;
        }
    };
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        let mut document = doc! { "n": i64::try_from(n).unwrap_or(i64::MAX) };
        if random.below(5) > 0 {
            document.insert("a", of_field(random));
        }
        if random.below(3) > 0 {
            document.insert("b", Bson::Int64(*random.pick(&[1, 2, 3])));
        }
        match random.below(6) {
            0 => {}
            1 => _ = document.insert("c", of_field(random)),
            _ => _ = document.insert("c", doc! { "d": of_field(random), "e": 1_i64 }),
        }
        // Ids in no order of insertion.
        all.push((format!("{:02x}-{n}", random.below(256)), document));
    }
    all
}

/// A condition up to three levels deep over those fields.
pub(crate) fn condition(random: &mut Random, depth: usize) -> Condition {
    if depth > 0 {
        let inner = |random: &mut Random| Box::new(condition(random, depth - 1));
        match random.below(8) {
            0 | 1 => return Condition::And(inner(random), inner(random)),
            2 => return Condition::Or(inner(random), inner(random)),
            3 => return Condition::Not(inner(random)),
            _ => {}
        }
    }
    let field = *random.pick(&["a", "a", "b", "c.d", "c", "missing"]);
    match random.below(12) {
        0 => Condition::In(field, literals(random)),
        1 => Condition::NotIn(field, literals(random)),
        2 => Condition::Prefix(
            field,
            (*random.pick(&["", "a", "a\0", "a\u{1}", "%", "é", "A", "😀"])).to_owned(),
        ),
        3 => Condition::Exists(field, random.below(2) == 1),
        _ => {
            let value = if field == "b" {
                Bson::Int64(*random.pick(&[1, 2, 3]))
            } else {
                literal(random)
            };
            let operator = *random.pick(&OPERATORS);
            if value.as_document().is_some() && !matches!(operator, Operator::Eq | Operator::Ne) {
                return Condition::Compare(field, Operator::Eq, value);
            }
            Condition::Compare(field, operator, value)
        }
    }
}

fn literals(random: &mut Random) -> Vec<Bson> {
    let length = random.below(5);
    (0..length).map(|_| literal(random)).collect()
}

/// What a field may be compared with: anything but an array.
fn literal(random: &mut Random) -> Bson {
    loop {
        let value = value(random);
        if value.as_array().is_none() {
            return value;
        }
    }
}
