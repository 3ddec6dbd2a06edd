//! What a query means, written a second time: over values in memory, with nothing of the library's own evaluation.

mod random;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use storage_core::bson::{Binary, Bson, Document};
use storage_core::{FieldPath, Query};

pub(crate) use self::random::{condition, documents_of, scalar, value};
use crate::exact;

/// A condition, as a query and as a predicate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition<F = &'static str> {
    Compare(F, Operator, #[serde(with = "exact::value")] Bson),
    In(F, #[serde(with = "exact::values")] Vec<Bson>),
    NotIn(F, #[serde(with = "exact::values")] Vec<Bson>),
    Prefix(F, String),
    Exists(F, bool),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

pub(crate) const OPERATORS: [Operator; 6] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Le,
    Operator::Gt,
    Operator::Ge,
];

impl<F: AsRef<str>> Condition<F> {
    pub(crate) fn query(&self) -> Query {
        match self {
            Self::Compare(field, operator, value) => {
                let (field, value) = (field.as_ref(), value.clone());
                match operator {
                    Operator::Eq => Query::eq(field, value),
                    Operator::Ne => Query::ne(field, value),
                    Operator::Lt => Query::lt(field, value),
                    Operator::Le => Query::le(field, value),
                    Operator::Gt => Query::gt(field, value),
                    Operator::Ge => Query::ge(field, value),
                }
            }
            Self::In(field, values) => Query::is_in(field.as_ref(), values.clone()),
            Self::NotIn(field, values) => Query::not_in(field.as_ref(), values.clone()),
            Self::Prefix(field, prefix) => Query::prefix(field.as_ref(), prefix.clone()),
            Self::Exists(field, exists) => Query::exists(field.as_ref(), *exists),
            Self::And(a, b) => a.query().and(b.query()),
            Self::Or(a, b) => a.query().or(b.query()),
            Self::Not(a) => a.query().negate(),
        }
    }

    pub(crate) fn matches(&self, document: &Document) -> bool {
        match self {
            Self::Compare(field, operator, value) => {
                at(document, field.as_ref()).is_some_and(|found| match operator {
                    Operator::Eq => equals(found, value),
                    Operator::Ne => !equals(found, value),
                    Operator::Lt => within(found, value).is_some_and(Ordering::is_lt),
                    Operator::Le => within(found, value).is_some_and(Ordering::is_le),
                    Operator::Gt => within(found, value).is_some_and(Ordering::is_gt),
                    Operator::Ge => within(found, value).is_some_and(Ordering::is_ge),
                })
            }
            Self::In(field, values) => at(document, field.as_ref())
                .is_some_and(|found| values.iter().any(|value| equals(found, value))),
            Self::NotIn(field, values) => at(document, field.as_ref())
                .is_some_and(|found| !values.iter().any(|value| equals(found, value))),
            Self::Prefix(field, prefix) => {
                matches!(at(document, field.as_ref()), Some(Bson::String(text)) if text.starts_with(prefix.as_str()))
            }
            Self::Exists(field, exists) => at(document, field.as_ref()).is_some() == *exists,
            Self::And(a, b) => a.matches(document) && b.matches(document),
            Self::Or(a, b) => a.matches(document) || b.matches(document),
            Self::Not(a) => !a.matches(document),
        }
    }

    /// The fields of the first range or prefix among the conditions joined by `and`, left to right: the order a query implies.
    pub(crate) fn implied_order(&self) -> Option<&str> {
        match self {
            Self::Compare(field, Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge, _)
            | Self::Prefix(field, _) => Some(field.as_ref()),
            Self::And(a, b) => a.implied_order().or_else(|| b.implied_order()),
            _ => None,
        }
    }
}

/// One field of an order and whether it descends.
pub(crate) type Order = Vec<(&'static str, bool)>;

/// The ids of what matches, in order, ties by id.
pub(crate) fn answer<F: AsRef<str>>(
    all: &[(String, Document)],
    condition: Option<&Condition<F>>,
    order: &[(F, bool)],
) -> Vec<String> {
    let implied = condition
        .and_then(Condition::implied_order)
        .map(|field| (field, false));
    let order: Vec<(&str, bool)> = if order.is_empty() {
        implied.into_iter().collect()
    } else {
        order
            .iter()
            .map(|(field, descending)| (field.as_ref(), *descending))
            .collect()
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

/// The value at a path.
pub(crate) fn at<'a>(document: &'a Document, field: &str) -> Option<&'a Bson> {
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

/// Which of two values sorts first.
pub(crate) fn compare(a: &Bson, b: &Bson) -> Ordering {
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
