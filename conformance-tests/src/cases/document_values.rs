//! What documents hold: every type, every edge, nothing else.

use storage_core::bson::oid::ObjectId;
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{Binary, Bson, DateTime, Decimal128, Document, RawDocumentBuf, Regex, doc};
use storage_core::value::MAX_DEPTH;
use storage_core::{ErrorKind, Query};

use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::documents;
use crate::context::Ctx;

cases! { document_values:
    smoke [Documents] every_type_comes_back = "each type of the contract, at its edges, comes back as it went in";
    smoke [Documents] null_is_not_missing = "a null field is there, a missing one is not";
    standard [Documents] integers_and_floats_stay_apart = "1 stays an integer and 1.0 a float, and no integer is rounded";
    standard [Documents] floats_keep_their_bits = "negative zero, infinities, subnormals and NaN survive";
    standard [Documents] field_order_is_kept = "fields come back in the order they were given, at every level";
    standard [Documents] hostile_field_names_are_names = "names that mean something to some medium are only names";
    standard [Documents] deep_nesting_comes_back = "the deepest document allowed comes back; one level more is refused";
    standard [Documents] large_document_comes_back = "a document of 1 MiB comes back whole";
    standard [Documents] what_cannot_be_stored_is_refused = "types outside the contract and reserved fields are InvalidArgument, and nothing is written";
    standard [Documents] too_large_document_is_refused = "a document over the declared limit is LimitExceeded, and nothing is written";
}

async fn every_type_comes_back(ctx: &Ctx) -> Verdict {
    let table = documents(ctx.storage(), "table");
    let all_bytes: Vec<u8> = (0..=255).collect();
    let binary = |subtype, bytes: &[u8]| {
        Bson::Binary(Binary {
            subtype,
            bytes: bytes.to_vec(),
        })
    };
    let values = [
        Bson::Null,
        Bson::Boolean(true),
        Bson::Boolean(false),
        Bson::Int64(0),
        Bson::Int64(i64::MIN),
        Bson::Int64(i64::MAX),
        Bson::Int64((1 << 53) + 1),
        Bson::Double(0.1),
        Bson::Double(f64::MAX),
        Bson::Double(f64::MIN_POSITIVE),
        Bson::String(String::new()),
        Bson::String("a\0b\r\n\t\"'\\ é 😀 \u{202E} \u{FEFF} \u{FFFF}".to_owned()),
        binary(BinarySubtype::Generic, &[]),
        binary(BinarySubtype::Generic, &all_bytes),
        binary(BinarySubtype::Uuid, &all_bytes[..16]),
        binary(BinarySubtype::UserDefined(200), b"user"),
        Bson::DateTime(DateTime::from_millis(0)),
        Bson::DateTime(DateTime::from_millis(1_700_000_000_123)),
        Bson::DateTime(DateTime::from_millis(-1)),
        Bson::DateTime(DateTime::from_millis(253_402_300_800_000)),
        Bson::DateTime(DateTime::from_millis(i64::MIN)),
        Bson::DateTime(DateTime::from_millis(i64::MAX)),
        Bson::ObjectId(ObjectId::from_bytes([0xAB; 12])),
        Bson::Array(vec![]),
        Bson::Array(vec![
            Bson::Int64(1),
            Bson::Null,
            Bson::Array(vec![]),
            Bson::String("x".to_owned()),
        ]),
        Bson::Document(doc! {}),
        Bson::Document(doc! { "a": { "b": [ { "c": 1_i64 } ] } }),
    ];
    for (at, value) in values.iter().enumerate() {
        table
            .put(format!("{at}"), &doc! { "value": value.clone() })
            .await?;
    }
    for (at, value) in values.iter().enumerate() {
        let read = table.get(format!("{at}")).await?.map(|read| read.value);
        ensure_eq!(read, Some(doc! { "value": value.clone() }), "value {at}");
    }
    let together: Document = values
        .iter()
        .enumerate()
        .map(|(at, value)| (format!("f{at}"), value.clone()))
        .collect();
    table.put("together", &together).await?;
    ensure_eq!(
        table.get("together").await?.map(|read| read.value),
        Some(together),
        "all in one document"
    );
    Ok(())
}

async fn null_is_not_missing(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("null", &doc! { "a": null }).await?;
    people.put("missing", &doc! {}).await?;
    let null = people.get("null").await?.map(|read| read.value);
    let missing = people.get("missing").await?.map(|read| read.value);
    ensure_eq!(null, Some(doc! { "a": null }), "the null is there");
    ensure_eq!(missing, Some(doc! {}), "the missing field is not");
    Ok(())
}

