//! Indexes: the entries of each document, and building, dropping and counting them.

use rusqlite::params;
use storage_core::bson::RawDocument;
use storage_core::{Error, ErrorKind, Index, IndexInfo, IndexStats, Name, PutRequest, Result, Timestamp};

use crate::catalog::{Collection, IndexTable};
use crate::connect::Session;
use crate::documents::{self, Stored, cached};
use crate::error::classify;

/// The longest key, in bytes, as declared: what every backend of ours takes, so that data can move.
pub(crate) const MAX_KEY_BYTES: u64 = 512;

/// The keys a document will have in each index, in their order. Expired documents that hold one of its unique keys are purged.
pub(crate) fn keys(
    session: &Session,
    collection: &Collection,
    request: &PutRequest,
) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut all = Vec::with_capacity(collection.indexes.len());
    for table in &collection.indexes {
        let keys = table.index.keys(&request.body, MAX_KEY_BYTES)?;
        if table.index.unique && keys.complete {
            for key in &keys.keys {
                claim(session, collection, table, key, request.id.as_str(), request.now)?;
            }
        }
        all.push(keys.keys);
    }
    Ok(all)
}

/// Makes sure that nobody else holds a key of a unique index; who is expired gives way.
fn claim(
    session: &Session,
    collection: &Collection,
    table: &IndexTable,
    key: &[u8],
    id: &str,
    now: Timestamp,
) -> Result<()> {
    let mut expired = Vec::new();
    {
        let mut statement = cached(session, &table.holders)?;
        let mut rows = statement.query(params![key, id]).map_err(classify)?;
        while let Some(row) = rows.next().map_err(classify)? {
            let holder = Stored::of(row)?;
            if !holder.is_live(now) {
                expired.push(holder);
            } else if table.index.keys(&holder.document()?, u64::MAX)?.complete {
                return Err(Error::unique_violation(&table.index.name, holder.id));
            }
        }
    }
    expired
        .iter()
        .try_for_each(|holder| documents::remove(session, collection, holder))
}

/// Replaces the entries of a document: those of its old body by the new keys, index by index. No new keys at all means none.
pub(crate) fn replace(
    session: &Session,
    collection: &Collection,
    id: &str,
    row: i64,
    old: Option<&RawDocument>,
    new: &[Vec<Vec<u8>>],
) -> Result<()> {
    for (at, table) in collection.indexes.iter().enumerate() {
        let new: &[Vec<u8>] = new.get(at).map_or(&[], Vec::as_slice);
        // What is stored fitted the index when it came in; where it does not, an expired document met a newer index.
        let old = old
            .and_then(|old| table.index.keys(old, u64::MAX).ok())
            .unwrap_or_default()
            .keys;
        for key in old.iter().filter(|key| !new.contains(key)) {
            cached(session, &table.delete)?
                .execute(params![key, id])
                .map_err(classify)?;
        }
        for key in new.iter().filter(|key| !old.contains(key)) {
            cached(session, &table.insert)?
                .execute(params![key, id, row])
                .map_err(classify)?;
        }
    }
    Ok(())
}

/// Removes the entries of a row whose body cannot be read: by a walk through every index.
pub(crate) fn forget_row(session: &Session, collection: &Collection, row: i64) -> Result<()> {
    for table in &collection.indexes {
        cached(session, &table.delete_row)?
            .execute([row])
            .map_err(classify)?;
    }
    Ok(())
}

