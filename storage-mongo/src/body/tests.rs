use bson::{doc, rawdoc};

use super::*;

fn id() -> DocumentId {
    DocumentId::new("ada").unwrap()
}

fn raw(document: &bson::Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

#[test]
fn what_is_stored_reads_as_it_was_written() {
    let version = Version::random();
    for body in [
        rawdoc! {},
        rawdoc! { "name": "Ada", "age": 36_i64 },
        rawdoc! { "": 1_i64, "$set": { "a.b": [{ "%": null }, [{ "$": true }]] }, "50%": { "_id": 1_i64, "_storage": 2_i64 } },
        rawdoc! { "%24": 1_i64, "$": 2_i64, "100%": "50%" },
    ] {
        for expires_at in [
            None,
            Some(Timestamp::from_millis(-5)),
            Some(Timestamp::from_millis(i64::MAX)),
        ] {
            let stored = encode(&id(), &version, expires_at, &body).unwrap();
            let read = decode(&stored).unwrap();
            assert!(read.foreign.is_none());
            let expected = StoredDocument {
                id: id(),
                version: version.clone(),
                expires_at,
                body: body.clone(),
            };
            assert_eq!(read.document, expected);
        }
    }
}

#[test]
fn the_form_at_rest_is_this() {
    let body = rawdoc! { "name": "Ada", "$a.b": { "": 1_i64 } };
    let stored = encode(
        &id(),
        &Version::from_u128(1),
        Some(Timestamp::from_millis(7)),
        &body,
    )
    .unwrap();
    let mut version = vec![0; 15];
    version.push(1);
    let version = Binary {
        subtype: BinarySubtype::Generic,
        bytes: version,
    };
    let expected = rawdoc! {
        "_id": "ada",
        "_storage": { "version": version, "expires_at": DateTime::from_millis(7) },
        "name": "Ada",
        "%24a%2Eb": { "%": 1_i64 },
    };
    assert_eq!(stored, expected);
}

#[test]
fn nothing_is_copied_where_no_name_needs_another() {
    let body = rawdoc! { "name": "50% of $a.b", "inner": [{ "a": 1_i64 }] };
    assert!(matches!(stored_fields(&body).unwrap(), Cow::Borrowed(_)));
}

#[test]
fn foreign_documents_are_read_and_known_by_their_content() {
    let stored = raw(&doc! { "name": "Ada", "_id": "ada", "age": 36_i32, "%zz": 1_i64 });
    let read = decode(&stored).unwrap();
    assert_eq!(
        read.document.body,
        rawdoc! { "name": "Ada", "age": 36_i64, "%zz": 1_i64 }
    );
    assert_eq!(read.foreign.as_deref(), Some(&*stored));
    let other = raw(&doc! { "name": "Ada", "_id": "ada", "age": 37_i32, "%zz": 1_i64 });
    assert_ne!(decode(&other).unwrap().document.version, read.document.version);
    assert_eq!(decode(&stored).unwrap().document.version, read.document.version);
}

#[test]
fn what_is_no_document_is_corrupt_and_named() {
    let version = Binary {
        subtype: BinarySubtype::Generic,
        bytes: vec![1; 16],
    };
    let short = Binary {
        subtype: BinarySubtype::Generic,
        bytes: vec![1; 15],
    };
    let oid = ObjectId::from_bytes([7; 12]);
    for (stored, name) in [
        (doc! { "_id": 5, "a": 1 }, "5"),
        (doc! { "_id": oid }, "ObjectId(\"070707070707070707070707\")"),
        (doc! { "a": 1 }, "of unknown id"),
        (doc! { "_id": "" }, ""),
        (
            doc! { "_id": "x", "a": bson::Timestamp { time: 1, increment: 1 } },
            "x",
        ),
        (doc! { "_id": "x", "a": [{ "b": Bson::MaxKey }] }, "x"),
        (doc! { "_id": "x", "_storage": 5 }, "x"),
        (doc! { "_id": "x", "_storage": {} }, "x"),
        (doc! { "_id": "x", "_storage": { "version": short } }, "x"),
        (doc! { "_id": "x", "_storage": { "version": "text" } }, "x"),
        (
            doc! { "_id": "x", "_storage": { "version": version, "expires_at": 5 } },
            "x",
        ),
    ] {
        let error = decode(&raw(&stored)).unwrap_err();
        assert_eq!(
            (error.kind(), error.key()),
            (ErrorKind::Corrupt, Some(name)),
            "{stored}"
        );
    }
}

#[test]
fn what_is_nested_too_deep_is_corrupt() {
    let deep = (0..300).fold(rawdoc! { "%": 1_i64 }, |inner, _| rawdoc! { "%2E": inner });
    let mut stored = rawdoc! { "_id": "x" };
    stored.append(cstr!("a"), deep);
    assert_eq!(decode(&stored).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_document_grown_by_escaping_is_told_its_size() {
    let name = ".".repeat(6 * 1024 * 1024);
    let body = raw(&doc! { name: 1_i64 });
    let error = encode(&id(), &Version::random(), None, &body).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}