async fn integers_and_floats_stay_apart(ctx: &Ctx) -> Verdict {
    let numbers = documents(ctx.storage(), "numbers");
    let mut values = vec![
        Bson::Int64(1),
        Bson::Double(1.0),
        Bson::Double(1e15),
        Bson::Double(1e16),
        Bson::Double(1e300),
    ];
    for power in [31, 32, 52, 53, 54, 62] {
        for step in -1..=1 {
            values.push(Bson::Int64((1_i64 << power) + step));
            values.push(Bson::Int64(-(1_i64 << power) + step));
        }
        #[allow(clippy::cast_precision_loss, reason = "a power of two is exact")]
        values.push(Bson::Double((1_i64 << power) as f64));
    }
    let all = doc! { "values": values };
    numbers.put("all", &all).await?;
    let Some(read) = numbers.get("all").await? else {
        return Err("the document is gone".into());
    };
    // Equality of values tells an integer from a float.
    ensure_eq!(read.value, all, "the numbers, type by type");
    numbers.put("narrow", &doc! { "n": 7_i32 }).await?;
    let narrow = numbers.get("narrow").await?.map(|read| read.value);
    ensure_eq!(narrow, Some(doc! { "n": 7_i64 }), "a 32-bit integer widens to 64");
    Ok(())
}

async fn floats_keep_their_bits(ctx: &Ctx) -> Verdict {
    let numbers = documents(ctx.storage(), "numbers");
    for float in [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        -5e-324,
        0.1 + 0.2,
        f64::EPSILON,
        1e-7,
    ] {
        numbers.put("one", &doc! { "f": float }).await?;
        let Some(read) = numbers.get("one").await? else {
            return Err("the document is gone".into());
        };
        let back = read.value.get_f64("f").unwrap_or(f64::NAN);
        ensure_eq!(back.to_bits(), float.to_bits(), "the bits of {float:?}");
    }
    numbers.put("one", &doc! { "f": f64::NAN }).await?;
    let Some(read) = numbers.get("one").await? else {
        return Err("the document is gone".into());
    };
    ensure!(
        matches!(read.value.get("f"), Some(Bson::Double(float)) if float.is_nan()),
        "NaN reads as {:?}",
        read.value
    );
    Ok(())
}

async fn field_order_is_kept(ctx: &Ctx) -> Verdict {
    let ordered = documents(ctx.storage(), "ordered");
    let value = doc! { "z": 1_i64, "a": { "10": 1_i64, "9": 2_i64, "b": 3_i64 }, "m": [ { "y": 1_i64, "x": 2_i64 } ], "2": 0_i64, "1": 0_i64 };
    ordered.put("one", &value).await?;
    let Some(read) = ordered.get("one").await? else {
        return Err("the document is gone".into());
    };
    // Documents with the same fields in another order are equal to `==`, so compare what they print.
    ensure_eq!(read.value.to_string(), value.to_string(), "the order of fields");
    Ok(())
}

async fn hostile_field_names_are_names(ctx: &Ctx) -> Verdict {
    // Raw, because reading a `bson::Document` through serde takes `{"$oid": …}` for an ObjectId.
    let hostile = ctx.storage().collection::<RawDocumentBuf>("hostile");
    let long = "n".repeat(1024);
    let names = [
        "$set",
        "$where",
        "$literal",
        "$oid",
        "$date",
        "$numberLong",
        "$numberDouble",
        "$binary",
        "$symbol",
        "$uuid",
        "$minKey",
        "$regularExpression",
        "a.b",
        ".",
        "..",
        "",
        " ",
        "__proto__",
        "constructor",
        "é",
        "e\u{301}",
        "\u{1}",
        "\n",
        "\"",
        "'",
        "\\",
        "[0]",
        "0",
        "-1",
        "a\u{FFFF}",
        "😀",
        "_id2",
        "id",
        "version",
        "expires_at",
        "_storage2",
        "body",
        "rowid",
        "NULL",
        "'; DROP TABLE x; --",
        "%s",
        "{}",
        &long,
    ];
    for (at, name) in names.iter().enumerate() {
        let alone = doc! { *name: 1_i64, "nested": { *name: "x" }, "listed": [ { *name: null } ] };
        let alone = raw(&alone)?;
        hostile.put(format!("{at}"), &alone).await?;
        let read = hostile.get(format!("{at}")).await?.map(|read| read.value);
        ensure_eq!(read, Some(alone), "the field name {name:?}");
    }
    let together: Document = names
        .iter()
        .map(|name| ((*name).to_owned(), Bson::Boolean(true)))
        .collect();
    let together = raw(&together)?;
    hostile.put("together", &together).await?;
    let read = hostile.get("together").await?.map(|read| read.value);
    ensure_eq!(read, Some(together), "all in one document");
    // Below the top level, not even these are reserved.
    let inside = raw(&doc! { "a": { "_id": 1_i64, "_storage": 2_i64 } })?;
    hostile.put("inside", &inside).await?;
    ensure_eq!(
        hostile.get("inside").await?.map(|read| read.value),
        Some(inside),
        "reserved names further in"
    );
    Ok(())
}

