//! What a query means, written a second time: over values in memory, with nothing of the library's own evaluation.

use std::cmp::Ordering;

use storage_core::bson::{Binary, Bson, DateTime, Document, doc};
use storage_core::{FieldPath, Query};

use crate::random::Random;

/// A condition, as a query and as a predicate.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Compare(&'static str, Operator, Bson),
    In(&'static str, Vec<Bson>),
    NotIn(&'static str, Vec<Bson>),
    Prefix(&'static str, String),
    Exists(&'static str, bool),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

pub(super) const OPERATORS: [Operator; 6] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Le,
    Operator::Gt,
    Operator::Ge,
];

impl Condition {
    pub(super) fn query(&self) -> Query {
        match self {
            Self::Compare(field, operator, value) => {
                let (field, value) = (*field, value.clone());
                match operator {
                    Operator::Eq => Query::eq(field, value),
                    Operator::Ne => Query::ne(field, value),
                    Operator::Lt => Query::lt(field, value),
                    Operator::Le => Query::le(field, value),
                    Operator::Gt => Query::gt(field, value),
                    Operator::Ge => Query::ge(field, value),
                }
            }
            Self::In(field, values) => Query::is_in(*field, values.clone()),
            Self::NotIn(field, values) => Query::not_in(*field, values.clone()),
            Self::Prefix(field, prefix) => Query::prefix(*field, prefix.clone()),
            Self::Exists(field, exists) => Query::exists(*field, *exists),
            Self::And(a, b) => a.query().and(b.query()),
            Self::Or(a, b) => a.query().or(b.query()),
            Self::Not(a) => a.query().negate(),
        }
    }

    pub(super) fn matches(&self, document: &Document) -> bool {
        match self {
            Self::Compare(field, operator, value) => {
                at(document, field).is_some_and(|found| match operator {
                    Operator::Eq => equals(found, value),
                    Operator::Ne => !equals(found, value),
                    Operator::Lt => within(found, value).is_some_and(Ordering::is_lt),
                    Operator::Le => within(found, value).is_some_and(Ordering::is_le),
                    Operator::Gt => within(found, value).is_some_and(Ordering::is_gt),
                    Operator::Ge => within(found, value).is_some_and(Ordering::is_ge),
                })
            }
            Self::In(field, values) => {
                at(document, field).is_some_and(|found| values.iter().any(|value| equals(found, value)))
            }
            Self::NotIn(field, values) => {
                at(document, field).is_some_and(|found| !values.iter().any(|value| equals(found, value)))
            }
            Self::Prefix(field, prefix) => {
                matches!(at(document, field), Some(Bson::String(text)) if text.starts_with(prefix.as_str()))
            }
            Self::Exists(field, exists) => at(document, field).is_some() == *exists,
            Self::And(a, b) => a.matches(document) && b.matches(document),
            Self::Or(a, b) => a.matches(document) || b.matches(document),
            Self::Not(a) => !a.matches(document),
        }
    }

    /// The fields of the first range or prefix among the conditions joined by `and`, left to right: the order a query implies.
    pub(super) fn implied_order(&self) -> Option<&'static str> {
        match self {
            Self::Compare(field, Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge, _)
            | Self::Prefix(field, _) => Some(field),
            Self::And(a, b) => a.implied_order().or_else(|| b.implied_order()),
            _ => None,
        }
    }
}

/// One field of an order and whether it descends.
pub(super) type Order = Vec<(&'static str, bool)>;

/// The ids of what matches, in order, ties by id.
pub(super) fn answer(
    all: &[(String, Document)],
    condition: Option<&Condition>,
    order: &Order,
) -> Vec<String> {
    let implied = condition
        .and_then(Condition::implied_order)
        .map(|field| (field, false));
    let order: Order = if order.is_empty() {
        implied.into_iter().collect()
    } else {
        order.clone()
    };
    let mut matching: Vec<_> = all
        .iter()
        .filter(|(_, document)| condition.is_none_or(|condition| condition.matches(document)))
        .collect();
    matching.sort_by(|(id_a, a), (id_b, b)| {
        for (field, descending) in &order {
            let (a, b) = (
                at(a, field).unwrap_or(&Bson::Null),
                at(b, field).unwrap_or(&Bson::Null),
            );
            let ordering = if *descending { compare(b, a) } else { compare(a, b) };
            if ordering.is_ne() {
                return ordering;
            }
        }
        id_a.as_bytes().cmp(id_b.as_bytes())
    });
    matching.into_iter().map(|(id, _)| id.clone()).collect()
}

fn at<'a>(document: &'a Document, field: &str) -> Option<&'a Bson> {
    let path = FieldPath::from(field);
    let (last, way) = path.segments().split_last()?;
    let mut document = document;
    for name in way {
        document = document.get(name)?.as_document()?;
    }
    document.get(last)
}

fn equals(found: &Bson, value: &Bson) -> bool {
    match found {
        Bson::Array(elements) => elements
            .iter()
            .any(|element| element.as_array().is_none() && compare(element, value).is_eq()),
        found => compare(found, value).is_eq(),
    }
}

/// How a value stands to another of its own type; nothing stands to NaN.
fn within(found: &Bson, value: &Bson) -> Option<Ordering> {
    let nan = |value: &Bson| matches!(value, Bson::Double(float) if float.is_nan());
    (rank(found) == rank(value) && !nan(found) && !nan(value)).then(|| compare(found, value))
}

/// Null, numbers, text, documents, arrays, binary, object ids, booleans, dates.
fn rank(value: &Bson) -> u8 {
    match value {
        Bson::Null => 0,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) => 1,
        Bson::String(_) => 2,
        Bson::Document(_) => 3,
        Bson::Array(_) => 4,
        Bson::Binary(_) => 5,
        Bson::ObjectId(_) => 6,
        Bson::Boolean(_) => 7,
        Bson::DateTime(_) => 8,
        _ => 9,
    }
}

