//! [`Execution`]: the whole state of one run of a program.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage_core::bson::{Bson, Document, RawDocumentBuf};
use storage_core::{Result, Timestamp};

use super::fields::{self, Fields};
use super::state::ExecutionState;

/// The whole state of one run of a program, except what it printed.
///
/// Values are BSON, so that dates, bytes, NaN and 64-bit integers in variables come back as what they were. With serde it is the JSON
/// object that is stored; a date may also be an RFC 3339 text there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// The program it runs.
    pub program_id: String,
    /// Where it stands.
    pub state: ExecutionState,
    /// The program counter.
    pub pc: i64,
    /// The stack, its top last.
    pub stack: Vec<Bson>,
    /// Variables by name.
    pub variables: Document,
    /// Iterators of loops under way.
    pub iterators: Option<Bson>,
    /// Objects that variables point to.
    pub heap: Option<Bson>,
    /// What went wrong.
    pub error: Option<String>,
    /// What it waits to be answered. Read from `ccPrompt` too.
    pub prompt: Option<String>,
    /// What it returned; `Some(Null)` when that is null.
    pub return_value: Option<Bson>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed, as the application sees it.
    pub updated: Option<Timestamp>,
    /// Fields this library does not know. They are kept.
    pub extra: Document,
}

const KNOWN: [&str; 13] = [
    "id",
    "programId",
    "state",
    "pc",
    "stack",
    "variables",
    "iterators",
    "heap",
    "error",
    "prompt",
    "returnValue",
    "created",
    "updated",
];

impl Execution {
    /// An execution that is ready, made now by the system's clock.
    pub fn new(id: impl Into<String>, program_id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            program_id: program_id.into(),
            state: ExecutionState::Ready,
            pc: 0,
            stack: Vec::new(),
            variables: Document::new(),
            iterators: None,
            heap: None,
            error: None,
            prompt: None,
            return_value: None,
            created: SystemTime::now().into(),
            updated: None,
            extra: Document::new(),
        }
    }

    pub(super) fn to_document(&self) -> Result<Document> {
        let mut document = Document::new();
        document.insert("id", &self.id);
        document.insert("programId", &self.program_id);
        document.insert("state", self.state.as_str());
        document.insert("pc", self.pc);
        document.insert("stack", self.stack.clone());
        document.insert("variables", self.variables.clone());
        fields::add(&mut document, "iterators", self.iterators.clone());
        fields::add(&mut document, "heap", self.heap.clone());
        fields::add(&mut document, "error", self.error.as_deref());
        fields::add(&mut document, "prompt", self.prompt.as_deref());
        fields::add(&mut document, "returnValue", self.return_value.clone());
        document.insert("created", fields::date(self.created));
        fields::add(&mut document, "updated", self.updated.map(fields::date));
        fields::add_extra(&mut document, &self.extra, &KNOWN)?;
        Ok(document)
    }

    fn from_fields(id: String, mut fields: Fields) -> Result<Self> {
        fields.check_id(&id)?;
        let prompt = match fields.optional_text("prompt")? {
            None => fields.optional_text("ccPrompt")?,
            prompt => prompt,
        };
        Ok(Self {
            id,
            program_id: fields.text("programId")?,
            state: fields.text("state")?.as_str().into(),
            pc: fields.integer("pc")?,
            stack: fields.array("stack")?,
            variables: fields.document("variables")?,
            iterators: fields.value("iterators"),
            heap: fields.value("heap"),
            error: fields.optional_text("error")?,
            prompt,
            return_value: fields.value("returnValue"),
            created: fields.time("created")?,
            updated: fields.optional_time("updated")?,
            extra: fields.rest(),
        })
    }

    pub(super) fn from_stored(id: &str, body: &RawDocumentBuf) -> Result<Self> {
        Self::from_fields(id.to_owned(), Fields::of(body, format!("executions/{id}"))?)
    }
}

impl Serialize for Execution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_document()
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Execution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::of_document(Document::deserialize(deserializer)?, "execution".to_owned());
        let id = fields.text("id").map_err(serde::de::Error::custom)?;
        Self::from_fields(id, fields).map_err(serde::de::Error::custom)
    }
}
