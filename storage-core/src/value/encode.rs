//! The one encoding of values to bytes that order as the values do.
//!
//! Index tables and index objects compare nothing but bytes, so every index of every backend holds this encoding. It is data at
//! rest: changing it needs a new format version of whatever holds it.
//!
//! | type | bytes |
//! |---|---|
//! | null, missing | `10` |
//! | number | `20`, the greatest float not above it (8 bytes, order-preserving), what is left (2 bytes); NaN is all zero |
//! | string | `30`, its bytes with `00` as `01 01` and `01` as `01 02`, `00` |
//! | document | `40`, per field: the value's first byte, the name, `00`, the rest of the value; `00` |
//! | array | `50`, each element; `00` |
//! | binary | `60`, length (4 bytes), subtype, bytes |
//! | ObjectId | `70`, its 12 bytes |
//! | boolean | `80`, `00` or `01` |
//! | datetime | `90`, milliseconds (8 bytes, sign flipped) |
//!
//! No encoding is a prefix of another one, so encodings written one after the other order like tuples.

use bson::{RawBinaryRef, RawBsonRef};

use super::compare::{Bracket, bracket, elements, fields, stored_length};

/// Ends a container, a string and a field name: below every first byte of a value and every byte of an escaped string.
const END: u8 = 0x00;
/// Starts the replacement of a byte that could be mistaken for [`END`] or for itself.
const ESCAPE: u8 = 0x01;
const SIGN_BIT: u64 = 1 << 63;

/// Appends the encoding of a value; a missing one encodes as null.
///
/// For all values, comparing the encodings gives what [`compare`](super::compare) gives; the encoding is self-delimiting.
pub fn encode(value: Option<RawBsonRef<'_>>, out: &mut Vec<u8>) {
    let value = value.unwrap_or(RawBsonRef::Null);
    out.push(first_byte(bracket(value)));
    rest(value, out, 1);
}

/// As [`encode`], into a buffer of its own.
pub fn encode_to_vec(value: Option<RawBsonRef<'_>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    encode(value, &mut out);
    out
}

/// The bytes that enclose every encoding of one bracket: from the first, inclusive, to the second, exclusive.
///
/// The numbers' range begins with NaN. A range that must not match it begins at the encoding of negative infinity instead.
pub fn bracket_range(bracket: Bracket) -> (Vec<u8>, Vec<u8>) {
    let first = first_byte(bracket);
    (vec![first], vec![first + 1])
}

/// The bytes that enclose the encodings of exactly the strings that start with `prefix`: from the first, inclusive, to the second,
/// exclusive.
pub fn string_prefix_range(prefix: &str) -> (Vec<u8>, Vec<u8>) {
    let mut lower = vec![first_byte(Bracket::String)];
    escaped(prefix, &mut lower);
    let mut upper = lower.clone();
    if let Some(last) = upper.last_mut() {
        *last += 1; // never overflows: FF occurs neither in UTF-8 nor as a first byte
    }
    (lower, upper)
}

fn first_byte(bracket: Bracket) -> u8 {
    match bracket {
        Bracket::Null => 0x10,
        Bracket::Number => 0x20,
        Bracket::String => 0x30,
        Bracket::Document => 0x40,
        Bracket::Array => 0x50,
        Bracket::Binary => 0x60,
        Bracket::ObjectId => 0x70,
        Bracket::Boolean => 0x80,
        Bracket::DateTime => 0x90,
        Bracket::Other => 0xA0,
    }
}

/// Everything after the first byte.
fn rest(value: RawBsonRef<'_>, out: &mut Vec<u8>, depth: usize) {
    match value {
        RawBsonRef::Int32(integer) => encode_integer(integer.into(), out),
        RawBsonRef::Int64(integer) => encode_integer(integer, out),
        RawBsonRef::Double(float) => encode_number(float, 0, out),
        RawBsonRef::String(text) => {
            escaped(text, out);
            out.push(END);
        }
        RawBsonRef::Document(document) => {
            for (name, value) in fields(document, depth) {
                out.push(first_byte(bracket(value)));
                out.extend_from_slice(name.as_bytes()); // without NUL, so it needs no escape
                out.push(END);
                rest(value, out, depth + 1);
            }
            out.push(END);
        }
        RawBsonRef::Array(array) => {
            for element in elements(array, depth) {
                out.push(first_byte(bracket(element)));
                rest(element, out, depth + 1);
            }
            out.push(END);
        }
        RawBsonRef::Binary(binary) => encode_binary(binary, out),
        RawBsonRef::ObjectId(id) => out.extend_from_slice(&id.bytes()),
        RawBsonRef::Boolean(boolean) => out.push(boolean.into()),
        RawBsonRef::DateTime(time) => {
            out.extend_from_slice(&(time.timestamp_millis().cast_unsigned() ^ SIGN_BIT).to_be_bytes());
        }
        _ => {} // null, and what compares equal to all of its bracket
    }
}

