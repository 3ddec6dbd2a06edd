//! Documents as they are stored: the user's fields as they are, behind `_id` and `_storage` with version and expiry.
//!
//! ```text
//! { _id: "ada", _storage: { version: BinData(16 bytes), expires_at: Date }, name: "Ada", age: 36 }
//! ```
//!
//! A document without `_storage` was written by another program. It is as good as any; its version is derived from its content.

pub(crate) mod names;

use std::borrow::Cow;

use bson::oid::ObjectId;
use bson::raw::{CString, RawArrayBuf, RawBsonRef, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, RawArray, RawDocument, RawDocumentBuf};
use sha2::{Digest, Sha256};
use storage_core::value::{MAX_DEPTH, SYSTEM_FIELD, canonical};
use storage_core::{DocumentId, Error, ErrorKind, Result, StoredDocument, Timestamp, Version};

use self::names::{escape, is_escaped, unescape};

/// The path of the version.
pub(crate) const VERSION: &str = "_storage.version";
/// The path of the expiry.
pub(crate) const EXPIRES_AT: &str = "_storage.expires_at";
/// The path of what a guarded write changes in its guard.
pub(crate) const GUARDED: &str = "_storage.guarded";

/// The largest document a server stores, in bytes.
pub(crate) const MAX_STORED_BYTES: usize = 16 * 1024 * 1024;

/// A document as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) document: StoredDocument,
    /// The whole of a document that another program wrote.
    pub(crate) foreign: Option<RawDocumentBuf>,
}

impl Stored {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        is_live(self.document.expires_at, now)
    }
}

/// Whether what expires then is there now.
pub(crate) fn is_live(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|expires_at| expires_at > now)
}

/// A version as it is stored, unless it is none of this backend's.
pub(crate) fn version_value(version: &Version) -> Option<Bson> {
    let bytes = version.as_u128()?.to_be_bytes().to_vec();
    Some(Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes,
    }))
}

/// A point in time as it is stored.
pub(crate) fn time(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millis())
}

/// The stored form of a document.
///
/// # Errors
/// `LimitExceeded` where escaped names make it larger than the server takes.
pub(crate) fn encode(
    id: &DocumentId,
    version: &Version,
    expires_at: Option<Timestamp>,
    body: &RawDocument,
) -> Result<RawDocumentBuf> {
    let mut head = RawDocumentBuf::new();
    head.append(cstr!("_id"), id.as_str());
    let mut system = RawDocumentBuf::new();
    // Every version this backend makes is 128 bits.
    let bits = version.as_u128().unwrap_or_default();
    let version = Binary {
        subtype: BinarySubtype::Generic,
        bytes: bits.to_be_bytes().to_vec(),
    };
    system.append(cstr!("version"), version);
    if let Some(expires_at) = expires_at {
        system.append(cstr!("expires_at"), time(expires_at));
    }
    head.append(cstr!("_storage"), system);
    let body = stored_fields(body)?;
    let stored = joined(&head, &body)?;
    if stored.as_bytes().len() > MAX_STORED_BYTES {
        return Err(Error::limit_exceeded(
            "the size of the stored document in bytes",
            MAX_STORED_BYTES as u64,
            stored.as_bytes().len() as u64,
        ));
    }
    Ok(stored)
}

/// One document with the fields of two.
fn joined(head: &RawDocument, tail: &RawDocument) -> Result<RawDocumentBuf> {
    let (head, tail) = (head.as_bytes(), tail.as_bytes());
    // Both have four bytes of length and a final zero; the result has them once.
    let length = head.len() + tail.len() - 5;
    let Ok(declared) = i32::try_from(length) else {
        return Err(Error::limit_exceeded(
            "the size of the stored document in bytes",
            MAX_STORED_BYTES as u64,
            length as u64,
        ));
    };
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&declared.to_le_bytes());
    bytes.extend_from_slice(&head[4..head.len() - 1]);
    bytes.extend_from_slice(&tail[4..]);
    RawDocumentBuf::from_bytes(bytes).map_err(internal)
}

/// The user's fields under the names they are stored by; the same bytes where no name needs another.
pub(crate) fn stored_fields(body: &RawDocument) -> Result<Cow<'_, RawDocument>> {
    if any_name(RawBsonRef::Document(body), is_escaped, 0)? {
        rename(body, &escape).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(body))
    }
}

/// A document as it is stored, read.
///
/// # Errors
/// `Corrupt` naming the document when it is none of this contract's.
pub(crate) fn decode(stored: &RawDocument) -> Result<Stored> {
    let mut id = None;
    let mut system = None;
    let mut fields = RawDocumentBuf::new();
    let mut plain = Vec::new();
    for element in stored.iter_elements() {
        let element = element.map_err(|error| broken(&name_of(stored), error))?;
        match element.key().as_str() {
            "_id" if id.is_none() => id = Some(element),
            SYSTEM_FIELD if system.is_none() => system = Some(element),
            _ => plain.push(element),
        }
    }
    let name = name_of(stored);
    let id = match id.map(|element| element.value()) {
        Some(Ok(RawBsonRef::String(id))) => DocumentId::new(id)
            .map_err(|error| Error::corrupt(&*name, "its _id is no document id").with_source(error))?,
        _ => {
            return Err(Error::corrupt(
                name,
                "its _id is not a string, as a document's must be",
            ));
        }
    };
    for element in plain {
        let value = element.value().map_err(|error| broken(&name, error))?;
        fields.append(element.key(), value);
    }
    let (version, expires_at, foreign) = match system.map(|element| element.value()) {
        None => (content_version(stored), None, Some(stored.to_owned())),
        Some(Ok(RawBsonRef::Document(system))) => {
            let (version, expires_at) = read_system(system, &name)?;
            (version, expires_at, None)
        }
        Some(_) => return Err(malformed_system(&name)),
    };
    let body = user_fields(fields, &name)?;
    Ok(Stored {
        document: StoredDocument {
            id,
            version,
            expires_at,
            body,
        },
        foreign,
    })
}

