//! Where a page ended: [`Position`] between adapters and [`Storage`](crate::Storage), [`PageToken`] for users.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bson::{Bson, RawBsonRef, RawDocument, RawDocumentBuf};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Direction, Filter, Sort};
use crate::error::{Error, Result};
use crate::name::DocumentId;
use crate::raw::encode_bson;
use crate::value::{canonical, encode_to_vec};

/// A place in the order of a query: the last document of a page.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct Position {
    /// Its values of the sort fields; null where it has none.
    pub values: Vec<Bson>,
    /// Its id.
    pub id: DocumentId,
}

impl Position {
    /// The place of a document in an order.
    ///
    /// # Errors
    /// `Corrupt` when the document is not well-formed.
    pub fn of(document: &RawDocument, id: &DocumentId, sort: &[Sort]) -> Result<Self> {
        let mut values = Vec::with_capacity(sort.len());
        for sort in sort {
            values.push(match sort.field.lookup(document)? {
                Some(value) => Bson::try_from(value).map_err(crate::raw::malformed)?,
                None => Bson::Null,
            });
        }
        Ok(Self {
            values,
            id: id.clone(),
        })
    }

    /// Bytes that order as places do.
    pub fn sort_key(&self, sort: &[Sort]) -> Vec<u8> {
        let mut key = Vec::new();
        for (value, sort) in self.values.iter().zip(sort) {
            push_directed(encode_bson(value), sort.direction, &mut key);
        }
        key.extend_from_slice(self.id.as_str().as_bytes());
        key
    }
}

/// Bytes that order documents as `sort` does, ties by id.
///
/// # Errors
/// `Corrupt` when the document is not well-formed.
pub fn sort_key(document: &RawDocument, id: &DocumentId, sort: &[Sort]) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    for sort in sort {
        let encoded = encode_to_vec(sort.field.lookup(document)?);
        push_directed(encoded, sort.direction, &mut key);
    }
    key.extend_from_slice(id.as_str().as_bytes());
    Ok(key)
}

/// No encoding is a prefix of another, so its complement orders exactly the other way round.
fn push_directed(encoded: Vec<u8>, direction: Direction, key: &mut Vec<u8>) {
    match direction {
        Direction::Ascending => key.extend_from_slice(&encoded),
        Direction::Descending => key.extend(encoded.iter().map(|byte| !byte)),
    }
}

/// Where a page of a query ended, as text. It belongs to that query: with another one it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(String);

#[derive(Serialize)]
struct Contents {
    query: bson::Binary,
    values: Vec<Bson>,
    id: String,
}

impl PageToken {
    /// The token of a position in a query.
    pub(crate) fn new(position: &Position, collection: &str, filter: &Filter, sort: &[Sort]) -> Result<Self> {
        let contents = Contents {
            query: bson::Binary {
                subtype: bson::spec::BinarySubtype::Generic,
                bytes: fingerprint(collection, filter, sort),
            },
            values: position.values.clone(),
            id: position.id.as_str().to_owned(),
        };
        let bytes = bson::serialize_to_vec(&contents).map_err(|error| {
            Error::new(crate::ErrorKind::Internal, "a page token cannot be written").with_source(error)
        })?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The position, if the token belongs to this query.
    pub(crate) fn position(&self, collection: &str, filter: &Filter, sort: &[Sort]) -> Result<Position> {
        let forged = || Error::invalid_argument("this page token is not one of this library's");
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| forged())?;
        // Read level by level with depth checked first: deserializing what a stranger nested would overflow the stack.
        let contents = RawDocumentBuf::from_bytes(bytes).map_err(|_| forged())?;
        let query = contents.get_binary("query").map_err(|_| forged())?;
        if query.bytes != fingerprint(collection, filter, sort) {
            return Err(Error::invalid_argument(
                "this page token belongs to another query; use it with the query it came from",
            ));
        }
        let mut values = Vec::with_capacity(sort.len());
        for value in contents.get_array("values").map_err(|_| forged())? {
            values.push(checked_value(value.map_err(|_| forged())?).ok_or_else(forged)?);
        }
        if values.len() != sort.len() {
            return Err(forged());
        }
        let id = contents.get_str("id").map_err(|_| forged())?;
        Ok(Position {
            values,
            id: DocumentId::new(id).map_err(|_| forged())?,
        })
    }
}

/// A value as deep as one in a document may be, in canonical form; `None` for anything else.
fn checked_value(value: RawBsonRef<'_>) -> Option<Bson> {
    let mut holder = RawDocumentBuf::new();
    holder.append(bson::raw::cstr!("value"), value);
    let holder = canonical(holder).ok()?;
    Bson::try_from(holder.get("value").ok()??).ok()
}

/// Tells queries apart: the first 128 bits of a hash over collection, filter and order.
fn fingerprint(collection: &str, filter: &Filter, sort: &[Sort]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_text(collection, &mut bytes);
    describe(filter, &mut bytes);
    for sort in sort {
        push_text(
            if sort.direction == Direction::Ascending {
                "+"
            } else {
                "-"
            },
            &mut bytes,
        );
        push_text(&sort.field.to_string(), &mut bytes);
    }
    Sha256::digest(&bytes)[..16].to_vec()
}

fn describe(filter: &Filter, out: &mut Vec<u8>) {
    let mut leaf = |tag: &str, field: &dyn fmt::Display, values: &[Bson]| {
        push_text(tag, out);
        push_text(&field.to_string(), out);
        out.extend_from_slice(&values.len().to_be_bytes());
        for value in values {
            out.extend_from_slice(&encode_bson(value));
        }
    };
    match filter {
        Filter::All => push_text("all", out),
        Filter::And(filters) | Filter::Or(filters) => {
            push_text(
                if matches!(filter, Filter::And(_)) {
                    "and"
                } else {
                    "or"
                },
                out,
            );
            out.extend_from_slice(&filters.len().to_be_bytes());
            for filter in filters {
                describe(filter, out);
            }
        }
        Filter::Not(filter) => {
            push_text("not", out);
            describe(filter, out);
        }
        Filter::Compare {
            field,
            comparison,
            value,
        } => {
            leaf(&format!("{comparison:?}"), field, std::slice::from_ref(value));
        }
        Filter::In { field, values } => leaf("in", field, values),
        Filter::NotIn { field, values } => leaf("not-in", field, values),
        Filter::Prefix { field, prefix } => leaf("prefix", field, &[Bson::String(prefix.clone())]),
        Filter::Exists { field, exists } => leaf("exists", field, &[Bson::Boolean(*exists)]),
    }
}

fn push_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&text.len().to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PageToken {
    type Err = Error;

    /// Takes any text; whether it is a token of the query shows when it is used.
    fn from_str(text: &str) -> Result<Self> {
        Ok(Self(text.to_owned()))
    }
}
