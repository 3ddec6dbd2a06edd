//! Between documents and the types of this store, by hand: through serde, a user's `{"$oid": …}` would come back as something else.

use bytes::Bytes;
use storage_core::bson::{Bson, DateTime, Document, RawDocument, RawDocumentBuf};
use storage_core::{Error, ErrorKind, Result, Timestamp};

/// The fields of a stored document that have not been read yet.
#[derive(Debug)]
pub(super) struct Fields {
    document: Document,
    /// Names the document in errors.
    entry: String,
}

impl Fields {
    pub(super) fn of(raw: &RawDocument, entry: impl Into<String>) -> Result<Self> {
        let entry = entry.into();
        match Document::try_from(raw) {
            Ok(document) => Ok(Self { document, entry }),
            Err(error) => Err(Error::corrupt(entry, "it is not well-formed BSON").with_source(error)),
        }
    }

    pub(super) const fn of_document(document: Document, entry: String) -> Self {
        Self { document, entry }
    }

    /// The value of a field, whatever it is, null included.
    pub(super) fn value(&mut self, name: &str) -> Option<Bson> {
        self.document.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<Bson> {
        self.value(name).ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        let value = self.required(name)?;
        self.as_text(name, value)
    }

    /// A text that may be missing or null.
    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None | Some(Bson::Null) => Ok(None),
            Some(value) => self.as_text(name, value).map(Some),
        }
    }

    fn as_text(&self, name: &str, value: Bson) -> Result<String> {
        match value {
            Bson::String(text) => Ok(text),
            _ => Err(self.wrong(name, "is not a string")),
        }
    }

    /// An integer; a float without a fraction is one too, because JavaScript does not tell them apart.
    pub(super) fn integer(&mut self, name: &str) -> Result<i64> {
        /// Up to here every integer is a float of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.required(name)? {
            Bson::Int32(integer) => Ok(integer.into()),
            Bson::Int64(integer) => Ok(integer),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "it has no fraction and is small enough"
            )]
            Bson::Double(float) if float.trunc() == float && float.abs() <= EXACT => Ok(float as i64),
            _ => Err(self.wrong(name, "is not an integer")),
        }
    }

    pub(super) fn array(&mut self, name: &str) -> Result<Vec<Bson>> {
        match self.required(name)? {
            Bson::Array(elements) => Ok(elements),
            _ => Err(self.wrong(name, "is not an array")),
        }
    }

    pub(super) fn document(&mut self, name: &str) -> Result<Document> {
        match self.required(name)? {
            Bson::Document(document) => Ok(document),
            _ => Err(self.wrong(name, "is not an object")),
        }
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Timestamp> {
        let value = self.required(name)?;
        self.as_time(name, &value)
    }

    /// A time that may be missing or null.
    pub(super) fn optional_time(&mut self, name: &str) -> Result<Option<Timestamp>> {
        match self.value(name) {
            None | Some(Bson::Null) => Ok(None),
            Some(value) => self.as_time(name, &value).map(Some),
        }
    }

    /// A date, or the text that JSON has for one.
    fn as_time(&self, name: &str, value: &Bson) -> Result<Timestamp> {
        let date = match value {
            Bson::DateTime(date) => Some(*date),
            Bson::String(text) => DateTime::parse_rfc3339_str(text).ok(),
            _ => None,
        };
        match date {
            Some(date) => Ok(Timestamp::from_millis(date.timestamp_millis())),
            None => Err(self.wrong(name, "is not a date")),
        }
    }

    /// Checks the copy of the id a document carries: another one means that somebody copied it from there.
    pub(super) fn check_id(&mut self, id: &str) -> Result<()> {
        match self.value("id") {
            None => Ok(()),
            Some(Bson::String(own)) if own == id => Ok(()),
            Some(other) => Err(self.wrong("id", &format!("is {other}, not that of the document"))),
        }
    }

    /// What nobody asked for, in its order.
    pub(super) fn rest(self) -> Document {
        self.document
    }

    fn wrong(&self, name: &str, problem: &str) -> Error {
        Error::corrupt(&self.entry, format!("field {name} {problem}"))
    }
}

pub(super) const fn date(time: Timestamp) -> Bson {
    Bson::DateTime(DateTime::from_millis(time.as_millis()))
}

/// Adds a field unless there is no value.
pub(super) fn add(document: &mut Document, name: &str, value: Option<impl Into<Bson>>) {
    if let Some(value) = value {
        document.insert(name, value);
    }
}

/// Adds the fields this library does not know.
pub(super) fn add_extra(document: &mut Document, extra: &Document, known: &[&str]) -> Result<()> {
    for (name, value) in extra {
        if known.contains(&name.as_str()) {
            let message = format!("extra field {name:?} has a field of its own; set that one");
            return Err(Error::invalid_argument(message));
        }
        document.insert(name, value.clone());
    }
    Ok(())
}

/// The bytes of a document; what they may not hold is refused when they are put.
pub(super) fn raw(document: &Document) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(document).map_err(|error| {
        Error::invalid_argument("it holds a value or a name that cannot be stored").with_source(error)
    })
}

/// The text of a line of output.
pub(super) fn line(bytes: &Bytes, sequence: u64) -> Result<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let message = format!("line {sequence} is not UTF-8, so this library did not write it");
            Err(Error::new(ErrorKind::Corrupt, message)
                .with_context("sequence", sequence.to_string())
                .with_source(error))
        }
    }
}
