//! The schema stamp: the version of the last migration that was applied to a document, in the document itself.
//!
//! It is written by the very write that applies the migration, so what is still to be done can be told from the documents alone: a
//! crash between any two writes applies nothing twice and leaves nothing out.

pub use semver::Version as SchemaVersion;
use storage_core::bson::{Bson, Document, RawDocument};
use storage_core::{Error, Result};

/// The field of a document that carries its stamp. A document without it is older than every migration.
pub const SCHEMA_FIELD: &str = "_schema";

/// The version of a migration, by semantic versioning.
///
/// # Errors
/// `InvalidArgument` for anything else, and for build metadata, which has no place in an order.
pub(super) fn parse_version(text: &str) -> Result<SchemaVersion> {
    let version = SchemaVersion::parse(text).map_err(|error| {
        Error::invalid_argument(format!(
            "{text:?} is not a semantic version such as \"1.2.0\": {error}"
        ))
    })?;
    if version.build.is_empty() {
        return Ok(version);
    }
    Err(Error::invalid_argument(format!(
        "version {text:?} has build metadata (+{}), by which versions cannot be ordered; leave it out",
        version.build
    )))
}

/// The stamp of a document; `None` where it has none.
pub(super) fn stamp(document: &Document) -> Result<Option<SchemaVersion>> {
    match document.get(SCHEMA_FIELD) {
        None => Ok(None),
        Some(Bson::String(text)) => read(text).map(Some),
        Some(_) => Err(wrong("is not a string")),
    }
}

/// The stamp of a document that is not taken apart otherwise.
pub(super) fn raw_stamp(document: &RawDocument) -> Result<Option<SchemaVersion>> {
    match document.get(SCHEMA_FIELD) {
        Ok(None) => Ok(None),
        Ok(Some(value)) => match value.as_str() {
            Some(text) => read(text).map(Some),
            None => Err(wrong("is not a string")),
        },
        Err(error) => Err(wrong("cannot be read").with_source(error)),
    }
}

/// Gives a document this stamp, or none.
pub(super) fn set_stamp(document: &mut Document, stamp: Option<&SchemaVersion>) {
    match stamp {
        Some(version) => {
            document.insert(SCHEMA_FIELD, version.to_string());
        }
        None => {
            document.remove(SCHEMA_FIELD);
        }
    }
}

fn read(text: &str) -> Result<SchemaVersion> {
    parse_version(text).map_err(|_| wrong(&format!("is {text:?}, which is no version")))
}

fn wrong(problem: &str) -> Error {
    Error::new(
        storage_core::ErrorKind::Corrupt,
        format!("the schema stamp {SCHEMA_FIELD:?} of the document {problem}"),
    )
}
