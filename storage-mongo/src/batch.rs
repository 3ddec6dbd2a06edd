//! Several documents in one go: many, each for itself, and several, all or none.

mod many;
mod transaction;

use bson::raw::{RawArrayBuf, cstr};
use bson::{RawDocumentBuf, rawdoc};
use mongodb::bson::{Document, doc};
use storage_core::{Applied, Error, ErrorKind, Result, Retry};

pub(crate) use self::many::put_many;
pub(crate) use self::transaction::{Done, commit, guarded};

/// The most operations in one command. Servers take 100,000; fewer keep an answer, and what a failure leaves open, small.
const OPERATIONS: usize = 1000;

/// The most bytes in one command. A command has room for 16 MiB.
const BYTES: usize = 12 * 1024 * 1024;

/// One write of an `update` command.
#[derive(Debug, Clone)]
struct Update {
    /// Which document.
    filter: RawDocumentBuf,
    /// The whole document, or operators.
    change: RawDocumentBuf,
    upsert: bool,
}

impl Update {
    fn new(filter: &Document, change: RawDocumentBuf, upsert: bool) -> Result<Self> {
        Ok(Self {
            filter: raw(filter)?,
            change,
            upsert,
        })
    }

    fn bytes(&self) -> usize {
        self.filter.as_bytes().len() + self.change.as_bytes().len()
    }
}

/// The `update` command of these writes.
fn update_command<'a>(
    collection: &str,
    updates: impl IntoIterator<Item = &'a Update>,
    ordered: bool,
) -> RawDocumentBuf {
    let mut list = RawArrayBuf::new();
    for update in updates {
        let mut one = RawDocumentBuf::new();
        one.append(cstr!("q"), &*update.filter);
        one.append(cstr!("u"), &*update.change);
        one.append(cstr!("upsert"), update.upsert);
        list.push(one);
    }
    rawdoc! { "update": collection, "updates": list, "ordered": ordered }
}

/// The `insert` command of these documents, each for itself.
fn insert_command<'a>(
    collection: &str,
    documents: impl IntoIterator<Item = &'a RawDocumentBuf>,
) -> RawDocumentBuf {
    let mut list = RawArrayBuf::new();
    for document in documents {
        list.push(&**document);
    }
    rawdoc! { "insert": collection, "documents": list, "ordered": false }
}

/// What a command that writes says about one of its operations.
#[derive(Debug, PartialEq)]
struct Refused {
    /// Its place in the command.
    at: usize,
    /// The entry of `writeErrors`.
    entry: Document,
}

/// The operations a command refused.
fn refused(answer: &Document) -> Vec<Refused> {
    let errors = answer.get_array("writeErrors").map_or(&[][..], Vec::as_slice);
    let one = |error: &mongodb::bson::Bson| {
        let entry = error.as_document()?.clone();
        let at = entry
            .get("index")
            .and_then(|at| at.as_i64().or_else(|| at.as_i32().map(i64::from)))?;
        Some(Refused {
            at: usize::try_from(at).ok()?,
            entry,
        })
    };
    errors.iter().filter_map(one).collect()
}

/// Says that the command was applied and not confirmed, where the answer says so.
fn check_confirmed(answer: &Document) -> Result<()> {
    match answer.get("writeConcernError") {
        None => Ok(()),
        Some(error) => Err(Error::new(
            ErrorKind::Timeout,
            "the write was not confirmed by a majority in time",
        )
        .with_applied(Applied::Unknown)
        .with_retry(Retry::Later)
        .with_source(error.to_string())),
    }
}

/// What the server must do before it answers.
fn write_concern() -> Document {
    doc! { "w": "majority", "j": true }
}

fn raw(document: &Document) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(document)
        .map_err(|error| Error::new(ErrorKind::Internal, "a command cannot be written").with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_answers_are_those_of_the_protocol() {
        let update = Update::new(&doc! { "_id": "a" }, rawdoc! { "_id": "a" }, true).unwrap();
        let expected = rawdoc! {
            "update": "users",
            "updates": [{ "q": { "_id": "a" }, "u": { "_id": "a" }, "upsert": true }],
            "ordered": false,
        };
        assert_eq!(update_command("users", [&update], false), expected);
        let expected = rawdoc! { "insert": "users", "documents": [{ "_id": "a" }], "ordered": false };
        assert_eq!(insert_command("users", [&update.change]), expected);
        let entry = doc! { "index": 1, "code": 11000, "errmsg": "…" };
        let answer = doc! { "ok": 1.0, "n": 1, "writeErrors": [entry.clone()] };
        assert_eq!(refused(&answer), [Refused { at: 1, entry }]);
        assert!(check_confirmed(&answer).is_ok());
        let unconfirmed = doc! { "ok": 1.0, "writeConcernError": { "code": 64 } };
        assert_eq!(
            check_confirmed(&unconfirmed).unwrap_err().applied(),
            Applied::Unknown
        );
    }
}
