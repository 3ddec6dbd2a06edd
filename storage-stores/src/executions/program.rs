//! [`Program`], and how it is kept.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage_core::bson::{Bson, Document, RawDocumentBuf};
use storage_core::{Error, Result, Timestamp, Version};

use super::fields::{self, Fields};
use super::list::Listing;
use super::store::Executions;

/// Source and bytecode of something that can be executed.
///
/// With serde it is the JSON object that is stored; a date may also be an RFC 3339 text there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Program {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its source text.
    pub source: String,
    /// What it was compiled to: any value, usually an array of instructions.
    pub bytecode: Bson,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed, as the application sees it.
    pub updated: Option<Timestamp>,
    /// Fields this library does not know. They are kept.
    pub extra: Document,
}

const KNOWN: [&str; 6] = ["id", "name", "source", "bytecode", "created", "updated"];

impl Program {
    /// A program made now, by the system's clock.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        source: impl Into<String>,
        bytecode: impl Into<Bson>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            source: source.into(),
            bytecode: bytecode.into(),
            created: SystemTime::now().into(),
            updated: None,
            extra: Document::new(),
        }
    }

    fn to_document(&self) -> Result<Document> {
        let mut document = Document::new();
        document.insert("id", &self.id);
        document.insert("name", &self.name);
        document.insert("source", &self.source);
        document.insert("bytecode", self.bytecode.clone());
        document.insert("created", fields::date(self.created));
        fields::add(&mut document, "updated", self.updated.map(fields::date));
        fields::add_extra(&mut document, &self.extra, &KNOWN)?;
        Ok(document)
    }

    fn from_fields(id: String, mut fields: Fields) -> Result<Self> {
        fields.check_id(&id)?;
        Ok(Self {
            id,
            name: fields.text("name")?,
            source: fields.text("source")?,
            bytecode: fields.required("bytecode")?,
            created: fields.time("created")?,
            updated: fields.optional_time("updated")?,
            extra: fields.rest(),
        })
    }

    fn from_stored(id: &str, body: &RawDocumentBuf) -> Result<Self> {
        Self::from_fields(id.to_owned(), Fields::of(body, format!("programs/{id}"))?)
    }
}

impl Executions {
    /// Saves a program whole, replacing what was there, and gives its version.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the id; `InvalidArgument` for what a document cannot hold; `LimitExceeded` for its
    /// size; those of the medium.
    pub async fn save_program(&self, program: &Program) -> Result<Version> {
        let id = program.id.as_str();
        let named = |error: Error| self.named(error, "save program", format!("programs/{id}"));
        self.check_id("the program id in bytes", id).map_err(named)?;
        let document = program
            .to_document()
            .and_then(|document| fields::raw(&document))
            .map_err(named)?;
        self.programs().put(id, &document).await
    }

    /// A program; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is not a program; those of the medium.
    pub async fn get_program(&self, id: &str) -> Result<Option<Program>> {
        let Some(document) = self.programs().get(id).await? else {
            return Ok(None);
        };
        let program = Program::from_stored(id, &document.value);
        program
            .map(Some)
            .map_err(|error| self.named(error, "get program", ""))
    }

    /// Every program, in the UTF-8 byte order of ids.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn list_programs(&self) -> Result<Listing<Program>> {
        self.list(&self.programs(), |id, body| {
            Program::from_stored(id, body).map(Some)
        })
        .await
    }

    /// Deletes a program; `true` if it was there. Its executions stay.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn delete_program(&self, id: &str) -> Result<bool> {
        self.programs().delete(id).await
    }
}

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_document()
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_document(Document::deserialize(deserializer)?, "program".to_owned());
        let id = fields.text("id").map_err(serde::de::Error::custom)?;
        Self::from_fields(id, fields).map_err(serde::de::Error::custom)
    }
}