fn raw(document: &Document) -> Result<RawDocumentBuf, String> {
    RawDocumentBuf::try_from(document).map_err(|error| error.to_string())
}

async fn deep_nesting_comes_back(ctx: &Ctx) -> Verdict {
    let deep = documents(ctx.storage(), "deep");
    for in_arrays in [false, true] {
        let deepest = nested(MAX_DEPTH, in_arrays);
        deep.put("deepest", &deepest).await?;
        ensure_eq!(
            deep.get("deepest").await?.map(|read| read.value),
            Some(deepest),
            "{MAX_DEPTH} levels"
        );
        let refused = deep.put("deeper", &nested(MAX_DEPTH + 1, in_arrays)).await;
        ensure_kind!(refused, ErrorKind::InvalidArgument, "one level more");
    }
    ensure_eq!(deep.get("deeper").await?, None, "nothing was written");
    Ok(())
}

/// A document of exactly so many levels.
fn nested(levels: usize, in_arrays: bool) -> Document {
    let mut value = Bson::Document(doc! {});
    for _ in 2..levels {
        value = if in_arrays {
            Bson::Array(vec![value])
        } else {
            Bson::Document(doc! { "a": value })
        };
    }
    doc! { "a": value }
}

async fn large_document_comes_back(ctx: &Ctx) -> Verdict {
    let large = documents(ctx.storage(), "large");
    let value = doc! { "before": 1_i64, "text": "é\"\\ 😀 x".repeat(80_000), "after": 2_i64 };
    large.put("one", &value).await?;
    ensure!(
        large.get("one").await?.is_some_and(|read| read.value == value),
        "a document of 1 MiB came back changed"
    );
    let found = large.find(Query::all()).await?.collect().await?;
    ensure!(
        found.len() == 1 && found[0].value == value,
        "find gives it changed"
    );
    Ok(())
}

async fn what_cannot_be_stored_is_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let cstring =
        |text: &str| storage_core::bson::raw::CString::try_from(text).map_err(|error| error.to_string());
    let regex = Regex {
        pattern: cstring("x")?,
        options: cstring("")?,
    };
    let refused = [
        doc! { "_id": "mine" },
        doc! { "_storage": {} },
        doc! { "a": Bson::Decimal128(Decimal128::from_bytes([0; 16])) },
        doc! { "a": [ { "b": Bson::RegularExpression(regex) } ] },
        doc! { "a": Bson::MinKey },
        doc! { "a": Bson::Undefined },
        doc! { "a": Bson::Symbol("x".to_owned()) },
        doc! { "a": Bson::JavaScriptCode("x".to_owned()) },
        doc! { "a": Bson::Timestamp(storage_core::bson::Timestamp { time: 1, increment: 1 }) },
        doc! { "a\0b": 1_i64 },
    ];
    let version = people.put("ada", &doc! { "n": 1_i64 }).await?;
    for value in refused {
        ensure_kind!(
            people.put("ada", &value).await,
            ErrorKind::InvalidArgument,
            "put of {value}"
        );
        ensure_kind!(
            people.insert("new", &value).await,
            ErrorKind::InvalidArgument,
            "insert of {value}"
        );
    }
    ensure_eq!(
        people.get("ada").await?.map(|read| read.version),
        Some(version),
        "what was there stays"
    );
    ensure_eq!(people.count(Query::all()).await?, 1, "nothing was written");
    let scalar = ctx.storage().collection::<i64>("people");
    ensure_kind!(
        scalar.put("new", &1).await,
        ErrorKind::InvalidArgument,
        "what is no document"
    );
    Ok(())
}

async fn too_large_document_is_refused(ctx: &Ctx) -> Verdict {
    let Some(section) = &ctx.declaration().documents else {
        return Ok(());
    };
    let people = documents(ctx.storage(), "people");
    let version = people.put("ada", &doc! { "n": 1_i64 }).await?;
    let most = usize::try_from(section.max_document_bytes).unwrap_or(usize::MAX);
    // A limit nobody can hold in memory cannot be exceeded either.
    if most <= 64 << 20 {
        let refused = people.put("ada", &doc! { "text": "x".repeat(most) }).await;
        ensure_kind!(refused, ErrorKind::LimitExceeded, "over {most} bytes");
    }
    ensure_eq!(
        people.get("ada").await?.map(|read| read.version),
        Some(version),
        "what was there stays"
    );
    Ok(())
}
