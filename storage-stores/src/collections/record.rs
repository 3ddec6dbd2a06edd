//! Between entities and documents: an entity's fields and, behind them, the store's own.

use serde::Serialize;
use serde::de::DeserializeOwned;
use storage_core::bson::raw::{CStr, RawBsonRef, cstr};
use storage_core::bson::{self, RawDocument, RawDocumentBuf};
use storage_core::value::canonical;
use storage_core::{DocumentId, Error, ErrorKind, Result, Timestamp, Version, malformed};

use super::entity::{Entity, Kept, Stored};

const CREATED: &CStr = cstr!("created");
const UPDATED: &CStr = cstr!("updated");
/// As [`SCHEMA_FIELD`](super::schema::SCHEMA_FIELD).
const SCHEMA: &CStr = cstr!("_schema");

/// A document as it was read.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: DocumentId,
    pub(super) version: Version,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) body: RawDocumentBuf,
}

impl From<storage_core::Document<RawDocumentBuf>> for Record {
    fn from(document: storage_core::Document<RawDocumentBuf>) -> Self {
        Self {
            id: document.id,
            version: document.version,
            expires_at: document.expires_at,
            body: document.value,
        }
    }
}

impl Record {
    /// The entity it holds.
    pub(super) fn decode<T: DeserializeOwned>(self) -> Result<Stored<T>> {
        let Self {
            id,
            version,
            expires_at,
            body,
        } = self;
        let (created, updated, schema, value) = read(&body)?;
        Ok(Stored {
            id,
            created,
            updated,
            version,
            value,
            kept: Kept { expires_at, schema },
        })
    }
}

fn read<T: DeserializeOwned>(body: &RawDocument) -> Result<(Timestamp, Timestamp, Option<String>, T)> {
    let (mut created, mut updated, mut schema) = (None, None, None);
    let mut own = RawDocumentBuf::new();
    for element in body {
        let (name, value) = element.map_err(malformed)?;
        if name == CREATED {
            created = Some(value);
        } else if name == UPDATED {
            updated = Some(value);
        } else if name == SCHEMA {
            schema = Some(value);
        } else {
            own.append(name, value);
        }
    }
    let schema = match schema {
        None => None,
        Some(RawBsonRef::String(version)) => Some(version.to_owned()),
        Some(_) => return Err(wrong(SCHEMA, "is not a string")),
    };
    let value = bson::deserialize_from_slice(own.as_bytes()).map_err(|error| {
        Error::invalid_argument("what is stored does not fit the type it is read as; migrate it")
            .with_source(error)
    })?;
    Ok((time(CREATED, created)?, time(UPDATED, updated)?, schema, value))
}

fn time(field: &CStr, value: Option<RawBsonRef<'_>>) -> Result<Timestamp> {
    match value {
        Some(RawBsonRef::Int64(millis)) => Ok(Timestamp::from_millis(millis)),
        Some(RawBsonRef::Int32(millis)) => Ok(Timestamp::from_millis(millis.into())),
        Some(_) => Err(wrong(field, "is not an integer of milliseconds")),
        None => Err(wrong(field, "is missing")),
    }
}

fn wrong(field: &CStr, problem: &str) -> Error {
    let message = format!(
        "field {:?} {problem}, so this is no entity; write documents of this collection as entities only",
        field.as_str()
    );
    Error::new(ErrorKind::Corrupt, message)
}

/// The document of an entity.
///
/// # Errors
/// `InvalidArgument` when it is refused by its own type, has a field of the store's, or is nothing a document can hold.
pub(super) fn encode<T: Entity>(
    value: &T,
    created: Timestamp,
    updated: Timestamp,
    schema: Option<&str>,
) -> Result<RawDocumentBuf> {
    value
        .validate()
        .map_err(|problem| Error::invalid_argument(format!("the entity is not valid: {problem}")))?;
    let mut body = fields(value)?;
    for field in [CREATED, UPDATED, SCHEMA] {
        if body.get(field.as_str()).map_err(malformed)?.is_some() {
            let message = format!(
                "the entity has a field {:?}, which is the store's own; give it another name, or rename it with #[serde(rename)]",
                field.as_str()
            );
            return Err(Error::invalid_argument(message));
        }
    }
    body.append(CREATED, created.as_millis());
    body.append(UPDATED, updated.as_millis());
    if let Some(version) = schema {
        body.append(SCHEMA, version);
    }
    // As the medium gives it back, so that what is cached reads the same.
    canonical(body)
}

fn fields<T: Serialize>(value: &T) -> Result<RawDocumentBuf> {
    bson::serialize_to_raw_document_buf(value).map_err(|error| {
        Error::invalid_argument(
            "the entity cannot be a document; it must serialize as a map or struct of supported types",
        )
        .with_source(error)
    })
}
