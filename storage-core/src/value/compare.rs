//! The one comparison of values, in MongoDB's order across types.
//!
//! Missing and null sort together, before everything. [`encode`](super::encode) writes this same order into bytes; a property
//! test holds the two together, so a backend may use whichever suits it.

use std::cmp::Ordering;

use bson::spec::BinarySubtype;
use bson::{RawArray, RawBinaryRef, RawBsonRef, RawDocument};

use super::check::MAX_DEPTH;

/// A group of types that compare with each other by value. Values of different brackets order as the brackets do, and a range
/// never leaves its bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Bracket {
    /// Null, and a field that is not there.
    Null,
    /// Integers and floats together, by mathematical value. NaN is the least and equals itself.
    Number,
    /// By UTF-8 bytes.
    String,
    /// Field by field: the value's bracket, then the name, then the value; then the shorter first.
    Document,
    /// Element by element; then the shorter first.
    Array,
    /// By length, then subtype, then bytes.
    Binary,
    /// By its twelve bytes.
    ObjectId,
    /// False before true.
    Boolean,
    /// By milliseconds.
    DateTime,
    /// What [`canonical`](super::canonical) refuses. All of it compares equal, after everything else.
    Other,
}

/// The type bracket of a value.
pub fn bracket(value: RawBsonRef<'_>) -> Bracket {
    match value {
        RawBsonRef::Null => Bracket::Null,
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) => Bracket::Number,
        RawBsonRef::String(_) => Bracket::String,
        RawBsonRef::Document(_) => Bracket::Document,
        RawBsonRef::Array(_) => Bracket::Array,
        RawBsonRef::Binary(_) => Bracket::Binary,
        RawBsonRef::ObjectId(_) => Bracket::ObjectId,
        RawBsonRef::Boolean(_) => Bracket::Boolean,
        RawBsonRef::DateTime(_) => Bracket::DateTime,
        _ => Bracket::Other,
    }
}

/// Orders two values: by bracket, then by value.
///
/// A total order on everything [`canonical`](super::canonical) lets in. What it would refuse is still ordered, only more coarsely: refused
/// types are equal to each other, containers below [`MAX_DEPTH`] count as empty, and malformed bytes end their container.
pub fn compare(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
    compare_at(a, b, 1)
}

/// As [`compare`], with a missing field in null's place.
pub fn compare_optional(a: Option<RawBsonRef<'_>>, b: Option<RawBsonRef<'_>>) -> Ordering {
    compare(a.unwrap_or(RawBsonRef::Null), b.unwrap_or(RawBsonRef::Null))
}

/// Whether the value is a float that is not a number: it sorts among numbers, but no range contains it.
pub fn is_nan(value: RawBsonRef<'_>) -> bool {
    matches!(value, RawBsonRef::Double(float) if float.is_nan())
}

fn compare_at(a: RawBsonRef<'_>, b: RawBsonRef<'_>, depth: usize) -> Ordering {
    use RawBsonRef::{Array, Binary, Boolean, DateTime, Document, Double, Int32, Int64, ObjectId, String};
    match (a, b) {
        (Int32(a), b) => compare_at(Int64(a.into()), b, depth),
        (a, Int32(b)) => compare_at(a, Int64(b.into()), depth),
        (Int64(a), Int64(b)) => a.cmp(&b),
        (Int64(a), Double(b)) => integer_with_float(a, b),
        (Double(a), Int64(b)) => integer_with_float(b, a).reverse(),
        (Double(a), Double(b)) => floats(a, b),
        (String(a), String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Document(a), Document(b)) => documents(a, b, depth),
        (Array(a), Array(b)) => arrays(a, b, depth),
        (Binary(a), Binary(b)) => binaries(a, b),
        (ObjectId(a), ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (Boolean(a), Boolean(b)) => a.cmp(&b),
        (DateTime(a), DateTime(b)) => a.timestamp_millis().cmp(&b.timestamp_millis()),
        (a, b) => bracket(a).cmp(&bracket(b)),
    }
}

fn floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// By mathematical value: converting the integer to a float would make neighbours of 2⁵³ equal.
fn integer_with_float(integer: i64, float: f64) -> Ordering {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() || float < -TWO_POW_63 {
        return Ordering::Greater;
    }
    if float >= TWO_POW_63 {
        return Ordering::Less;
    }
    let whole = float.trunc();
    #[allow(clippy::cast_possible_truncation)] // whole, and within i64 by the two tests above
    integer
        .cmp(&(whole as i64))
        .then_with(|| floats(0.0, float - whole))
}

fn documents(a: &RawDocument, b: &RawDocument, depth: usize) -> Ordering {
    in_turn(fields(a, depth), fields(b, depth), |(name_a, a), (name_b, b)| {
        bracket(a)
            .cmp(&bracket(b))
            .then_with(|| name_a.as_bytes().cmp(name_b.as_bytes()))
            .then_with(|| compare_at(a, b, depth + 1))
    })
}

fn arrays(a: &RawArray, b: &RawArray, depth: usize) -> Ordering {
    in_turn(elements(a, depth), elements(b, depth), |a, b| {
        compare_at(a, b, depth + 1)
    })
}

/// The first difference decides; without one, the shorter is less.
fn in_turn<T>(
    mut a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    mut compare: impl FnMut(T, T) -> Ordering,
) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) => match compare(a, b) {
                Ordering::Equal => {}
                decided => return decided,
            },
            (a, b) => return a.is_some().cmp(&b.is_some()),
        }
    }
}

