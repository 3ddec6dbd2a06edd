//! [`Fields`]: which fields of sealed documents can be searched for, and what of them shows.

use std::collections::HashMap;

use storage_core::bson::raw::RawBsonRef;
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{Binary, Bson, Document, RawDocument};
use storage_core::value::FieldPath;
use storage_core::{Error, Name, Result, malformed};

use crate::encryption::Key;

/// Where the sealed body of a document is.
pub(super) const SEALED: &str = "_sealed";

/// Where the keyed hashes of fields are.
pub(super) const BLIND: &str = "_blind";

/// The fields of a collection that can be searched for although its documents are sealed.
///
/// A **plain** field stands beside the sealed body as it is: every query and index works, and whoever sees the medium reads it.
///
/// A **blind** field stands there as a keyed hash of 128 bits: `eq` and `in`, and indexes for them, unique ones included. Whoever sees
/// the medium learns which documents have equal values in it and how often, and which of them a query asks for; where the values are few and
/// their frequencies known (countries, yes and no), that is as good as reading them. Hashes differ between collections and fields.
///
/// Neither can be changed on the medium without the document becoming `Corrupt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fields {
    plain: Vec<FieldPath>,
    blind: Vec<FieldPath>,
}

impl Fields {
    /// None: documents can be found by id alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A field that stays readable.
    #[must_use]
    pub fn plain(mut self, field: impl Into<FieldPath>) -> Self {
        self.plain.push(field.into());
        self
    }

    /// A field that shows as a keyed hash.
    #[must_use]
    pub fn blind(mut self, field: impl Into<FieldPath>) -> Self {
        self.blind.push(field.into());
        self
    }

    const fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.blind.is_empty()
    }

    /// Refuses what would get into each other's way.
    fn check(&self) -> Result<()> {
        for (at, field) in self.plain.iter().enumerate() {
            if matches!(field.segments()[0].as_str(), SEALED | BLIND) {
                return Err(Error::invalid_argument(format!(
                    "field {field} cannot stay plain: its name is the layer's own"
                )));
            }
            if overlaps(field, &self.plain[..at]) {
                return Err(Error::invalid_argument(format!(
                    "field {field} lies within another plain field"
                )));
            }
        }
        for (at, field) in self.blind.iter().enumerate() {
            if overlaps(field, &self.blind[..at]) {
                return Err(Error::invalid_argument(format!(
                    "field {field} lies within another blind field"
                )));
            }
            if self.plain.contains(field) {
                return Err(Error::invalid_argument(format!(
                    "field {field} is both plain and blind"
                )));
            }
        }
        Ok(())
    }
}

fn overlaps(field: &FieldPath, others: &[FieldPath]) -> bool {
    others.iter().any(|other| {
        let (one, two) = (field.segments(), other.segments());
        one.starts_with(two) || two.starts_with(one)
    })
}

/// How a field can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// As it is.
    Plain,
    /// By its hash.
    Blind,
    /// Not at all.
    Sealed,
}

/// The declared fields of every collection.
#[derive(Debug, Default)]
pub(super) struct Declared {
    collections: HashMap<String, Fields>,
    others: Fields,
}

impl Declared {
    pub(super) fn new(collections: HashMap<String, Fields>, others: Fields) -> Result<Self> {
        others.check()?;
        collections.values().try_for_each(Fields::check)?;
        Ok(Self { collections, others })
    }

    /// Whether any field of any collection can be searched for.
    pub(super) fn any(&self) -> bool {
        !self.others.is_empty() || self.collections.values().any(|fields| !fields.is_empty())
    }

    fn of(&self, collection: &Name) -> &Fields {
        self.collections.get(collection.as_str()).unwrap_or(&self.others)
    }

    /// How this field can be searched for.
    pub(super) fn search(&self, collection: &Name, field: &FieldPath) -> Search {
        let fields = self.of(collection);
        let within = |declared: &FieldPath| field.segments().starts_with(declared.segments());
        if fields.plain.iter().any(within) {
            Search::Plain
        } else if fields.blind.contains(field) {
            Search::Blind
        } else {
            Search::Sealed
        }
    }

    /// What of a document stands beside its sealed body.
    pub(super) fn shown(&self, collection: &Name, body: &RawDocument, key: &Key) -> Result<Document> {
        let fields = self.of(collection);
        let mut shown = Document::new();
        for field in &fields.plain {
            if let Some(value) = reached(field, body)? {
                insert(&mut shown, field.segments(), value);
            }
        }
        let mut hashes = Document::new();
        for field in &fields.blind {
            if let Some(value) = reached(field, body)? {
                insert(
                    &mut hashes,
                    field.segments(),
                    hashed(collection, field, &value, key),
                );
            }
        }
        if !hashes.is_empty() {
            shown.insert(BLIND, hashes);
        }
        Ok(shown)
    }
}

/// The value at the end of the path; an empty array where an array stands on the way, so that an index refuses it as it would.
fn reached(field: &FieldPath, body: &RawDocument) -> Result<Option<Bson>> {
    if let Some(value) = field.lookup(body)? {
        return Bson::try_from(value).map(Some).map_err(malformed);
    }
    for length in 1..field.segments().len() {
        let way = FieldPath::new(field.segments()[..length].to_vec())?;
        if let Some(RawBsonRef::Array(_)) = way.lookup(body)? {
            return Ok(Some(Bson::Array(Vec::new())));
        }
    }
    Ok(None)
}

/// The hash of a value, of each element where it is an array, as an index has an entry for each.
fn hashed(collection: &Name, field: &FieldPath, value: &Bson, key: &Key) -> Bson {
    match value {
        Bson::Array(elements) => Bson::Array(
            elements
                .iter()
                .map(|element| hash(collection, field, element, key))
                .collect(),
        ),
        value => hash(collection, field, value, key),
    }
}

/// The hash of one value. Values that are equal have equal encodings, so `1` and `1.0` one hash.
pub(super) fn hash(collection: &Name, field: &FieldPath, value: &Bson, key: &Key) -> Bson {
    let encoded = storage_core::encode_bson(value);
    let hash = key.blind(&[
        collection.as_str().as_bytes(),
        field.to_string().as_bytes(),
        &encoded,
    ]);
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: hash.to_vec(),
    })
}

fn insert(document: &mut Document, path: &[String], value: Bson) {
    match path {
        [] => {}
        [last] => {
            document.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = document
                .entry(first.clone())
                .or_insert_with(|| Bson::Document(Document::new()));
            if let Bson::Document(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The path of a blind field's hash.
pub(super) fn blind_path(field: &FieldPath) -> Result<FieldPath> {
    FieldPath::new(std::iter::once(BLIND.to_owned()).chain(field.segments().iter().cloned()))
}

/// The field whose hash this path leads to, or the path itself.
pub(super) fn own_path(path: &FieldPath) -> FieldPath {
    match path.segments() {
        [first, rest @ ..] if first == BLIND => {
            FieldPath::new(rest.to_vec()).unwrap_or_else(|_| path.clone())
        }
        _ => path.clone(),
    }
}
