//! The format: the library's own tables, how they come to be, and whose databases are refused.

use rusqlite::Connection;
use storage_core::{Error, ErrorKind, Result};

use crate::connect::Busy;

/// The version of the format this crate writes. It also stands in the file's header as `user_version`.
const FORMAT: i64 = 1;

/// Marks our files in SQLite's header (`application_id`): "stor" in ASCII.
const APPLICATION: i64 = 0x7374_6F72;

/// Chunks are numbered `generation << CHUNK_BITS | position`, so one B-tree finds them and keeps those of an object together.
pub(crate) const CHUNK_BITS: u32 = 24;

const TABLES: &str = "
CREATE TABLE _storage (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE _storage_collections (
    collection INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    view TEXT NOT NULL UNIQUE COLLATE NOCASE,
    fields TEXT NOT NULL
);
CREATE TABLE _storage_indexes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    UNIQUE (collection, name)
);
CREATE TABLE _storage_objects (
    object INTEGER PRIMARY KEY,
    area INTEGER NOT NULL,
    key TEXT NOT NULL,
    size INTEGER NOT NULL,
    version TEXT NOT NULL,
    modified INTEGER NOT NULL,
    generation INTEGER,
    bytes BLOB,
    UNIQUE (area, key)
);
CREATE TABLE _storage_chunks (
    chunk INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
CREATE TABLE _storage_generations (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    handle TEXT NOT NULL,
    touched INTEGER NOT NULL
);
CREATE TABLE _storage_logs (
    log INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    incarnation TEXT NOT NULL,
    closed INTEGER NOT NULL,
    next INTEGER NOT NULL
);
CREATE TABLE _storage_log_entries (
    log INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (log, sequence)
);
";

/// What a database turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Ours,
}

/// Looks at a database without changing it.
pub(crate) fn inspect(connection: &Connection) -> Result<(), Busy> {
    // One snapshot, or else a database that is just being created looks like nobody's.
    within(connection, "BEGIN", || look(connection).map(|_| ()))
}

/// Does `work` in a transaction, which is undone where it fails.
fn within(connection: &Connection, begin: &str, work: impl FnOnce() -> Result<(), Busy>) -> Result<(), Busy> {
    connection.execute_batch(begin)?;
    let result = work();
    match result {
        Ok(()) => Ok(connection.execute_batch("COMMIT")?),
        Err(error) => {
            // The first error is the one to tell; a transaction that does not end ends with the connection.
            let _ = connection.execute_batch("ROLLBACK");
            Err(error)
        }
    }
}

fn look(connection: &Connection) -> Result<Content, Busy> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application == APPLICATION && version > FORMAT {
        let message = format!(
            "the database has format {version} and this program knows up to {FORMAT}; upgrade the program"
        );
        return Err(Error::new(ErrorKind::FormatTooNew, message).into());
    }
    if tables == 0 && application == 0 && version == 0 {
        return Ok(Content::Nothing);
    }
    if application != APPLICATION {
        let message =
            "the file is the SQLite database of another program; name a file that does not exist yet";
        return Err(Error::invalid_argument(message).into());
    }
    let format: rusqlite::Result<String> =
        connection.query_row("SELECT value FROM _storage WHERE name = 'format'", [], |row| {
            row.get(0)
        });
    match format {
        Ok(format) if format == version.to_string() => Ok(Content::Ours),
        Ok(_) => Err(contradiction().into()),
        // No such row, or (a plain SQLITE_ERROR) no such table.
        Err(rusqlite::Error::QueryReturnedNoRows) => Err(contradiction().into()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => {
            Err(contradiction().into())
        }
        Err(error) => Err(error.into()),
    }
}

fn contradiction() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "the database says two things about its format: the table _storage and the header differ; restore it",
    )
}

/// Creates the tables where there are none, all at once; where another process did so meanwhile, checks what it made.
pub(crate) fn create_or_check(connection: &Connection) -> Result<(), Busy> {
    within(connection, "BEGIN IMMEDIATE", || {
        if look(connection)? == Content::Ours {
            return Ok(());
        }
        connection.execute_batch(TABLES)?;
        connection.execute(
            "INSERT INTO _storage (name, value) VALUES ('format', ?1)",
            [FORMAT.to_string()],
        )?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", FORMAT)?;
        Ok(())
    })
}
