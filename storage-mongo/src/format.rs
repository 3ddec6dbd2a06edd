//! The version of the format of everything in a database: `{ _id: "storage", format: 1 }` in `_storage.format`.

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongodb::Database;
use storage_core::{Error, ErrorKind, Result};

use crate::deployment::within;
use crate::error::{DuplicateKey, Kind};
use crate::names;

/// What this version of the library writes.
const FORMAT: i64 = 1;
/// The document that says it.
const ID: &str = "storage";

/// Refuses a database that a newer version of the library wrote, untouched, and marks a new one.
///
/// # Errors
/// `FormatTooNew`; `Corrupt`; those of the connection.
pub(crate) async fn check(database: &Database, timeout: Duration) -> Result<()> {
    let formats = database.collection::<Document>(names::FORMAT);
    let found = within(timeout, Kind::Read, formats.find_one(doc! { "_id": ID })).await?;
    let Some(found) = found else {
        let mark = formats.insert_one(doc! { "_id": ID, "format": FORMAT });
        return match within(timeout, Kind::Write, mark).await {
            // Somebody else marked it at this moment, and whoever it is will be found by the next who connects.
            Err(error) if DuplicateKey::of(&error).is_none() => Err(error),
            _ => Ok(()),
        };
    };
    match found.get("format") {
        Some(Bson::Int64(FORMAT)) => Ok(()),
        Some(Bson::Int64(newer)) if *newer > FORMAT => Err(Error::new(
            ErrorKind::FormatTooNew,
            format!(
                "the database {:?} was written in format {newer} and this library knows {FORMAT}; upgrade the program",
                database.name()
            ),
        )),
        _ => Err(Error::corrupt(
            format!("{}/{ID}", names::FORMAT),
            "the version of the database's format cannot be read; restore the document",
        )),
    }
}
