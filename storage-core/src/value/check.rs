//! What a document may hold, and the one form in which it is held.
//!
//! Every document and every literal of a query passes here once, above all backends. What comes out is *canonical*: only the
//! types of the contract, integers of 64 bits, one NaN, arrays numbered from 0. Two equal documents are then the same
//! bytes, and JSON at rest gives back exactly the bytes that were put.

mod place;
mod rebuild;

use bson::spec::ElementType;
use bson::{Bson, RawBsonRef, RawDocument, RawDocumentBuf};

use self::place::Place;
use super::build::canonical_float;
use crate::error::Result;

/// How many levels of documents and arrays there may be. The document itself is level 1, so `{}` and `{a: 1}` have one level and `{a: {}}` and
/// `{a: []}` have two. In a literal of a query, the outermost document or array is level 1.
pub const MAX_DEPTH: usize = 64;

/// The top-level field in which backends keep what is theirs: version and expiry. A user's document cannot have it.
pub const SYSTEM_FIELD: &str = "_storage";

/// Checks a user's document and returns it in canonical form, the very same bytes when it is canonical already.
///
/// # Errors
/// `InvalidArgument`, naming the field, for bytes that are not BSON, a type that cannot be stored, a name used twice in one
/// document, more than [`MAX_DEPTH`] levels, and a top-level `_id` or [`SYSTEM_FIELD`].
pub fn canonical(document: RawDocumentBuf) -> Result<RawDocumentBuf> {
    let mut check = Check {
        names: Vec::new(),
        canonical: true,
    };
    check.document(&document, &Place::Root, 1)?;
    if check.canonical {
        Ok(document)
    } else {
        rebuild::rebuild(&document)
    }
}

/// Checks a literal of a query and returns it in canonical form. Types, depth and names inside it follow the rules of documents; `_id` and
/// [`SYSTEM_FIELD`] are names like any other.
///
/// # Errors
/// `InvalidArgument`, as [`canonical`].
pub fn canonical_value(value: &Bson) -> Result<Bson> {
    canonical_literal(value, &Place::Root, 1)
}

/// Whether two names are equal; gives one of them. Reorders the names.
pub(super) fn duplicate<T: Ord>(names: &mut [T]) -> Option<&T> {
    const FEW: usize = 12; // below this, comparing all pairs is faster than sorting
    if names.len() <= FEW {
        return (1..names.len())
            .find(|&last| names[..last].contains(&names[last]))
            .map(|last| &names[last]);
    }
    names.sort_unstable();
    names
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| &pair[0])
}

struct Check<'a> {
    /// The names met so far of every document that is being looked at, innermost last: one buffer for all levels.
    names: Vec<&'a str>,
    canonical: bool,
}

impl<'a> Check<'a> {
    fn document(&mut self, document: &'a RawDocument, place: &Place<'_>, depth: usize) -> Result<()> {
        check_depth(place, depth)?;
        let first = self.names.len();
        for element in document.iter_elements() {
            let element = element.map_err(|error| place.malformed(error))?;
            let name = element.key().as_str();
            let place = Place::Field { parent: place, name };
            if depth == 1 && (name == "_id" || name == SYSTEM_FIELD) {
                return Err(place.invalid("is reserved: give the field another name"));
            }
            self.names.push(name);
            self.value(&element, &place, depth)?;
        }
        if let Some(name) = duplicate(&mut self.names[first..]) {
            return Err(Place::Field { parent: place, name }
                .invalid("occurs twice in one document: keep one of them"));
        }
        self.names.truncate(first);
        Ok(())
    }

    fn array(&mut self, array: &'a bson::RawArray, place: &Place<'_>, depth: usize) -> Result<()> {
        check_depth(place, depth)?;
        for (index, element) in array.iter_elements().enumerate() {
            let element = element.map_err(|error| place.malformed(error))?;
            self.canonical &= is_index(element.key().as_str(), index);
            self.value(&element, &Place::Element { parent: place, index }, depth)?;
        }
        Ok(())
    }

    fn value(&mut self, element: &bson::raw::RawElement<'a>, place: &Place<'_>, depth: usize) -> Result<()> {
        check_type(element.element_type(), place)?;
        match element.value().map_err(|error| place.malformed(error))? {
            RawBsonRef::Int32(_) => self.canonical = false,
            RawBsonRef::Double(float) => {
                self.canonical &= float.to_bits() == canonical_float(float).to_bits()
            }
            RawBsonRef::Document(inner) => self.document(inner, place, depth + 1)?,
            RawBsonRef::Array(inner) => self.array(inner, place, depth + 1)?,
            _ => {}
        }
        Ok(())
    }
}

fn canonical_literal(value: &Bson, place: &Place<'_>, depth: usize) -> Result<Bson> {
    check_type(value.element_type(), place)?;
    Ok(match value {
        Bson::Int32(integer) => Bson::Int64((*integer).into()),
        Bson::Double(float) => Bson::Double(canonical_float(*float)),
        Bson::Array(elements) => {
            check_depth(place, depth)?;
            let element = |(index, element)| {
                canonical_literal(element, &Place::Element { parent: place, index }, depth + 1)
            };
            Bson::Array(elements.iter().enumerate().map(element).collect::<Result<_>>()?)
        }
        Bson::Document(fields) => {
            check_depth(place, depth)?;
            let field = |(name, value): (&String, &Bson)| {
                let place = Place::Field { parent: place, name };
                if name.contains('\0') {
                    return Err(place.invalid("has NUL in its name: give the field another name"));
                }
                Ok((name.clone(), canonical_literal(value, &place, depth + 1)?))
            };
            Bson::Document(fields.iter().map(field).collect::<Result<_>>()?)
        }
        other => other.clone(),
    })
}

fn check_depth(place: &Place<'_>, depth: usize) -> Result<()> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(place.invalid(format_args!(
        "is nested deeper than {MAX_DEPTH} levels: store a flatter document"
    )))
}

fn check_type(kind: ElementType, place: &Place<'_>) -> Result<()> {
    let (what, instead) = match kind {
        ElementType::Null
        | ElementType::Boolean
        | ElementType::Int32
        | ElementType::Int64
        | ElementType::Double
        | ElementType::String
        | ElementType::Binary
        | ElementType::DateTime
        | ElementType::ObjectId
        | ElementType::Array
        | ElementType::EmbeddedDocument => return Ok(()),
        ElementType::Decimal128 => ("a decimal number", "a string or a float"),
        ElementType::RegularExpression => ("a regular expression", "a string"),
        ElementType::Timestamp => ("an internal timestamp", "a datetime"),
        ElementType::Symbol => ("a symbol", "a string"),
        ElementType::JavaScriptCode | ElementType::JavaScriptCodeWithScope => ("code", "a string"),
        ElementType::DbPointer => ("a database pointer", "an id"),
        ElementType::Undefined => ("undefined", "null, or leave the field out"),
        ElementType::MinKey | ElementType::MaxKey => ("a key bound", "a value"),
    };
    Err(place.invalid(format_args!("is {what}, which cannot be stored: use {instead}")))
}

fn is_index(name: &str, index: usize) -> bool {
    name.parse() == Ok(index) && (name == "0" || !name.starts_with(['0', '+']))
}

#[cfg(test)]
mod tests;