/// Splits an integer into the greatest float not above it and the rest, which is under 1024: the distance of floats just below 2⁶³.
fn encode_integer(integer: i64, out: &mut Vec<u8>) {
    #[allow(clippy::cast_precision_loss)] // the residual holds what is lost
    let mut floor = integer as f64;
    #[allow(clippy::cast_possible_truncation)] // whole numbers within ±2⁶³
    if floor as i128 > i128::from(integer) {
        floor = floor.next_down();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..1024, see above
    let residual = (i128::from(integer) - floor as i128) as u16;
    encode_number(floor, residual, out);
}

fn encode_number(float: f64, residual: u16, out: &mut Vec<u8>) {
    let bits = if float.is_nan() {
        0 // below negative infinity, which is 000F…
    } else {
        let bits = (float + 0.0).to_bits(); // adding zero turns -0.0 into 0.0
        if bits & SIGN_BIT == 0 {
            bits | SIGN_BIT
        } else {
            !bits
        }
    };
    out.extend_from_slice(&bits.to_be_bytes());
    out.extend_from_slice(&residual.to_be_bytes());
}

fn encode_binary(binary: RawBinaryRef<'_>, out: &mut Vec<u8>) {
    // A BSON document holds less than 2³¹ bytes.
    let length = u32::try_from(stored_length(binary)).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(binary.subtype.into());
    out.extend_from_slice(binary.bytes);
}

fn escaped(text: &str, out: &mut Vec<u8>) {
    let mut text = text.as_bytes();
    while let Some(at) = text.iter().position(|byte| *byte <= ESCAPE) {
        out.extend_from_slice(&text[..at]);
        out.extend_from_slice(&[ESCAPE, text[at] + 1]);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use bson::{Binary, Bson, DateTime, bson};
    use proptest::prelude::*;

    use super::*;
    use crate::value::arbitrary::{first, holder, number, value};
    use crate::value::compare;

    fn encoded(value: &Bson) -> Vec<u8> {
        encode_to_vec(Some(first(&holder(value))))
    }

    #[test]
    fn the_table_at_the_head_holds() {
        for (value, bytes) in [
            (Bson::Null, "10"),
            (Bson::Int64(5), "20 C014000000000000 0000"),
            (Bson::Int64((1 << 53) + 1), "20 C340000000000000 0001"),
            (Bson::Int64(i64::MAX), "20 C3DFFFFFFFFFFFFF 03FF"),
            (Bson::Double(-0.0), "20 8000000000000000 0000"),
            (Bson::Double(-1.0), "20 400FFFFFFFFFFFFF 0000"),
            (Bson::Double(f64::NAN), "20 0000000000000000 0000"),
            (bson!("a\0\u{1}"), "30 61 0101 0102 00"),
            (bson!({ "n": null, "s": "x" }), "40 10 6E00 30 7300 7800 00"),
            (bson!([null, "x"]), "50 10 30 7800 00"),
            (
                Bson::Binary(Binary {
                    subtype: 9.into(),
                    bytes: vec![1, 2],
                }),
                "60 00000002 09 0102",
            ),
            (Bson::ObjectId([7; 12].into()), "70 070707070707070707070707"),
            (Bson::Boolean(true), "80 01"),
            (Bson::DateTime(DateTime::from_millis(-1)), "90 7FFFFFFFFFFFFFFF"),
        ] {
            let hex: String = encoded(&value).iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(hex, bytes.replace(' ', ""), "{value:?}");
        }
    }

    #[test]
    fn missing_encodes_as_null() {
        assert_eq!(encode_to_vec(None), encode_to_vec(Some(RawBsonRef::Null)));
    }

    proptest! {
        #[test]
        fn bytes_order_as_values_do(a in value(), b in value()) {
            orders_alike(&a, &b)?;
        }

        #[test]
        fn bytes_order_as_numbers_do(a in number(), b in number()) {
            orders_alike(&a, &b)?;
        }

        #[test]
        fn no_encoding_is_a_prefix_of_another(a in value(), b in value()) {
            let (a, b) = (encoded(&a), encoded(&b));
            prop_assert!(a == b || !(a.starts_with(&b) || b.starts_with(&a)));
        }

        #[test]
        fn encodings_in_a_row_order_like_tuples(a in (value(), value(), value()), second in value(), third in value(), keep in any::<bool>()) {
            let b = if keep { (a.0.clone(), second, third) } else { (second, a.1.clone(), third) };
            let row = |(x, y, z): &(Bson, Bson, Bson)| [encoded(x), encoded(y), encoded(z)].concat();
            let each = |x: &Bson, y: &Bson| compare(first(&holder(x)), first(&holder(y)));
            let expected = each(&a.0, &b.0).then(each(&a.1, &b.1)).then(each(&a.2, &b.2));
            prop_assert_eq!(row(&a).cmp(&row(&b)), expected);
        }

        #[test]
        fn a_bracket_range_holds_its_bracket_and_nothing_else(a in value(), b in value()) {
            let (holder_a, holder_b) = (holder(&a), holder(&b));
            let (lower, upper) = bracket_range(bracket(first(&holder_a)));
            let inside = (lower..upper).contains(&encoded(&b));
            prop_assert_eq!(inside, bracket(first(&holder_a)) == bracket(first(&holder_b)));
        }

        #[test]
        fn a_prefix_range_holds_the_strings_with_that_prefix(
            prefix in "[\0\u{1}\u{2}aé\u{10FFFF}]{0,3}", tail in "[\0\u{1}a\u{10FFFF}]{0,2}", other in value()
        ) {
            let (lower, upper) = string_prefix_range(&prefix);
            let range = lower..upper;
            let longer = Bson::String(format!("{prefix}{tail}"));
            prop_assert!(range.contains(&encoded(&longer)));
            let expected = other.as_str().is_some_and(|text| text.starts_with(&prefix));
            prop_assert_eq!(range.contains(&encoded(&other)), expected);
        }
    }

    fn orders_alike(a: &Bson, b: &Bson) -> Result<(), TestCaseError> {
        let expected = compare(first(&holder(a)), first(&holder(b)));
        prop_assert_eq!(encoded(a).cmp(&encoded(b)), expected);
        Ok(())
    }
}
