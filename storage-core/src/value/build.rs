//! [`Builder`]: BSON written front to back into one buffer, without a copy per nested document.

use bson::spec::{BinarySubtype, ElementType};
use bson::{RawBinaryRef, RawBsonRef, RawDocumentBuf};

use crate::error::{Error, ErrorKind, Result};

/// A document in the making. Open it, fill in fields, close it; nested documents and arrays likewise, inside a field.
#[derive(Debug)]
pub(super) struct Builder {
    bytes: Vec<u8>,
}

/// A document or array that was opened: where its length goes.
#[derive(Debug)]
pub(super) struct Open(usize);

/// A field whose name is written and whose value is next: where its type goes.
#[derive(Debug)]
pub(super) struct Field(usize);

impl Builder {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(super) fn open(&mut self) -> Open {
        let open = Open(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        open
    }

    pub(super) fn close(&mut self, open: &Open) -> Result<()> {
        self.bytes.push(0);
        let length = bson_length(self.bytes.len() - open.0)?;
        self.bytes[open.0..open.0 + 4].copy_from_slice(&length);
        Ok(())
    }

    /// Begins a field. The name must not contain NUL.
    pub(super) fn field(&mut self, name: &str) -> Field {
        let field = Field(self.bytes.len());
        self.bytes.push(0);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        field
    }

    /// Begins the element of an array at `index`.
    pub(super) fn element(&mut self, index: usize) -> Field {
        let mut digits = [0; 20];
        let mut from = digits.len();
        let mut rest = index;
        loop {
            from -= 1;
            digits[from] = b"0123456789"[rest % 10];
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let field = Field(self.bytes.len());
        self.bytes.push(0);
        self.bytes.extend_from_slice(&digits[from..]);
        self.bytes.push(0);
        field
    }

    /// Says that the field holds the document that is opened next.
    pub(super) fn set_document(&mut self, field: &Field) {
        self.set_type(field, ElementType::EmbeddedDocument);
    }

    /// Says that the field holds the array that is opened next.
    pub(super) fn set_array(&mut self, field: &Field) {
        self.set_type(field, ElementType::Array);
    }

    /// Gives the field a value. Integers become 64 bits wide and every NaN the same one; containers and all the rest are taken as they
    /// cannot be here.
    pub(super) fn set(&mut self, field: &Field, value: RawBsonRef<'_>) -> Result<()> {
        let kind = match value {
            RawBsonRef::Int32(_) => ElementType::Int64,
            value => value.element_type(),
        };
        match value {
            RawBsonRef::Null => {}
            RawBsonRef::Boolean(boolean) => self.bytes.push(boolean.into()),
            RawBsonRef::Int32(integer) => self.bytes.extend_from_slice(&i64::from(integer).to_le_bytes()),
            RawBsonRef::Int64(integer) => self.bytes.extend_from_slice(&integer.to_le_bytes()),
            RawBsonRef::Double(float) => self
                .bytes
                .extend_from_slice(&canonical_float(float).to_le_bytes()),
            RawBsonRef::String(text) => {
                self.bytes.extend_from_slice(&bson_length(text.len() + 1)?);
                self.bytes.extend_from_slice(text.as_bytes());
                self.bytes.push(0);
            }
            RawBsonRef::DateTime(time) => {
                self.bytes
                    .extend_from_slice(&time.timestamp_millis().to_le_bytes());
            }
            RawBsonRef::ObjectId(id) => self.bytes.extend_from_slice(&id.bytes()),
            RawBsonRef::Binary(binary) => self.binary(binary)?,
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("{kind:?} is not a plain BSON value"),
                ));
            }
        }
        self.set_type(field, kind);
        Ok(())
    }

    /// The finished document.
    pub(super) fn finish(self) -> Result<RawDocumentBuf> {
        RawDocumentBuf::from_bytes(self.bytes).map_err(|error| {
            Error::new(ErrorKind::Internal, "wrote a document that is not BSON").with_source(error)
        })
    }

    fn set_type(&mut self, field: &Field, kind: ElementType) {
        self.bytes[field.0] = kind as u8;
    }

    fn binary(&mut self, binary: RawBinaryRef<'_>) -> Result<()> {
        // The old subtype repeats its length inside; the reference hides that.
        let inner = match binary.subtype {
            BinarySubtype::BinaryOld => Some(bson_length(binary.bytes.len())?),
            _ => None,
        };
        self.bytes.extend_from_slice(&bson_length(
            binary.bytes.len() + inner.map_or(0, |inner| inner.len()),
        )?);
        self.bytes.push(binary.subtype.into());
        self.bytes
            .extend_from_slice(inner.as_ref().map_or(&[], |inner| inner.as_slice()));
        self.bytes.extend_from_slice(binary.bytes);
        Ok(())
    }
}

/// The one NaN that is stored: its other bit patterns would not survive JSON.
pub(super) fn canonical_float(float: f64) -> f64 {
    const NAN: f64 = f64::from_bits(0x7FF8_0000_0000_0000);
    if float.is_nan() { NAN } else { float }
}

fn bson_length(length: usize) -> Result<[u8; 4]> {
    match i32::try_from(length) {
        Ok(length) => Ok(length.to_le_bytes()),
        Err(_) => Err(Error::limit_exceeded(
            "the size of a document in bytes",
            i32::MAX as u64,
            length as u64,
        )),
    }
}