/// Creates an index and fills it; `false` if it is there already.
pub(crate) fn ensure(session: &mut Session, name: &Name, index: &Index, now: Timestamp) -> Result<bool> {
    let collection = session.catalog.obtain(&session.connection, name)?;
    if let Some(existing) = collection.index(&index.name) {
        if existing.index == *index {
            return Ok(false);
        }
        let message = format!(
            "index {:?} exists with another definition; drop it first",
            index.name
        );
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    build(session, &collection, index, now)?;
    Ok(true)
}

/// Drops an index; `true` if it was there.
pub(crate) fn drop(session: &mut Session, name: &Name, index: &Name) -> Result<bool> {
    let Some(collection) = session.catalog.collection(&session.connection, name)? else {
        return Ok(false);
    };
    let Some(table) = collection.index(index.as_str()) else {
        return Ok(false);
    };
    unregister(session, table.number)?;
    Ok(true)
}

/// Builds an index anew under another number, so that readers keep the old one until all is done.
pub(crate) fn rebuild(session: &mut Session, name: &Name, index: &Name, now: Timestamp) -> Result<()> {
    let collection = session.catalog.collection(&session.connection, name)?;
    let found = collection
        .as_ref()
        .and_then(|collection| Some((collection, collection.index(index.as_str())?)));
    let (collection, table) = found.ok_or_else(|| missing(index))?;
    unregister(session, table.number)?;
    build(session, collection, &table.index, now)
}

/// The indexes of a collection, by name.
pub(crate) fn list(session: &mut Session, name: &Name) -> Result<Vec<IndexInfo>> {
    let collection = session.catalog.collection(&session.connection, name)?;
    let indexes = collection
        .map(|collection| collection.definitions.clone())
        .unwrap_or_default();
    // An index is built in the transaction that registers it, so those that can be seen are ready.
    Ok(indexes
        .into_iter()
        .map(|index| IndexInfo { index, ready: true })
        .collect())
}

/// Figures about an index.
pub(crate) fn stats(session: &mut Session, name: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
    let collection = session.catalog.collection(&session.connection, name)?;
    let table = collection
        .as_ref()
        .and_then(|collection| collection.index(index.as_str()));
    let table = table.ok_or_else(|| missing(index))?;
    let mut statement = cached(session, &table.stats)?;
    let (keys, entries) = statement
        .query_row([now.as_millis()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .map_err(classify)?;
    Ok(IndexStats {
        unique_keys: keys.unsigned_abs(),
        total_entries: entries.unsigned_abs(),
    })
}

fn missing(index: &Name) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no index {:?}", index.as_str()),
    )
}

fn unregister(session: &mut Session, number: i64) -> Result<()> {
    cached(session, "DELETE FROM _storage_indexes WHERE number = ?1")?
        .execute([number])
        .map_err(classify)?;
    session
        .connection
        .execute_batch(&IndexTable::drop(number))
        .map_err(classify)?;
    session.catalog.changed();
    Ok(())
}

/// Registers an index and fills its table from the documents, one at a time.
fn build(session: &mut Session, collection: &Collection, index: &Index, now: Timestamp) -> Result<()> {
    let definition = serde_json::to_string(index).map_err(|error| {
        Error::invalid_argument("the definition of the index cannot be written").with_source(error)
    })?;
    cached(
        session,
        "INSERT INTO _storage_indexes (collection, name, definition) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![collection.number, index.name, definition])
    .map_err(classify)?;
    let number = session.connection.last_insert_rowid();
    session
        .connection
        .execute_batch(&IndexTable::create(number))
        .map_err(classify)?;
    session.catalog.changed();
    let table = IndexTable::new(collection.number, number, index.clone());
    let mut statement = cached(session, &collection.sql.after_id)?;
    let mut rows = statement.query(params!["", now.as_millis()]).map_err(classify)?;
    let mut insert = cached(session, &table.insert)?;
    while let Some(row) = rows.next().map_err(classify)? {
        let stored = Stored::of(row)?;
        let of_document = |error: Error| error.with_context("document", &*stored.id);
        let keys = index
            .keys(&stored.document()?, MAX_KEY_BYTES)
            .map_err(of_document)?;
        for key in keys.keys {
            if index.unique && keys.complete {
                claim(session, collection, &table, &key, &stored.id, now).map_err(of_document)?;
            }
            insert
                .execute(params![key, stored.id, stored.row])
                .map_err(classify)?;
        }
    }
    Ok(())
}
