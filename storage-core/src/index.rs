//! [`Index`]: what an index is, and which keys a document has in it.

use bson::RawDocument;
use bson::raw::RawBsonRef;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::name::Name;
use crate::value::FieldPath;
use crate::value::encode;

/// The definition of an index over one collection.
///
/// ```
/// use storage_core::Index;
/// let by_age = Index::btree("by_age", ["age"]);
/// let by_email = Index::hash("by_email", ["contact.email"]).unique();
/// let by_tag = Index::btree("by_tag", ["tags"]).each();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Index {
    /// Its name within the collection.
    pub name: String,
    /// The fields, most significant first.
    pub fields: Vec<FieldPath>,
    /// Which questions it answers.
    pub kind: IndexKind,
    /// No two documents that have every field may have equal keys.
    #[serde(default)]
    pub unique: bool,
    /// Documents that have none of the fields are left out.
    #[serde(default)]
    pub sparse: bool,
    /// The one field may be an array and has one entry for each distinct element: answers `eq` and `in`, never an order.
    #[serde(default)]
    pub each: bool,
}

/// Which questions an index answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "every backend must serve every kind")]
pub enum IndexKind {
    /// Ordered: equality, ranges, prefixes and order.
    Btree,
    /// Equality of all its fields. Its values may be of any length.
    Hash,
}

/// The keys of one document in one index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IndexKeys {
    /// In core's order-preserving encoding, for a hash index its SHA-256; distinct, in order.
    pub keys: Vec<Vec<u8>>,
    /// Whether the document has every field, so that a unique index covers it.
    pub complete: bool,
}

impl Index {
    /// An ordered index.
    pub fn btree<P: Into<FieldPath>>(name: impl Into<String>, fields: impl IntoIterator<Item = P>) -> Self {
        Self::new(IndexKind::Btree, name.into(), fields)
    }

    /// An index for equality only.
    pub fn hash<P: Into<FieldPath>>(name: impl Into<String>, fields: impl IntoIterator<Item = P>) -> Self {
        Self::new(IndexKind::Hash, name.into(), fields)
    }

    fn new<P: Into<FieldPath>>(kind: IndexKind, name: String, fields: impl IntoIterator<Item = P>) -> Self {
        let fields = fields.into_iter().map(Into::into).collect();
        Self {
            name,
            fields,
            kind,
            unique: false,
            sparse: false,
            each: false,
        }
    }

    /// No two documents that have every field may have equal keys.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Documents that have none of the fields are left out.
    #[must_use]
    pub const fn sparse(mut self) -> Self {
        self.sparse = true;
        self
    }

    /// One entry for each element of the one field.
    #[must_use]
    pub const fn each(mut self) -> Self {
        self.each = true;
        self
    }

    /// Whether the definition makes sense.
    ///
    /// # Errors
    /// `InvalidName` for the name; `InvalidArgument` for no fields, a field twice, more than 16 fields, or `each` with several.
    pub fn check(&self) -> Result<()> {
        Name::new(&self.name)?;
        let problem = if self.fields.is_empty() {
            "needs at least one field"
        } else if self.fields.len() > 16 {
            // MongoDB takes 32; half of that keeps compound keys within the shortest key limit.
            "has more than 16 fields"
        } else if self
            .fields
            .iter()
            .enumerate()
            .any(|(at, field)| self.fields[..at].contains(field))
        {
            "names a field twice"
        } else if self.each && self.fields.len() > 1 {
            "is over each element, so it takes exactly one field"
        } else {
            return Ok(());
        };
        Err(Error::invalid_argument(format!(
            "index {:?} {problem}",
            self.name
        )))
    }

    /// The keys of a document.
    ///
    /// # Errors
    /// `InvalidArgument` when a field is an array and the index is not [`each`](Self::each), and when an array stands on the way to
    /// a field; `LimitExceeded` when a key of a B-tree index is longer than `max_key_bytes`. All name the field.
    pub fn keys(&self, document: &RawDocument, max_key_bytes: u64) -> Result<IndexKeys> {
        let mut values = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let value = field.lookup(document)?;
            if value.is_none() && field.meets_array(document)? {
                return Err(Error::invalid_argument(format!(
                    "an array stands on the way to field {field} of index {:?}; an index reaches into documents only",
                    self.name
                ))
                .with_context("index", &self.name));
            }
            values.push(value);
        }
        let complete = values.iter().all(Option::is_some);
        if self.sparse && values.iter().all(Option::is_none) {
            return Ok(IndexKeys {
                keys: Vec::new(),
                complete,
            });
        }
        let mut keys = Vec::with_capacity(1);
        if let (true, [Some(RawBsonRef::Array(elements))]) = (self.each, values.as_slice()) {
            for element in *elements {
                let element = element.map_err(crate::raw::malformed)?;
                keys.push(self.key([Some(element)], max_key_bytes)?);
            }
            keys.sort_unstable();
            keys.dedup();
        } else {
            if !self.each
                && let Some(at) = values
                    .iter()
                    .position(|value| matches!(value, Some(RawBsonRef::Array(_))))
            {
                return Err(Error::invalid_argument(format!(
                    "field {} is an array, and index {:?} takes single values; declare the index with each()",
                    self.fields[at], self.name
                ))
                .with_context("index", &self.name));
            }
            keys.push(self.key(values, max_key_bytes)?);
        }
        Ok(IndexKeys { keys, complete })
    }

    fn key<'a>(
        &self,
        values: impl IntoIterator<Item = Option<RawBsonRef<'a>>>,
        max_key_bytes: u64,
    ) -> Result<Vec<u8>> {
        let mut key = Vec::new();
        for value in values {
            encode(value, &mut key);
        }
        match self.kind {
            IndexKind::Hash => Ok(hash_key(&key)),
            IndexKind::Btree if key.len() as u64 > max_key_bytes => {
                let fields: Vec<_> = self.fields.iter().map(ToString::to_string).collect();
                Err(
                    Error::limit_exceeded("the index key in bytes", max_key_bytes, key.len() as u64)
                        .with_context("index", &self.name)
                        .with_context("fields", fields.join(", ")),
                )
            }
            IndexKind::Btree => Ok(key),
        }
    }
}

/// The key of a hash index for this encoded value.
pub(crate) fn hash_key(encoded: &[u8]) -> Vec<u8> {
    Sha256::digest(encoded).to_vec()
}

/// An index and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct IndexInfo {
    /// The definition.
    pub index: Index,
    /// Whether it answers queries yet.
    pub ready: bool,
}

/// Figures about an index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct IndexStats {
    /// Distinct keys.
    pub unique_keys: u64,
    /// Entries over all keys.
    pub total_entries: u64,
}

impl IndexStats {
    /// Entries per key; 0 for an empty index.
    #[allow(clippy::cast_precision_loss, reason = "a statistic")]
    pub fn average_entries_per_key(&self) -> f64 {
        if self.unique_keys == 0 {
            0.0
        } else {
            self.total_entries as f64 / self.unique_keys as f64
        }
    }
}
