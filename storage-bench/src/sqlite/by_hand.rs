//! [`ByHand`]: what one writes with rusqlite when there is only this one table.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension};

use super::Row;
use crate::run::Outcome;

/// Documents as JSON beside an index over an expression; one connection that writes, and four that read.
pub(super) struct ByHand {
    writing: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
}

const SCHEMA: &str = "
    CREATE TABLE rows (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE INDEX by_age ON rows (json_extract(body, '$.age'));
    CREATE TABLE counters (id TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE log (sequence INTEGER PRIMARY KEY, entry BLOB NOT NULL);";

const PUT: &str = "INSERT OR REPLACE INTO rows VALUES (?1, ?2)";

impl ByHand {
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        let writing = connection(path)?;
        writing.execute_batch(SCHEMA)?;
        let idle: Outcome<Vec<Connection>> = (0..4).map(|_| connection(path)).collect();
        Ok(Self {
            writing: Mutex::new(writing),
            idle: Mutex::new(idle?),
        })
    }

    pub(super) fn writing(&self) -> MutexGuard<'_, Connection> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection that reads.
    pub(super) fn reading<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Outcome<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let connection = taken.ok_or("more readers at once than connections")?;
        let result = read(&connection);
        idle().push(connection);
        Ok(result?)
    }

    /// One statement, which commits by itself.
    pub(super) fn put(&self, id: &str, row: &Row) -> Outcome {
        let body = serde_json::to_string(row)?;
        self.writing().prepare_cached(PUT)?.execute((id, body))?;
        Ok(())
    }

    /// One transaction for all.
    pub(super) fn put_many(&self, rows: &[(String, Row)]) -> Outcome {
        let mut connection = self.writing();
        let transaction = connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(PUT)?;
            for (id, row) in rows {
                put.execute((id, serde_json::to_string(row)?))?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Outcome<Option<Row>> {
        let body: Option<String> = self.reading(|connection| {
            let mut select = connection.prepare_cached("SELECT body FROM rows WHERE id = ?1")?;
            select.query_row([id], |row| row.get(0)).optional()
        })?;
        Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
    }

    /// By the index, in its order.
    pub(super) fn find(&self, from: i64, until: i64) -> Outcome<Vec<Row>> {
        let bodies: Vec<String> = self.reading(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT body FROM rows WHERE json_extract(body, '$.age') >= ?1
                 AND json_extract(body, '$.age') < ?2 ORDER BY json_extract(body, '$.age'), id",
            )?;
            select.query_map([from, until], |row| row.get(0))?.collect()
        })?;
        bodies
            .iter()
            .map(|body| Ok(serde_json::from_str(body)?))
            .collect()
    }

    pub(super) fn equal(&self, age: i64) -> Outcome<Vec<Row>> {
        let bodies: Vec<String> = self.reading(|connection| {
            let mut select =
                connection.prepare_cached("SELECT body FROM rows WHERE json_extract(body, '$.age') = ?1")?;
            select.query_map([age], |row| row.get(0))?.collect()
        })?;
        bodies
            .iter()
            .map(|body| Ok(serde_json::from_str(body)?))
            .collect()
    }
}

/// As ours are: a write is on the disk when it is acknowledged.
fn connection(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    Ok(connection)
}
