//! The engine's own indexes behind ours: what they are called, and over which keys.

use bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use storage_core::{Index, Version};

use crate::body::names::path;
use crate::error::DuplicateKey;

/// Every type a value of a document has but arrays: the elements a unique index over each element covers. Written as a condition on
/// types, because an empty array has an entry of its own in the engine's index, and all empty arrays the same.
const SCALARS: [&str; 9] = [
    "null", "number", "string", "object", "binData", "objectId", "bool", "date", "symbol",
];

/// An index of the engine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Native {
    pub(crate) name: String,
    pub(crate) keys: Document,
    unique: bool,
    partial: Option<Document>,
}

/// What a refused write says it collided with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Duplicate {
    /// The keys of the index.
    Keys(Document),
    /// The name of the index.
    Named(String),
}

impl Native {
    /// The one that answers queries. The id behind the fields delivers ties in their order.
    pub(crate) fn ordered(index: &Index, name: &str) -> Self {
        let mut keys = ascending(index);
        keys.insert("_id", 1);
        // A compound sparse index leaves out documents that have none of the fields, which no condition on one field says.
        let partial = match index.fields.as_slice() {
            [field] if index.sparse => Some(doc! { path(field): { "$exists": true } }),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            keys,
            unique: false,
            partial,
        }
    }

    /// The one that keeps keys unique, over documents that have every field.
    pub(crate) fn unique(index: &Index, name: &str) -> Self {
        let condition = |field| {
            let types: Vec<Bson> = SCALARS.iter().map(|kind| Bson::from(*kind)).collect();
            let condition = if index.each {
                doc! { "$type": types }
            } else {
                doc! { "$exists": true }
            };
            (path(field), Bson::Document(condition))
        };
        Self {
            name: name.to_owned(),
            keys: ascending(index),
            unique: true,
            partial: Some(index.fields.iter().map(condition).collect()),
        }
    }

    /// Whether it is the same but for the name.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.keys == other.keys && self.unique == other.unique && self.partial == other.partial
    }

    /// As the driver creates it.
    pub(crate) fn model(&self) -> IndexModel {
        let options = IndexOptions::builder()
            .name(self.name.clone())
            .unique(self.unique.then_some(true))
            .partial_filter_expression(self.partial.clone())
            .build();
        IndexModel::builder()
            .keys(self.keys.clone())
            .options(options)
            .build()
    }
}

impl Duplicate {
    /// What the server says; `None` where it cannot be understood.
    pub(crate) fn of(error: &DuplicateKey, namespace: &str) -> Option<Self> {
        Self::keys(error.answer.as_ref())
            .map(Self::Keys)
            .or_else(|| Self::named(&error.message, namespace).map(Self::Named))
    }

    /// As an entry of `writeErrors` says it.
    pub(crate) fn of_entry(entry: &Document, namespace: &str) -> Option<Self> {
        if let Ok(keys) = entry.get_document("keyPattern") {
            return Some(Self::Keys(plain(keys)));
        }
        let message = entry.get_str("errmsg").ok()?;
        Self::named(message, namespace).map(Self::Named)
    }

    /// Whether it is the document's own id that is taken.
    pub(crate) fn is_id(&self) -> bool {
        match self {
            Self::Keys(keys) => keys.len() == 1 && keys.contains_key("_id"),
            Self::Named(name) => name == "_id_",
        }
    }

    fn keys(answer: Option<&RawDocumentBuf>) -> Option<Document> {
        let answer = Document::try_from(answer?).ok()?;
        let keys = answer.get_document("keyPattern").or_else(|_| {
            let errors = answer.get_array("writeErrors")?;
            match errors.first() {
                Some(Bson::Document(error)) => error.get_document("keyPattern"),
                _ => answer.get_document("keyPattern"),
            }
        });
        keys.ok().map(plain)
    }

    /// From `… collection: app.users index: by_email~1f… dup key: …`. Names of ours have no spaces.
    fn named(message: &str, namespace: &str) -> Option<String> {
        let before = format!(" collection: {namespace} index: ");
        let (_, rest) = message.split_once(&before)?;
        rest.split(' ').next().map(str::to_owned)
    }
}