/// The user's fields by their own names, checked: another program may have stored anything.
fn user_fields(stored: RawDocumentBuf, name: &str) -> Result<RawDocumentBuf> {
    let unreadable = |error: Error| {
        let message = format!(
            "what is stored is not a document of this library: {}",
            error.message()
        );
        Error::corrupt(name, message).with_source(error)
    };
    let escaped = stored.as_bytes().contains(&b'%')
        && any_name(RawBsonRef::Document(&stored), |name| name.contains('%'), 0).map_err(unreadable)?;
    let fields = if escaped {
        rename(&stored, &unescape).map_err(unreadable)?
    } else {
        stored
    };
    canonical(fields).map_err(unreadable)
}

fn read_system(system: &RawDocument, name: &str) -> Result<(Version, Option<Timestamp>)> {
    let version = match system.get("version") {
        Ok(Some(RawBsonRef::Binary(binary))) if binary.subtype == BinarySubtype::Generic => {
            binary.bytes.try_into().map(u128::from_be_bytes)
        }
        _ => return Err(malformed_system(name)),
    };
    let version = version.map_err(|_| malformed_system(name))?;
    let expires_at = match system.get("expires_at") {
        Ok(None) => None,
        Ok(Some(RawBsonRef::DateTime(at))) => Some(Timestamp::from_millis(at.timestamp_millis())),
        _ => return Err(malformed_system(name)),
    };
    Ok((Version::from_u128(version), expires_at))
}

/// The first 128 bits of a hash over the whole document.
fn content_version(stored: &RawDocument) -> Version {
    let digest: [u8; 32] = Sha256::digest(stored.as_bytes()).into();
    let mut bits = [0; 16];
    bits.copy_from_slice(&digest[..16]);
    Version::from_u128(u128::from_be_bytes(bits))
}

/// What an error calls a document: its id, or the value that stands in its place.
pub(crate) fn name_of(stored: &RawDocument) -> String {
    match stored.get("_id") {
        Ok(Some(RawBsonRef::String(id))) => id.to_owned(),
        Ok(Some(RawBsonRef::ObjectId(id))) => object_id(id),
        Ok(Some(value)) => {
            Bson::try_from(value).map_or_else(|_| "of unknown id".to_owned(), |value| value.to_string())
        }
        _ => "of unknown id".to_owned(),
    }
}

fn object_id(id: ObjectId) -> String {
    format!("ObjectId({:?})", id.to_hex())
}

fn malformed_system(name: &str) -> Error {
    Error::corrupt(
        name,
        "its field _storage is not what this library writes there; remove the field, and the document is readable again",
    )
}

fn broken(name: &str, error: bson::error::Error) -> Error {
    Error::corrupt(name, "what is stored is not well-formed BSON").with_source(error)
}

fn internal(error: bson::error::Error) -> Error {
    Error::new(ErrorKind::Internal, "wrote a document that is not BSON").with_source(error)
}

/// Whether a name at any depth is of this sort. What is nested deeper than a document may be is not looked at.
fn any_name(value: RawBsonRef<'_>, sort: fn(&str) -> bool, depth: usize) -> Result<bool> {
    if depth > MAX_DEPTH {
        return Ok(false);
    }
    match value {
        RawBsonRef::Document(document) => {
            for field in document {
                let (name, value) = field.map_err(storage_core::malformed)?;
                if sort(name.as_str()) || any_name(value, sort, depth + 1)? {
                    return Ok(true);
                }
            }
        }
        RawBsonRef::Array(array) => {
            for element in array {
                if any_name(element.map_err(storage_core::malformed)?, sort, depth + 1)? {
                    return Ok(true);
                }
            }
        }
        _ => {}
    }
    Ok(false)
}

type Renaming<'a> = &'a dyn Fn(&str) -> Cow<'_, str>;

fn rename(document: &RawDocument, to: Renaming<'_>) -> Result<RawDocumentBuf> {
    rename_document(document, to, 0)
}

fn rename_document(document: &RawDocument, to: Renaming<'_>, depth: usize) -> Result<RawDocumentBuf> {
    let mut renamed = RawDocumentBuf::new();
    for field in document {
        let (name, value) = field.map_err(storage_core::malformed)?;
        let name = CString::try_from(to(name.as_str()).into_owned()).map_err(internal)?;
        match value {
            RawBsonRef::Document(inner) if depth < MAX_DEPTH => {
                renamed.append(name, rename_document(inner, to, depth + 1)?);
            }
            RawBsonRef::Array(inner) if depth < MAX_DEPTH => {
                renamed.append(name, rename_array(inner, to, depth + 1)?)
            }
            other => renamed.append(name, other),
        }
    }
    Ok(renamed)
}

fn rename_array(array: &RawArray, to: Renaming<'_>, depth: usize) -> Result<RawArrayBuf> {
    let mut renamed = RawArrayBuf::new();
    for element in array {
        match element.map_err(storage_core::malformed)? {
            RawBsonRef::Document(inner) if depth < MAX_DEPTH => {
                renamed.push(rename_document(inner, to, depth + 1)?)
            }
            RawBsonRef::Array(inner) if depth < MAX_DEPTH => {
                renamed.push(rename_array(inner, to, depth + 1)?)
            }
            other => renamed.push(other),
        }
    }
    Ok(renamed)
}

#[cfg(test)]
mod tests;
