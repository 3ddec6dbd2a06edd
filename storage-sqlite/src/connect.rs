//! [`Session`]: a connection, opened the way this crate needs it, with what it knows of the schema.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use storage_core::{Durability, Error, ErrorKind, Result};

use crate::catalog::Catalog;
use crate::config::{Place, SqliteConfig};
use crate::error::{classify, is_busy};
use crate::schema;

/// A connection and what it knows of the schema.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) catalog: Catalog,
}

/// How many prepared statements a connection keeps: about ten for each of the collections and indexes a program uses at a time.
const CACHED_STATEMENTS: usize = 256;

/// The longest the write-ahead log stays once it was checkpointed, in bytes.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// Opens the connection that writes: creates the database where there is none, and refuses one that is not ours untouched.
pub(crate) fn writing(config: &SqliteConfig) -> Result<Session> {
    let connection = match &config.place {
        Place::Memory => Connection::open_in_memory().map_err(classify)?,
        Place::File(path) => {
            prepare_directory(path)?;
            prepare_file(path)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags).map_err(|error| at(path, classify(error)))?
        }
    };
    connection.busy_timeout(config.busy_timeout).map_err(classify)?;
    let deadline = Instant::now() + config.busy_timeout;
    let opened = retry_busy(deadline, || schema::inspect(&connection)).and_then(|()| {
        if let Place::File(path) = &config.place {
            write_ahead(&connection, path, deadline)?;
        }
        tune(&connection, config)?;
        retry_busy(deadline, || schema::create_or_check(&connection))
    });
    opened.map_err(|error| match &config.place {
        Place::Memory => error,
        Place::File(path) => at(path, error),
    })?;
    // From here on the writer waits for the lock itself, with an eye on fairness.
    connection.busy_timeout(Duration::ZERO).map_err(classify)?;
    Ok(session(connection))
}

/// Opens a connection that only reads a database which [`writing`] has opened.
pub(crate) fn reading(config: &SqliteConfig, path: &Path) -> Result<Session> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| at(path, classify(error)))?;
    connection.busy_timeout(config.busy_timeout).map_err(classify)?;
    tune(&connection, config)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(classify)?;
    Ok(session(connection))
}

fn session(connection: Connection) -> Session {
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Session {
        connection,
        catalog: Catalog::default(),
    }
}

fn at(path: &Path, error: Error) -> Error {
    error
        .with_key(path.display().to_string())
        .with_operation("open")
        .with_backend("sqlite")
}

/// Makes the directory of the file exist: one level, so that a mistyped path does not grow a tree.
fn prepare_directory(path: &Path) -> Result<()> {
    let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    else {
        return Ok(());
    };
    match std::fs::create_dir(directory) {
        Ok(()) => sync_directory(directory.parent()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                std::io::ErrorKind::StorageFull => ErrorKind::NoSpace,
                _ => ErrorKind::Io,
            };
            let message = format!(
                "the directory {} of the database cannot be made; make it first",
                directory.display()
            );
            Err(at(path, Error::new(kind, message).with_source(error)))
        }
    }
}

/// Makes a new database file its owner's alone: it may hold secrets, and SQLite would leave that to the umask. The files beside it, `-wal`
/// and `-shm`, get the permissions of the database from SQLite itself. A file that is there keeps its own.
#[cfg(unix)]
fn prepare_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    // An empty file is an empty database, so a crash right after this leaves nothing half made.
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        // What stands in the way SQLite meets too, and says in its words.
        Err(error) => {
            tracing::debug!(%error, "the database file could not be made beforehand");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
const fn prepare_file(_: &Path) -> Result<()> {
    Ok(())
}

/// A new directory survives the loss of power once the one above is flushed. Windows neither needs nor allows it.
fn sync_directory(directory: Option<&Path>) -> Result<()> {
    if cfg!(unix) {
        let directory = directory
            .filter(|above| !above.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        std::fs::File::open(directory)
            .and_then(|opened| opened.sync_all())
            .map_err(|error| {
                Error::new(
                    ErrorKind::Io,
                    format!("the directory {} cannot be flushed", directory.display()),
                )
                .with_source(error)
            })?;
    }
    Ok(())
}

/// Turns the write-ahead log on. SQLite does not wait here while another process does the same, so this does.
fn write_ahead(connection: &Connection, path: &Path, deadline: Instant) -> Result<()> {
    let mode: String = retry_busy(deadline, || {
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
            .map_err(Busy::from)
    })?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    let message = format!(
        "its file system cannot hold a write-ahead log (journal mode stays {mode}); use a local disk"
    );
    Err(at(path, Error::new(ErrorKind::Unsupported, message)))
}

fn tune(connection: &Connection, config: &SqliteConfig) -> Result<()> {
    // Else SQLite plans a statement anew for each value of a limit it is given: a third of what a page of a log costs.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(classify)?;
    let kib = i64::try_from(config.page_cache_bytes / 1024)
        .unwrap_or(i64::MAX)
        .max(1);
    let set = |name: &str, value: &dyn rusqlite::ToSql| {
        connection.pragma_update(None, name, value).map_err(classify)
    };
    set("cache_size", &-kib)?;
    if matches!(config.place, Place::File(_)) {
        let full = config.durability == Durability::PowerLoss;
        set("synchronous", &if full { "FULL" } else { "NORMAL" })?;
        // On macOS only this flush reaches the disk; elsewhere it changes nothing.
        set("fullfsync", &full)?;
        connection
            .pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))
            .map_err(classify)?;
    }
    Ok(())
}

/// What stood in the way of one step of opening: a lock, which passes, or something else.
pub(crate) enum Busy {
    Locked(Error),
    Other(Error),
}

impl From<rusqlite::Error> for Busy {
    fn from(error: rusqlite::Error) -> Self {
        if is_busy(&error) {
            Self::Locked(classify(error))
        } else {
            Self::Other(classify(error))
        }
    }
}

impl From<Error> for Busy {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn retry_busy<T>(deadline: Instant, mut step: impl FnMut() -> Result<T, Busy>) -> Result<T> {
    loop {
        match step() {
            Ok(value) => return Ok(value),
            Err(Busy::Other(error)) => return Err(error),
            Err(Busy::Locked(error)) if Instant::now() >= deadline => {
                return Err(
                    Error::new(ErrorKind::Timeout, "another process keeps the database locked")
                        .with_source(error)
                        .with_retry(storage_core::Retry::Later),
                );
            }
            Err(Busy::Locked(_)) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