/// Key patterns come back with numbers of any type.
fn plain(keys: &Document) -> Document {
    keys.keys().map(|key| (key.clone(), Bson::Int32(1))).collect()
}

fn ascending(index: &Index) -> Document {
    index
        .fields
        .iter()
        .map(|field| (path(field), Bson::Int32(1)))
        .collect()
}

/// 32 random bits: what makes the name of a native index its own, so that a late drop of an old one never meets a new one.
pub(super) fn token() -> String {
    Version::random().to_string()[..8].to_owned()
}

/// The name of the index that answers queries.
pub(super) fn ordered_name(index: &str, token: &str) -> String {
    format!("{}~{token}", plain_name(index))
}

/// The name of the index that keeps keys unique.
pub(super) fn unique_name(index: &str, token: &str) -> String {
    format!("{}~unique~{token}", plain_name(index))
}

/// Whether an index is called as this library calls those that keep keys unique.
pub(crate) fn is_ours(name: &str) -> bool {
    let token = name.rsplit_once("~unique~").map(|(_, token)| token);
    token.is_some_and(|token| {
        token.len() == 8
            && token
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Letters, digits, `_` and `-` as they are, everything else as `%` and two hexadecimal digits a byte.
fn plain_name(index: &str) -> String {
    let mut plain = String::with_capacity(index.len());
    for byte in index.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => plain.push(char::from(byte)),
            other => plain.push_str(&format!("%{other:02X}")),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_are_for_and_never_meet() {
        assert_eq!(ordered_name("by_age", "00000001"), "by_age~00000001");
        assert_eq!(
            unique_name("by age~unique", "00000001"),
            "by%20age%7Eunique~unique~00000001"
        );
        assert!(is_ours(&unique_name("x", &token())));
        for other in [
            ordered_name("x", &token()),
            "email_1".to_owned(),
            "x~unique~0000000g".to_owned(),
        ] {
            assert!(!is_ours(&other), "{other}");
        }
    }

    #[test]
    fn the_engine_is_asked_for_these_keys() {
        let index = Index::btree("x", ["b", r"a\.$"]).unique().sparse();
        let ordered = Native::ordered(&index, "x");
        assert_eq!(ordered.keys, doc! { "b": 1, "a%2E$": 1, "_id": 1 });
        assert_eq!(ordered.partial, None);
        let unique = Native::unique(&index, "x");
        assert_eq!(unique.keys, doc! { "b": 1, "a%2E$": 1 });
        assert_eq!(
            unique.partial,
            Some(doc! { "b": { "$exists": true }, "a%2E$": { "$exists": true } })
        );
        let sparse = Native::ordered(&Index::btree("x", ["b"]).sparse(), "x");
        assert_eq!(sparse.partial, Some(doc! { "b": { "$exists": true } }));
    }

    #[test]
    fn the_index_is_found_in_what_the_server_says() {
        let message = "E11000 duplicate key error collection: app.a index: b index: by_x~unique~00000001 dup key: { x: \" index: \" }";
        let error = |answer: Option<Document>| DuplicateKey {
            message: message.to_owned(),
            answer: answer.map(|answer| RawDocumentBuf::try_from(&answer).unwrap()),
        };
        assert_eq!(
            Duplicate::of(&error(None), "app.a index: b"),
            Some(Duplicate::Named("by_x~unique~00000001".to_owned()))
        );
        let command = doc! { "ok": 0, "keyPattern": { "x": 1.0 } };
        let write = doc! { "ok": 1, "writeErrors": [{ "index": 0, "keyPattern": { "_id": 1_i64 } }] };
        assert_eq!(
            Duplicate::of(&error(Some(command)), ""),
            Some(Duplicate::Keys(doc! { "x": 1 }))
        );
        assert!(Duplicate::of(&error(Some(write)), "").unwrap().is_id());
        assert_eq!(Duplicate::of(&error(None), "other"), None);
    }
}