fn binaries(a: RawBinaryRef<'_>, b: RawBinaryRef<'_>) -> Ordering {
    let key = |binary: RawBinaryRef<'_>| (stored_length(binary), u8::from(binary.subtype));
    key(a).cmp(&key(b)).then_with(|| a.bytes.cmp(b.bytes))
}

/// The length MongoDB compares by, which for the old binary subtype includes a length of its own.
pub(super) fn stored_length(binary: RawBinaryRef<'_>) -> usize {
    binary.bytes.len()
        + if binary.subtype == BinarySubtype::BinaryOld {
            4
        } else {
            0
        }
}

/// The fields that count in the order, of a document at this depth.
pub(super) fn fields(document: &RawDocument, depth: usize) -> impl Iterator<Item = (&str, RawBsonRef<'_>)> {
    let limit = if depth > MAX_DEPTH { 0 } else { usize::MAX };
    document
        .iter()
        .map_while(Result::ok)
        .map(|(name, value)| (name.as_str(), value))
        .take(limit)
}

/// The elements that count in the order, of an array at this depth.
pub(super) fn elements(array: &RawArray, depth: usize) -> impl Iterator<Item = RawBsonRef<'_>> {
    let limit = if depth > MAX_DEPTH { 0 } else { usize::MAX };
    array.into_iter().map_while(Result::ok).take(limit)
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;
    use bson::{Binary, Bson, DateTime, bson, rawdoc};
    use proptest::prelude::*;

    use super::*;
    use crate::value::arbitrary::{first, holder, number, value};

    /// Values in ascending order; those on one line are equal.
    fn ladder() -> Vec<Vec<Bson>> {
        let binary = |subtype: u8, bytes: &[u8]| {
            Bson::Binary(Binary {
                subtype: subtype.into(),
                bytes: bytes.into(),
            })
        };
        let two_pow_53 = 1_i64 << 53;
        vec![
            vec![Bson::Null],
            vec![Bson::Double(f64::NAN), Bson::Double(-f64::NAN)],
            vec![Bson::Double(f64::NEG_INFINITY)],
            vec![Bson::Double(-1e300)],
            vec![Bson::Int64(i64::MIN), Bson::Double(-9_223_372_036_854_775_808.0)],
            vec![Bson::Int64(i64::MIN + 1)],
            vec![Bson::Double(-0.5)],
            vec![
                Bson::Int64(0),
                Bson::Int32(0),
                Bson::Double(0.0),
                Bson::Double(-0.0),
            ],
            vec![Bson::Double(5e-324)],
            vec![Bson::Int64(5), Bson::Int32(5), Bson::Double(5.0)],
            vec![Bson::Double(5.5)],
            vec![Bson::Int64(two_pow_53), Bson::Double(9_007_199_254_740_992.0)],
            vec![Bson::Int64(two_pow_53 + 1)],
            vec![Bson::Int64(two_pow_53 + 2), Bson::Double(9_007_199_254_740_994.0)],
            vec![Bson::Int64(i64::MAX - 1)],
            vec![Bson::Int64(i64::MAX)],
            vec![Bson::Double(9_223_372_036_854_775_808.0)],
            vec![Bson::Double(f64::INFINITY)],
            vec![bson!("")],
            vec![bson!("\0")],
            vec![bson!("\0a")],
            vec![bson!("\u{1}")],
            vec![bson!("a")],
            vec![bson!("a\0")],
            vec![bson!("aa")],
            vec![bson!("b")],
            vec![bson!("\u{FFFF}")],
            vec![bson!("😀")],
            vec![bson!({})],
            vec![bson!({ "b": null })],
            vec![bson!({ "a": 1 }), bson!({ "a": 1.0 })],
            vec![bson!({ "a": 1, "b": null })],
            vec![bson!({ "a": 2 })],
            vec![bson!({ "b": 0 })],  // the name before the value
            vec![bson!({ "a": "" })], // the bracket before the name
            vec![bson!([])],
            vec![bson!([null])],
            vec![bson!([1])],
            vec![bson!([1, null])],
            vec![bson!([1, 1])],
            vec![bson!([[]])],
            vec![binary(0, b"")],
            vec![binary(0, b"b")],
            vec![binary(5, b"a")],  // the subtype before the bytes
            vec![binary(0, b"aa")], // the length before the subtype
            vec![binary(128, b"aaaaa")],
            vec![binary(2, b"a\0")], // counts four more bytes
            vec![Bson::ObjectId(ObjectId::from_bytes([0; 12]))],
            vec![Bson::ObjectId(ObjectId::from_bytes([255; 12]))],
            vec![Bson::Boolean(false)],
            vec![Bson::Boolean(true)],
            vec![Bson::DateTime(DateTime::MIN)],
            vec![Bson::DateTime(DateTime::from_millis(-1))],
            vec![Bson::DateTime(DateTime::from_millis(0))],
            vec![Bson::DateTime(DateTime::MAX)],
            vec![Bson::MaxKey, Bson::MinKey, Bson::Undefined],
        ]
    }

    #[test]
    fn the_ladder_ascends_in_comparison_and_in_encoding() {
        let rungs = ladder().into_iter().enumerate();
        let values: Vec<_> = rungs
            .flat_map(|(rung, equal)| equal.into_iter().map(move |value| (rung, holder(&value))))
            .collect();
        for (rung_a, a) in &values {
            for (rung_b, b) in &values {
                let (a, b) = (first(a), first(b));
                assert_eq!(compare(a, b), rung_a.cmp(rung_b), "{a:?} and {b:?}");
                let encoded = |value| crate::value::encode_to_vec(Some(value));
                assert_eq!(
                    encoded(a).cmp(&encoded(b)),
                    rung_a.cmp(rung_b),
                    "encodings of {a:?} and {b:?}"
                );
            }
        }
    }

    #[test]
    fn missing_sorts_with_null() {
        assert_eq!(compare_optional(None, Some(RawBsonRef::Null)), Ordering::Equal);
        assert_eq!(
            compare_optional(None, Some(RawBsonRef::Double(f64::NAN))),
            Ordering::Less
        );
        assert_eq!(compare_optional(None, None), Ordering::Equal);
    }

    #[test]
    fn bottomless_documents_are_ordered_without_descending() {
        let deep = (0..2000).fold(rawdoc! {}, |inner, _| rawdoc! { "a": inner });
        let deeper = rawdoc! { "a": deep.clone() };
        assert_eq!(
            compare(RawBsonRef::Document(&deep), RawBsonRef::Document(&deeper)),
            Ordering::Equal
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in value(), b in value(), c in value()) {
            total([&a, &b, &c])?;
        }

        #[test]
        fn the_order_of_numbers_is_total(a in number(), b in number(), c in number()) {
            total([&a, &b, &c])?;
        }
    }

    fn total(values: [&Bson; 3]) -> Result<(), TestCaseError> {
        let holders = values.map(holder);
        let [a, b, c] = [0, 1, 2].map(|index| first(&holders[index]));
        prop_assert_eq!(compare(a, a), Ordering::Equal);
        prop_assert_eq!(compare(a, b), compare(b, a).reverse());
        let mut sorted = [a, b, c];
        sorted.sort_by(|a, b| compare(*a, *b));
        let [low, middle, high] = sorted;
        let (lower, upper) = (compare(low, middle), compare(middle, high));
        prop_assert!(lower.is_le() && upper.is_le());
        prop_assert_eq!(compare(low, high), lower.then(upper));
        Ok(())
    }
}
