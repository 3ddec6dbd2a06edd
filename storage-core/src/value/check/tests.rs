use bson::raw::RawArrayBuf;
use bson::{Binary, RawBson, bson, doc, rawdoc};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn refusal(document: RawDocumentBuf) -> String {
    let error = canonical(document).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    error.message().to_owned()
}

/// A document with this many levels.
fn levels(count: usize) -> RawDocumentBuf {
    (1..count).fold(RawDocumentBuf::new(), |inner, _| rawdoc! { "a": inner })
}

#[test]
fn a_canonical_document_comes_back_as_the_same_bytes() {
    let document = rawdoc! { "b": 1_i64, "a": [1.5, { "$x": null }], "": true, "id": "x", "a.b": { "_id": 1_i64, "_storage": 2_i64 } };
    let bytes = document.as_bytes().to_vec();
    let address = document.as_bytes().as_ptr();
    let checked = canonical(document).unwrap();
    assert_eq!(
        (checked.as_bytes(), checked.as_bytes().as_ptr()),
        (bytes.as_slice(), address)
    );
}

#[test]
fn integers_widen_nan_is_one_and_arrays_are_numbered() {
    let odd_nan = f64::from_bits(0xFFF0_0000_0000_0001);
    let document = canonical(rawdoc! { "a": [1, { "b": -2 }], "f": odd_nan, "c": 1_i64 }).unwrap();
    assert_eq!(
        document,
        rawdoc! { "a": [1_i64, { "b": -2_i64 }], "f": canonical_float(f64::NAN), "c": 1_i64 }
    );

    let mut misnumbered = rawdoc! { "a": { "7": "x", "7b": "y" } };
    let mut bytes = misnumbered.into_bytes();
    bytes[4] = ElementType::Array as u8;
    misnumbered = RawDocumentBuf::from_bytes(bytes).unwrap();
    assert_eq!(canonical(misnumbered).unwrap(), rawdoc! { "a": ["x", "y"] });
}

#[test]
fn binaries_keep_their_subtype() {
    for subtype in 0..=255_u8 {
        let binary = Binary {
            subtype: subtype.into(),
            bytes: vec![1, 2, 3],
        };
        let before = rawdoc! { "b": binary.clone(), "n": 1 }; // the integer forces a rebuild
        assert_eq!(canonical(before).unwrap(), rawdoc! { "b": binary, "n": 1_i64 });
    }
}

#[test]
fn a_refusal_names_the_field_and_what_to_do() {
    let mut twice = rawdoc! { "a": 1_i64 };
    twice.append(bson::raw::cstr!("a"), 2_i64);
    let mut array = RawArrayBuf::new();
    array.push(1_i64);
    array.push(twice.clone());
    for (document, message) in [
        (
            rawdoc! { "_id": 1 },
            "field \"_id\" is reserved: give the field another name",
        ),
        (
            rawdoc! { "_storage": 1 },
            "field \"_storage\" is reserved: give the field another name",
        ),
        (
            rawdoc! { "x": { "y.z": array } },
            r#"field "x.y\.z.1.a" occurs twice in one document: keep one of them"#,
        ),
        (
            rawdoc! { "t": [RawBson::Timestamp(bson::Timestamp { time: 1, increment: 1 })] },
            "field \"t.0\" is an internal timestamp, which cannot be stored: use a datetime",
        ),
        (
            rawdoc! { "u": RawBson::Undefined },
            "field \"u\" is undefined, which cannot be stored: use null, or leave the field out",
        ),
    ] {
        assert_eq!(refusal(document), message);
    }
}

#[test]
fn a_name_used_twice_is_found_among_many() {
    let mut document = RawDocumentBuf::new();
    for index in (0..1000).chain([500]) {
        document.append(bson::raw::CString::try_from(format!("f{index}")).unwrap(), 1_i64);
    }
    assert!(refusal(document).starts_with("field \"f500\" occurs twice"));
}

#[test]
fn levels_count_from_the_document_itself() {
    canonical(levels(MAX_DEPTH)).unwrap();
    assert!(
        refusal(levels(MAX_DEPTH + 1)).ends_with("is nested deeper than 64 levels: store a flatter document")
    );
    let literal = |count| {
        bson::Document::try_from(&*levels(count))
            .map(Bson::Document)
            .unwrap()
    };
    canonical_value(&literal(MAX_DEPTH)).unwrap();
    canonical_value(&literal(MAX_DEPTH + 1)).unwrap_err();
}

#[test]
fn a_bottomless_document_is_refused_without_descending() {
    let count = 200_000;
    let mut bytes = Vec::new();
    for level in 0..count {
        let length = i32::try_from((count - level) * 8 - 3).unwrap();
        bytes.extend_from_slice(&length.to_le_bytes());
        if level + 1 < count {
            bytes.extend_from_slice(&[0x03, b'a', 0]);
        }
    }
    bytes.resize(bytes.len() + count, 0);
    refusal(RawDocumentBuf::from_bytes(bytes).unwrap());
}

#[test]
fn literals_follow_the_same_rules_without_reserved_names() {
    assert_eq!(
        canonical_value(&bson!({ "_id": [1] })).unwrap(),
        bson!({ "_id": [1_i64] })
    );
    assert_eq!(canonical_value(&Bson::Int32(5)).unwrap(), Bson::Int64(5));
    for (value, message) in [
        (
            Bson::MaxKey,
            "the value is a key bound, which cannot be stored: use a value",
        ),
        (
            Bson::Document(doc! { "a\0": 1 }),
            "field \"a\u{FFFD}\" has NUL in its name: give the field another name",
        ),
    ] {
        let error = canonical_value(&value).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::InvalidArgument, message)
        );
    }
}

proptest! {
    #[test]
    fn damaged_bytes_are_an_error_or_a_document_but_never_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = rawdoc! {
            "a": [1, "two", { "b": 2.5 }], "bin": Binary { subtype: 2.into(), bytes: vec![1, 2] }, "d": bson::DateTime::MIN, "t": true
        }
        .into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let Ok(document) = RawDocumentBuf::from_bytes(bytes) else { return Ok(()) };
        if let Ok(document) = canonical(document) {
            prop_assert_eq!(canonical(document.clone()).unwrap(), document);
        }
    }
}