fn compare(a: &Bson, b: &Bson) -> Ordering {
    match (a, b) {
        (Bson::String(a), Bson::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Bson::Document(a), Bson::Document(b)) => {
            let mut pairs = a.iter().zip(b.iter());
            let first = pairs.find_map(|((name_a, a), (name_b, b))| {
                let ordering = rank(a)
                    .cmp(&rank(b))
                    .then(name_a.cmp(name_b))
                    .then_with(|| compare(a, b));
                ordering.is_ne().then_some(ordering)
            });
            first.unwrap_or(a.len().cmp(&b.len()))
        }
        (Bson::Array(a), Bson::Array(b)) => {
            let first = a
                .iter()
                .zip(b)
                .map(|(a, b)| compare(a, b))
                .find(|ordering| ordering.is_ne());
            first.unwrap_or(a.len().cmp(&b.len()))
        }
        (Bson::Binary(a), Bson::Binary(b)) => {
            let key = |binary: &Binary| (binary.bytes.len(), u8::from(binary.subtype), binary.bytes.clone());
            key(a).cmp(&key(b))
        }
        (Bson::ObjectId(a), Bson::ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (Bson::Boolean(a), Bson::Boolean(b)) => a.cmp(b),
        (Bson::DateTime(a), Bson::DateTime(b)) => a.timestamp_millis().cmp(&b.timestamp_millis()),
        (a, b) if rank(a) == 1 && rank(b) == 1 => number(a).cmp(&number(b)),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

/// A number by its value: NaN first, then a whole part and what is above it, so that no integer is rounded to a float.
fn number(value: &Bson) -> (u8, i128, u64) {
    match value {
        Bson::Int32(integer) => (2, i128::from(*integer), 0),
        Bson::Int64(integer) => (2, i128::from(*integer), 0),
        Bson::Double(float) if float.is_nan() => (0, 0, 0),
        // Beyond ±2^126 every float is whole and further out than every integer.
        Bson::Double(float) if float.abs() >= 2_f64.powi(126) => {
            let bits = i128::from(float.abs().to_bits());
            if *float < 0.0 { (1, -bits, 0) } else { (3, bits, 0) }
        }
        #[allow(clippy::cast_possible_truncation, reason = "whole, and within ±2^126")]
        Bson::Double(float) => (2, float.floor() as i128, (float - float.floor()).to_bits()),
        _ => (4, 0, 0),
    }
}

/// A value of any type, mostly from where comparing is delicate, and few enough for ties.
pub(super) fn value(random: &mut Random) -> Bson {
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
pub(super) fn array(random: &mut Random) -> Bson {
    let length = random.below(4);
    let mut elements: Vec<Bson> = (0..length).map(|_| scalar(random)).collect();
    if random.below(6) == 0 {
        elements.push(Bson::Array(vec![scalar(random)]));
    }
    Bson::Array(elements)
}

/// A value that is neither array nor document.
pub(super) fn scalar(random: &mut Random) -> Bson {
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
pub(super) fn documents_of(random: &mut Random, count: usize, arrays: bool) -> Vec<(String, Document)> {
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
pub(super) fn condition(random: &mut Random, depth: usize) -> Condition {
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
