//! [`Catalog`]: which collections and indexes there are, and the SQL that works on each.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use storage_core::{Error, ErrorKind, Index, Name, Result};

use crate::error::classify;
use crate::view;

/// What a connection remembers of the schema.
///
/// A collection is never dropped and never changes its table, so what is remembered may be used without a look as long as indexes
/// do not matter. Where they do, [`refresh`](Self::refresh) comes first, in the transaction that uses them.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// SQLite's own count of schema changes when the rest was read.
    schema: Option<i64>,
    collections: HashMap<String, Arc<Collection>>,
    /// Whether this transaction changed the schema, so that a rollback changes it back.
    changed: bool,
}

/// A collection, its indexes, and the SQL that works on it.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) number: i64,
    pub(crate) indexes: Vec<IndexTable>,
    /// Their definitions, in the same order.
    pub(crate) definitions: Vec<Index>,
    /// The names of top-level fields that the view shows, or that were looked at and left out.
    pub(crate) fields: view::Fields,
    pub(crate) sql: DocumentSql,
}

/// The SQL of one collection's documents.
#[derive(Debug)]
pub(crate) struct DocumentSql {
    /// By id; the body only where it is at most the third parameter long.
    pub(crate) point: String,
    pub(crate) current: String,
    pub(crate) by_row: String,
    pub(crate) after_id: String,
    pub(crate) count: String,
    pub(crate) insert: String,
    /// Only where the id is not there.
    pub(crate) insert_new: String,
    pub(crate) update: String,
    pub(crate) delete: String,
    pub(crate) expired: String,
}

/// An index, and the SQL of its table.
#[derive(Debug)]
pub(crate) struct IndexTable {
    pub(crate) number: i64,
    pub(crate) index: Index,
    pub(crate) insert: String,
    pub(crate) delete: String,
    pub(crate) delete_row: String,
    /// Live documents from (key, id), exclusive, to another key, exclusive, in order of key and id.
    pub(crate) range: String,
    /// As `range`, from the beginning of the first key.
    pub(crate) range_from: String,
    /// Live documents that have one key, in order of id.
    pub(crate) equal: String,
    pub(crate) range_rows: String,
    pub(crate) range_count: String,
    /// The greatest key in a range.
    pub(crate) last_key: String,
    /// Everybody else who has a key.
    pub(crate) holders: String,
    pub(crate) stats: String,
}

impl Catalog {
    /// Forgets everything if the schema changed since. Within a transaction, what is then loaded holds to its end.
    pub(crate) fn refresh(&mut self, connection: &Connection) -> Result<()> {
        let mut statement = connection
            .prepare_cached("PRAGMA schema_version")
            .map_err(classify)?;
        let schema: i64 = statement.query_row([], |row| row.get(0)).map_err(classify)?;
        if self.schema != Some(schema) {
            self.collections.clear();
            self.schema = Some(schema);
        }
        self.changed = false;
        Ok(())
    }

    /// Forgets what this transaction changed, now that it is undone.
    pub(crate) fn undone(&mut self) {
        if self.changed {
            self.collections.clear();
        }
    }

    /// Forgets what was true before this transaction changed the schema.
    pub(crate) fn changed(&mut self) {
        self.collections.clear();
        self.changed = true;
    }

    /// A collection, if it exists.
    pub(crate) fn collection(
        &mut self,
        connection: &Connection,
        name: &Name,
    ) -> Result<Option<Arc<Collection>>> {
        if let Some(known) = self.collections.get(name.as_str()) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(loaded) = Collection::load(connection, name)? else {
            return Ok(None);
        };
        let loaded = Arc::new(loaded);
        self.collections
            .insert(name.as_str().to_owned(), Arc::clone(&loaded));
        Ok(Some(loaded))
    }

    /// A collection, created where there is none. Only within a write transaction.
    pub(crate) fn obtain(&mut self, connection: &Connection, name: &Name) -> Result<Arc<Collection>> {
        if let Some(known) = self.collection(connection, name)? {
            return Ok(known);
        }
        create(connection, name)?;
        self.changed();
        self.collection(connection, name)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "a collection that was just created is not there",
            )
        })
    }
}

fn create(connection: &Connection, name: &Name) -> Result<()> {
    let view = view::free_name(connection, name)?;
    connection
        .execute(
            "INSERT INTO _storage_collections (name, view, fields) VALUES (?1, ?2, '[]')",
            params![name.as_str(), view],
        )
        .map_err(classify)?;
    let number = connection.last_insert_rowid();
    // A row number of its own, because VACUUM may renumber implicit ones and the indexes refer to it.
    connection
        .execute_batch(&format!(
            "CREATE TABLE _storage_documents_{number} (
                 row INTEGER PRIMARY KEY,
                 id TEXT NOT NULL UNIQUE,
                 body TEXT NOT NULL,
                 version TEXT NOT NULL,
                 expires_at INTEGER
             );
             CREATE INDEX _storage_expiry_{number} ON _storage_documents_{number} (expires_at)
                 WHERE expires_at IS NOT NULL;"
        ))
        .map_err(classify)?;
    view::define(connection, number, &view, &[])
}

