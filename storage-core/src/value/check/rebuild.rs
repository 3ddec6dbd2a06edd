//! Writes a checked document again, in canonical form.

use bson::{RawArray, RawBsonRef, RawDocument, RawDocumentBuf};

use super::place::Place;
use crate::error::Result;
use crate::value::build::{Builder, Field};

/// The canonical form of a document whose types, names and depth are known to be right.
pub(super) fn rebuild(document: &RawDocument) -> Result<RawDocumentBuf> {
    let mut builder = Builder::with_capacity(document.as_bytes().len() * 3 / 2);
    copy_document(document, &mut builder)?;
    builder.finish()
}

fn copy_document(document: &RawDocument, builder: &mut Builder) -> Result<()> {
    let open = builder.open();
    for field in document {
        let (name, value) = field.map_err(|error| Place::Root.malformed(error))?;
        let field = builder.field(name.as_str());
        copy_value(value, &field, builder)?;
    }
    builder.close(&open)
}

fn copy_array(array: &RawArray, builder: &mut Builder) -> Result<()> {
    let open = builder.open();
    for (index, value) in array.into_iter().enumerate() {
        let value = value.map_err(|error| Place::Root.malformed(error))?;
        let field = builder.element(index);
        copy_value(value, &field, builder)?;
    }
    builder.close(&open)
}

fn copy_value(value: RawBsonRef<'_>, field: &Field, builder: &mut Builder) -> Result<()> {
    match value {
        RawBsonRef::Document(inner) => {
            builder.set_document(field);
            copy_document(inner, builder)
        }
        RawBsonRef::Array(inner) => {
            builder.set_array(field);
            copy_array(inner, builder)
        }
        value => builder.set(field, value),
    }
}
