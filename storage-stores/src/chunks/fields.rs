//! Reading the fields of a stored document, each by its name.

use bytes::Bytes;
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{Binary, Bson, Document};
use storage_core::{Error, Result, Timestamp};

/// A stored document, and how errors name it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    document: &'a Document,
    entry: &'a str,
}

impl<'a> Fields<'a> {
    pub(super) const fn of(document: &'a Document, entry: &'a str) -> Self {
        Self { document, entry }
    }

    pub(super) fn text(self, name: &str) -> Result<String> {
        match self.document.get(name) {
            Some(Bson::String(text)) => Ok(text.clone()),
            _ => Err(self.wrong(name, "is not a string")),
        }
    }

    /// A whole number that is not negative; a float without a fraction is one too, because JavaScript does not tell them apart.
    pub(super) fn number(self, name: &str) -> Result<u64> {
        let number = match self.document.get(name) {
            Some(Bson::Int32(number)) => u64::try_from(*number).ok(),
            Some(Bson::Int64(number)) => u64::try_from(*number).ok(),
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it has no fraction, is not negative and is exact up to 2^53"
            )]
            Some(Bson::Double(float)) if float.trunc() == *float && (0.0..=9e15).contains(float) => {
                Some(*float as u64)
            }
            _ => None,
        };
        number.ok_or_else(|| self.wrong(name, "is not a whole number"))
    }

    pub(super) fn index(self, name: &str) -> Result<u32> {
        u32::try_from(self.number(name)?).map_err(|_| self.wrong(name, "is too large"))
    }

    pub(super) fn time(self, name: &str) -> Result<Timestamp> {
        let millis = i64::try_from(self.number(name)?).unwrap_or(i64::MAX);
        Ok(Timestamp::from_millis(millis))
    }

    pub(super) fn flag(self, name: &str) -> Result<bool> {
        match self.document.get(name) {
            Some(Bson::Boolean(flag)) => Ok(*flag),
            _ => Err(self.wrong(name, "is not a boolean")),
        }
    }

    pub(super) fn bytes(self, name: &str) -> Result<Bytes> {
        match self.document.get(name) {
            Some(Bson::Binary(binary)) => Ok(Bytes::copy_from_slice(&binary.bytes)),
            _ => Err(self.wrong(name, "is not binary")),
        }
    }

    pub(super) fn hash(self, name: &str) -> Result<[u8; 32]> {
        let bytes = self.bytes(name)?;
        bytes
            .as_ref()
            .try_into()
            .map_err(|_| self.wrong(name, "is not a hash of 32 bytes"))
    }

    pub(super) fn document(self, name: &str) -> Result<Document> {
        match self.document.get(name) {
            Some(Bson::Document(document)) => Ok(document.clone()),
            _ => Err(self.wrong(name, "is not an object")),
        }
    }

    /// The objects of an array; none where there is no such field.
    pub(super) fn documents(self, name: &str) -> Result<Vec<&'a Document>> {
        let elements = match self.document.get(name) {
            None => return Ok(Vec::new()),
            Some(Bson::Array(elements)) => elements,
            Some(_) => return Err(self.wrong(name, "is not an array")),
        };
        elements
            .iter()
            .map(|element| {
                element
                    .as_document()
                    .ok_or_else(|| self.wrong(name, "holds something that is not an object"))
            })
            .collect()
    }

    /// The value of a field that may be missing or null.
    pub(super) fn optional<T>(self, name: &str, read: impl Fn(Self, &str) -> Result<T>) -> Result<Option<T>> {
        match self.document.get(name) {
            None | Some(Bson::Null) => Ok(None),
            Some(_) => read(self, name).map(Some),
        }
    }

    pub(super) fn wrong(self, name: &str, problem: &str) -> Error {
        Error::corrupt(self.entry, format!("field {name} {problem}"))
    }
}

pub(super) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

/// A count of bytes; what does not fit is more than any medium holds.
pub(super) fn number(number: u64) -> Bson {
    Bson::Int64(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) const fn millis(time: Timestamp) -> Bson {
    Bson::Int64(time.as_millis())
}