impl Collection {
    fn load(connection: &Connection, name: &Name) -> Result<Option<Self>> {
        let mut statement = connection
            .prepare_cached("SELECT collection, view, fields FROM _storage_collections WHERE name = ?1")
            .map_err(classify)?;
        let found = statement
            .query_row([name.as_str()], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                ))
            })
            .optional()
            .map_err(classify)?;
        let Some((number, view, fields)) = found else {
            return Ok(None);
        };
        let mut indexes = Vec::new();
        let mut statement = connection
            .prepare_cached(
                "SELECT number, definition FROM _storage_indexes WHERE collection = ?1 ORDER BY name",
            )
            .map_err(classify)?;
        let mut rows = statement.query([number]).map_err(classify)?;
        while let Some(row) = rows.next().map_err(classify)? {
            let definition: String = row.get(1).map_err(classify)?;
            let index = serde_json::from_str(&definition).map_err(|error| {
                Error::corrupt(name.as_str(), "the definition of an index cannot be read").with_source(error)
            })?;
            indexes.push(IndexTable::new(number, row.get(0).map_err(classify)?, index));
        }
        let fields = view::Fields::read(view, &fields)?;
        Ok(Some(Self {
            number,
            definitions: indexes.iter().map(|table| table.index.clone()).collect(),
            indexes,
            fields,
            sql: DocumentSql::new(number),
        }))
    }

    /// One of its indexes.
    pub(crate) fn index(&self, name: &str) -> Option<&IndexTable> {
        self.indexes.iter().find(|table| table.index.name == name)
    }
}

impl DocumentSql {
    fn new(number: i64) -> Self {
        let table = format!("_storage_documents_{number}");
        Self {
            point: format!(
                "SELECT version, expires_at, CASE WHEN octet_length(body) <= ?3 THEN body END FROM {table}
                 WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?2)"
            ),
            current: format!("SELECT row, id, version, expires_at, body FROM {table} WHERE id = ?1"),
            by_row: format!("SELECT row, id, version, expires_at, body FROM {table} WHERE row = ?1"),
            after_id: format!(
                "SELECT row, id, version, expires_at, body FROM {table}
                 WHERE id > ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY id"
            ),
            count: format!(
                "SELECT (SELECT count(*) FROM {table})
                     - (SELECT count(*) FROM {table} WHERE expires_at IS NOT NULL AND expires_at <= ?1)"
            ),
            insert: format!("INSERT INTO {table} (id, body, version, expires_at) VALUES (?1, ?2, ?3, ?4)"),
            insert_new: format!(
                "INSERT INTO {table} (id, body, version, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING"
            ),
            update: format!("UPDATE {table} SET body = ?2, version = ?3, expires_at = ?4 WHERE row = ?1"),
            delete: format!("DELETE FROM {table} WHERE row = ?1"),
            expired: format!(
                "SELECT row, id, version, expires_at, body FROM {table}
                 WHERE expires_at IS NOT NULL AND expires_at <= ?1 LIMIT ?2"
            ),
        }
    }
}

impl IndexTable {
    pub(crate) fn new(collection: i64, number: i64, index: Index) -> Self {
        let documents = format!("_storage_documents_{collection}");
        let table = format!("_storage_index_{number}");
        // CROSS JOIN keeps SQLite from turning the two tables round.
        let live_where = |keys: &str, now: &str| {
            format!(
                "FROM {table} AS i CROSS JOIN {documents} AS d ON d.row=i.doc WHERE {keys} AND (d.expires_at IS NULL OR d.expires_at>{now})"
            )
        };
        let live = live_where("(i.key,i.id)>(?1,?2) AND i.key<?3", "?4");
        let columns = "d.row,i.id,d.version,d.expires_at,d.body";
        Self {
            insert: format!("INSERT OR REPLACE INTO {table} (key, id, doc) VALUES (?1, ?2, ?3)"),
            delete: format!("DELETE FROM {table} WHERE key = ?1 AND id = ?2"),
            delete_row: format!("DELETE FROM {table} WHERE doc = ?1"),
            range: format!("SELECT {columns} {live} ORDER BY i.key,i.id"),
            range_from: format!(
                "SELECT {columns} {} ORDER BY i.key,i.id",
                live_where("i.key>=?1 AND i.key<?2", "?3")
            ),
            equal: format!("SELECT {columns} {} ORDER BY i.id", live_where("i.key=?1", "?2")),
            range_rows: format!("SELECT d.row, i.id {live}"),
            range_count: format!("SELECT count(*) {live}"),
            last_key: format!("SELECT key FROM {table} WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 1"),
            holders: format!(
                "SELECT d.row, d.id, d.version, d.expires_at, d.body FROM {table} AS i
                 CROSS JOIN {documents} AS d ON d.row = i.doc WHERE i.key = ?1 AND i.id <> ?2"
            ),
            stats: format!(
                "SELECT count(DISTINCT i.key), count(*) FROM {table} AS i CROSS JOIN {documents} AS d ON d.row = i.doc
                 WHERE d.expires_at IS NULL OR d.expires_at > ?1"
            ),
            number,
            index,
        }
    }

    /// The SQL that creates the table. The id is part of the key so that equal keys come in the order of ids without sorting; the row
    /// is there so that a document is one step away. Entries are small, so they live in the B-tree of their key.
    pub(crate) fn create(number: i64) -> String {
        format!(
            "CREATE TABLE _storage_index_{number} (
                 key BLOB NOT NULL,
                 id TEXT NOT NULL,
                 doc INTEGER NOT NULL,
                 PRIMARY KEY (key, id)
             ) WITHOUT ROWID"
        )
    }

    /// The SQL that drops the table.
    pub(crate) fn drop(number: i64) -> String {
        format!("DROP TABLE _storage_index_{number}")
    }
}
