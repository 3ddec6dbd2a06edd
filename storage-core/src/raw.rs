//! Between owned and raw BSON.

use bson::raw::RawBsonRef;
use bson::{Bson, RawArrayBuf, RawDocumentBuf};

use crate::error::{Error, ErrorKind};
use crate::value::{encode, encode_to_vec};

/// BSON bytes that are not well-formed: they were checked when they came in, so it is the medium that changed them.
pub fn malformed(error: bson::error::Error) -> Error {
    Error::new(ErrorKind::Corrupt, "what is stored is not well-formed BSON").with_source(error)
}

/// Lends a canonical value as a raw one; only documents and arrays are copied.
pub(crate) fn with_raw<R>(value: &Bson, f: impl FnOnce(RawBsonRef<'_>) -> R) -> R {
    match value {
        Bson::Null => f(RawBsonRef::Null),
        Bson::Boolean(value) => f(RawBsonRef::Boolean(*value)),
        Bson::Int32(value) => f(RawBsonRef::Int64(i64::from(*value))),
        Bson::Int64(value) => f(RawBsonRef::Int64(*value)),
        Bson::Double(value) => f(RawBsonRef::Double(*value)),
        Bson::String(value) => f(RawBsonRef::String(value)),
        Bson::DateTime(value) => f(RawBsonRef::DateTime(*value)),
        Bson::ObjectId(value) => f(RawBsonRef::ObjectId(*value)),
        Bson::Binary(value) => f(RawBsonRef::Binary(bson::raw::RawBinaryRef {
            subtype: value.subtype,
            bytes: &value.bytes,
        })),
        // Canonical values have neither NUL in names nor types that cannot be written, so the conversions do not fail.
        Bson::Document(value) => {
            let raw = RawDocumentBuf::try_from(value).unwrap_or_default();
            f(RawBsonRef::Document(&raw))
        }
        Bson::Array(values) => {
            let raw: RawArrayBuf = values
                .iter()
                .filter_map(|value| bson::RawBson::try_from(value.clone()).ok())
                .collect();
            f(RawBsonRef::Array(&raw))
        }
        other => {
            debug_assert!(false, "not canonical: {other:?}");
            f(RawBsonRef::Null)
        }
    }
}

/// The order-preserving encoding of a canonical value.
pub fn encode_bson(value: &Bson) -> Vec<u8> {
    with_raw(value, |value| encode_to_vec(Some(value)))
}

/// As [`encode_bson`], behind what is there.
pub(crate) fn push_bson(value: &Bson, out: &mut Vec<u8>) {
    out.reserve(16);
    with_raw(value, |value| encode(Some(value), out));
}
