//! Values of documents in JSON, each as exactly the value it is: as documents at rest are written.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage_core::bson::{Bson, Document, RawDocumentBuf, doc};
use storage_core::value::{Style, canonical, read_document, write_document};
use storage_core::{Result, malformed};

fn to_json(document: &Document) -> Result<serde_json::Value> {
    let raw = canonical(RawDocumentBuf::try_from(document).map_err(malformed)?)?;
    let text = write_document(&raw, Style::Compact)?;
    serde_json::from_str(&text)
        .map_err(|error| storage_core::Error::corrupt("a document", "it is no JSON").with_source(error))
}

fn from_json(json: &serde_json::Value) -> Result<Document> {
    let raw = read_document(json.to_string().as_bytes())?;
    Document::try_from(raw.as_ref()).map_err(malformed)
}

/// A document.
pub(crate) mod document {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(document: &Document, serializer: S) -> Result<S::Ok, S::Error> {
        to_json(document).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        from_json(&json).map_err(D::Error::custom)
    }
}

/// Several values.
pub(crate) mod values {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(values: &[Bson], serializer: S) -> Result<S::Ok, S::Error> {
        let json = to_json(&doc! { VALUES: values.to_vec() }).map_err(S::Error::custom)?;
        json[VALUES].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bson>, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        let mut document = from_json(&serde_json::json!({ VALUES: json })).map_err(D::Error::custom)?;
        match document.remove(VALUES) {
            Some(Bson::Array(values)) => Ok(values),
            _ => Err(D::Error::custom("it is no list of values")),
        }
    }
}

/// One value.
pub(crate) mod value {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Bson, serializer: S) -> Result<S::Ok, S::Error> {
        let json = to_json(&doc! { VALUES: value.clone() }).map_err(S::Error::custom)?;
        json[VALUES].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bson, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        let mut document = from_json(&serde_json::json!({ VALUES: json })).map_err(D::Error::custom)?;
        document
            .remove(VALUES)
            .ok_or_else(|| D::Error::custom("there is no value"))
    }
}

/// The field under which values stand in a document of their own.
const VALUES: &str = "values";
