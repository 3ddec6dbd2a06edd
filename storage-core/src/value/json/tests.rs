use bson::oid::ObjectId;
use bson::{Binary, DateTime, RawBson, RawDocumentBuf, rawdoc};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::value::arbitrary::document;
use crate::value::{MAX_DEPTH, canonical};

fn compact(document: &RawDocumentBuf) -> String {
    write_document(document, Style::Compact).unwrap()
}

fn problem(text: &str) -> String {
    let error = read_document(text.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{text}");
    error.message().to_owned()
}

#[test]
fn the_table_at_the_head_holds() {
    let binary = |subtype: u8, bytes: &[u8]| {
        RawBson::Binary(Binary {
            subtype: subtype.into(),
            bytes: bytes.into(),
        })
    };
    let date = |milliseconds| RawBson::DateTime(DateTime::from_millis(milliseconds));
    for (value, text) in [
        (RawBson::Null, "null"),
        (RawBson::Boolean(true), "true"),
        (
            RawBson::String("a\"\\\0é😀\n\u{7F}".into()),
            "\"a\\\"\\\\\\u0000é😀\\n\u{7F}\"",
        ),
        (RawBson::Int64(1), "1"),
        (RawBson::Int64(i64::MIN), "-9223372036854775808"),
        (RawBson::Double(1.0), "1.0"),
        (RawBson::Double(-0.0), "-0.0"),
        (RawBson::Double(1e300), "1e+300"),
        (RawBson::Double(1e16), "1e+16"),
        (RawBson::Double(5e-324), "5e-324"),
        (RawBson::Double(0.1), "0.1"),
        (
            RawBson::Double(f64::from_bits(0x7FF8_0000_0000_0000)),
            r#"{"$numberDouble":"NaN"}"#,
        ),
        (RawBson::Double(f64::INFINITY), r#"{"$numberDouble":"Infinity"}"#),
        (
            RawBson::Double(f64::NEG_INFINITY),
            r#"{"$numberDouble":"-Infinity"}"#,
        ),
        (date(1_709_208_000_000), r#"{"$date":"2024-02-29T12:00:00.000Z"}"#),
        (
            date(253_402_300_800_000),
            r#"{"$date":{"$numberLong":"253402300800000"}}"#,
        ),
        (
            date(i64::MIN),
            r#"{"$date":{"$numberLong":"-9223372036854775808"}}"#,
        ),
        (
            RawBson::ObjectId(ObjectId::from_bytes([0xAB; 12])),
            r#"{"$oid":"abababababababababababab"}"#,
        ),
        (binary(0, b""), r#"{"$binary":{"base64":"","subType":"00"}}"#),
        (
            binary(0x80, b"\xFF\xFE"),
            r#"{"$binary":{"base64":"//4=","subType":"80"}}"#,
        ),
        (
            binary(2, b"abc"),
            r#"{"$binary":{"base64":"YWJj","subType":"02"}}"#,
        ),
        (bson::rawbson!([1_i64, [], {}]), "[1,[],{}]"),
        (
            bson::rawbson!({ "b": 1_i64, "a": 2_i64, "$c": 3_i64 }),
            r#"{"b":1,"a":2,"$c":3}"#,
        ),
        (
            bson::rawbson!({ "$oid": "x", "y": {} }),
            r#"{"$literal":{"$oid":"x","y":{}}}"#,
        ),
        (
            bson::rawbson!({ "$literal": { "$a": null } }),
            r#"{"$literal":{"$literal":{"$literal":{"$a":null}}}}"#,
        ),
    ] {
        let document = rawdoc! { "v": value };
        assert_eq!(compact(&document), format!("{{\"v\":{text}}}"));
        assert_eq!(
            read_document(compact(&document).as_bytes()).unwrap(),
            document,
            "{text}"
        );
    }
}

#[test]
fn a_whole_document_may_need_the_literal() {
    let document = rawdoc! { "$oid": "x", "_storage": { "v": "1" } };
    assert_eq!(
        compact(&document),
        r#"{"$literal":{"$oid":"x","_storage":{"v":"1"}}}"#
    );
    assert_eq!(read_document(compact(&document).as_bytes()).unwrap(), document);
}

#[test]
fn pretty_is_for_people() {
    let document = rawdoc! { "name": "Ada", "tags": ["x", 1.5], "none": {}, "at": DateTime::from_millis(0), "q": { "$gt": 1_i64 } };
    let text = write_document(&document, Style::Pretty).unwrap();
    let expected = r#"{
  "name": "Ada",
  "tags": [
    "x",
    1.5
  ],
  "none": {},
  "at": {"$date": "1970-01-01T00:00:00.000Z"},
  "q": {"$literal": {
    "$gt": 1
  }}
}"#;
    assert_eq!(text, expected);
    assert_eq!(
        read_document(format!("\n{text}\r\n").as_bytes()).unwrap(),
        document
    );
}

#[test]
fn what_writing_never_produces_is_corrupt() {
    for (text, expected) in [
        ("", "line 1, byte 1: the text ends too early"),
        ("[]", "line 1, byte 1: '{' is missing"),
        ("{}{}", "line 1, byte 3: something follows the document"),
        (
            "{\"a\":1,\n \"a\":2}",
            "line 2, byte 8: the name \"a\" occurs twice in this object",
        ),
        (r#"{"a":1,}"#, "line 1, byte 8: '\"' is missing"),
        (r#"{"a":[1,]}"#, "line 1, byte 9: a value is missing"),
        (r#"{"a":[1"#, "line 1, byte 8: the text ends too early"),
        (
            r#"{"a":9223372036854775808}"#,
            "line 1, byte 25: 9223372036854775808 is not an integer of 64 bits",
        ),
        (r#"{"a":-0}"#, "line 1, byte 8: -0 is not an integer of 64 bits"),
        (
            r#"{"a":1e999}"#,
            "line 1, byte 11: 1e999 is not a float of 64 bits",
        ),
        (r#"{"a":01}"#, "line 1, byte 7: ',' or '}' is missing"),
        (r#"{"a":1.}"#, "line 1, byte 8: a digit is missing"),
        (r#"{"a":NaN}"#, "line 1, byte 6: a value is missing"),
        (r#"{"a":nul}"#, "line 1, byte 6: a value is missing"),
        (
            r#"{"\u0000":1}"#,
            "line 1, byte 11: the name \"\\0\" has NUL in it",
        ),
        (r#"{"a":"\x"}"#, "line 1, byte 10: a string has an invalid escape"),
        (
            r#"{"a":"\ud800"}"#,
            "line 1, byte 14: a string has an invalid escape",
        ),
        (
            "{\"a\":\"\n\"}",
            "line 1, byte 7: a control character must be escaped",
        ),
        ("{\"a\":\"\\", "line 1, byte 8: a string has no end"),
        (
            r#"{"$oid":"abababababababababababab"}"#,
            "line 1, byte 9: a document is missing",
        ),
        (
            r#"{"$literal":{"a":1}}"#,
            "line 1, byte 18: $literal is only for an object whose first name starts with '$'",
        ),
        (r#"{"a":{"$literal":1}}"#, "line 1, byte 18: '{' is missing"),
        (
            r#"{"a":{"$gt":1}}"#,
            "line 1, byte 13: \"$gt\" is none of $binary, $date, $literal, $numberDouble, $oid",
        ),
        (
            r#"{"a":{"$oid":"ABABABABABABABABABABABAB"}}"#,
            "line 1, byte 40: the string is not an ObjectId",
        ),
        (
            r#"{"a":{"$oid":"ab"}}"#,
            "line 1, byte 18: the string is not an ObjectId",
        ),
        (
            r#"{"a":{"$oid":"abababababababababababab","b":1}}"#,
            "line 1, byte 40: '}' is missing",
        ),
        (
            r#"{"a":{"$numberDouble":"1.0"}}"#,
            "line 1, byte 28: the string is not NaN or an infinity",
        ),
        (
            r#"{"a":{"$date":"2024-02-30T12:00:00.000Z"}}"#,
            "line 1, byte 41: the string is not a time like 2024-02-29T12:00:00.000Z",
        ),
        (
            r#"{"a":{"$date":{"$numberLong":"0"}}}"#,
            "line 1, byte 33: the string is not milliseconds outside the years 0000 to 9999",
        ),
        (
            r#"{"a":{"$date":{"$numberLong":"+253402300800000"}}}"#,
            "line 1, byte 48: the string is not milliseconds outside the years 0000 to 9999",
        ),
        (r#"{"a":{"$date":0}}"#, "line 1, byte 15: '{' is missing"),
        (
            r#"{"a":{"$binary":{"base64":"YQ"}}}"#,
            "line 1, byte 31: the string is not padded base64",
        ),
        (
            r#"{"a":{"$binary":{"base64":"YQ=="}}}"#,
            "line 1, byte 34: \"subType\" is missing",
        ),
        (
            r#"{"a":{"$binary":{"base64":"YQ==","subType":"0"}}}"#,
            "line 1, byte 47: the string is not two lower-case hex digits",
        ),
        (
            r#"{"a":{"$binary":{"subType":"00","base64":"YQ=="}}}"#,
            "line 1, byte 28: \"base64\" is missing",
        ),
    ] {
        assert_eq!(
            problem(text),
            format!("the JSON text is damaged at {expected}"),
            "{text}"
        );
    }
    let error = read_document(b"{\"a\":\"\xFF\"}").unwrap_err();
    assert_eq!(
        error.message(),
        "the JSON text is damaged at line 1, byte 7: the text is not UTF-8"
    );
}

#[test]
fn the_deepest_document_round_trips_and_a_deeper_one_is_refused() {
    for name in ["a", "$literal"] {
        let name = bson::raw::CString::try_from(name.to_owned()).unwrap();
        let mut deep = rawdoc! { "$date": DateTime::MAX };
        for _ in 1..MAX_DEPTH {
            let mut outer = RawDocumentBuf::new();
            outer.append(&name, deep);
            deep = outer;
        }
        let text = compact(&deep);
        assert_eq!(read_document(text.as_bytes()).unwrap(), deep);
        assert_eq!(canonical(deep.clone()).unwrap(), deep);

        let deeper = rawdoc! { "a": deep };
        assert_eq!(
            write_document(&deeper, Style::Compact).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        assert!(problem(&format!("{{\"a\":{text}}}")).ends_with("the document has more than 64 levels"));
    }
    for bottomless in ["[", "{\"a\":", "{\"$literal\":"] {
        assert!(
            problem(&format!("{{\"a\":{}", bottomless.repeat(100_000)))
                .starts_with("the JSON text is damaged")
        );
    }
}

#[test]
fn refused_types_have_no_text() {
    for value in [RawBson::MinKey, RawBson::Undefined, RawBson::Symbol("s".into())] {
        let error = write_document(&rawdoc! { "a": value }, Style::Compact).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

proptest! {
    #[test]
    fn a_canonical_document_comes_back_bit_for_bit(document in document()) {
        let Ok(document) = canonical(document) else { return Ok(()) };
        for style in [Style::Compact, Style::Pretty] {
            let text = write_document(&document, style).unwrap();
            let read = read_document(text.as_bytes()).unwrap();
            prop_assert_eq!(read.as_bytes(), document.as_bytes(), "{}", text);
        }
    }

    #[test]
    fn the_text_is_json_to_everybody_else(document in document()) {
        let text = compact(&document);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pretty: serde_json::Value = serde_json::from_str(&write_document(&document, Style::Pretty).unwrap()).unwrap();
        prop_assert_eq!(value, pretty);
    }

    #[test]
    fn two_documents_never_look_alike(a in document(), b in document()) {
        let (Ok(a), Ok(b)) = (canonical(a), canonical(b)) else { return Ok(()) };
        prop_assert_eq!(compact(&a) == compact(&b), a == b);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = read_document(&bytes);
    }

    /// What is read is JSON, and is what writing gives back, give or take spelling.
    #[test]
    fn damaged_text_is_an_error_or_other_json(
        document in document(), at in any::<prop::sample::Index>(), byte in prop::sample::select(b"\"\\{}[]:,$0-.eE+ntau\n \x00\xFF".to_vec())
    ) {
        let mut text = compact(&document).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        match read_document(&text) {
            Ok(read) => {
                let theirs: serde_json::Value = serde_json::from_slice(&text).unwrap();
                let ours: serde_json::Value = serde_json::from_str(&compact(&read)).unwrap();
                prop_assert_eq!(ours, theirs);
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
    }

    #[test]
    fn plain_json_of_others_is_read(value in plain_json()) {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "v": value })).unwrap();
        let read = read_document(text.as_bytes()).unwrap();
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&compact(&read)).unwrap()["v"].clone(), value);
    }
}

/// JSON in which nothing has a second meaning.
fn plain_json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>()
            .prop_filter("JSON has finite numbers only", |float| float.is_finite())
            .prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::hash_map("[a-z\"\\\\é]{0,3}", inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}
