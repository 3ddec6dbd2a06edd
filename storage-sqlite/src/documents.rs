//! Documents: reading them one by one, and writing and deleting them together with their index entries.

mod put;

use std::sync::Arc;

use rusqlite::{CachedStatement, OptionalExtension, Row, params};
use storage_core::bson::RawDocumentBuf;
use storage_core::value::{Style, read_document, write_document};
use storage_core::{
    BatchOperation, Condition, DeleteDocumentRequest, DocumentGuard, DocumentId, Error, ErrorKind, Name,
    PutRequest, Result, StoredDocument, Timestamp, Version,
};

pub(crate) use self::put::{put, put_many};
use crate::catalog::Collection;
use crate::connect::Session;
use crate::error::classify;
use crate::indexes;
use crate::short::Short;

/// A put with its body already written as JSON: that needs neither the database nor the thread that writes.
#[derive(Debug)]
pub(crate) struct Prepared {
    request: PutRequest,
    json: String,
}

/// An operation of a batch, prepared.
#[derive(Debug)]
pub(crate) enum Operation {
    Put(Prepared),
    Delete(DeleteDocumentRequest),
}

/// A document as its row says, the body not yet read. It lasts as long as SQLite stays on the row.
#[derive(Debug)]
pub(crate) struct Candidate<'row> {
    pub(crate) row: i64,
    pub(crate) id: &'row str,
    pub(crate) version: Version,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) body: &'row [u8],
}

/// A copy of it, which lasts.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) row: i64,
    pub(crate) id: String,
    pub(crate) version: Version,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) body: Vec<u8>,
}

impl Prepared {
    pub(crate) fn new(request: PutRequest) -> Result<Self> {
        let json = write_document(&request.body, Style::Compact)?;
        Ok(Self { request, json })
    }

    /// About how much the writer will write.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len()
    }
}

impl Operation {
    pub(crate) fn new(operation: BatchOperation) -> Result<Self> {
        Ok(match operation {
            BatchOperation::Put(request) => Self::Put(Prepared::new(request)?),
            BatchOperation::Delete(request) => Self::Delete(request),
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Put(put) => put.bytes(),
            Self::Delete(_) => 0,
        }
    }
}

impl<'row> Candidate<'row> {
    /// From the columns row, id, version, expires_at, body.
    pub(crate) fn of(row: &'row Row<'_>) -> Result<Self> {
        let id = row.get_ref(1).and_then(|value| Ok(value.as_str()?));
        let id = id.map_err(classify)?;
        let body = row.get_ref(4).and_then(|value| Ok(value.as_bytes()?));
        Ok(Self {
            row: row.get(0).map_err(classify)?,
            version: version(row, 2, id)?,
            expires_at: row
                .get::<_, Option<i64>>(3)
                .map_err(classify)?
                .map(Timestamp::from_millis),
            body: body.map_err(|error| classify(error).with_key(id))?,
            id,
        })
    }

    /// The fields.
    pub(crate) fn document(&self) -> Result<RawDocumentBuf> {
        read_body(self.body, self.id)
    }

    pub(crate) fn with_body(self, body: RawDocumentBuf) -> Result<StoredDocument> {
        Ok(StoredDocument {
            id: DocumentId::new(self.id)?,
            version: self.version,
            expires_at: self.expires_at,
            body,
        })
    }
}

impl Stored {
    /// From the columns row, id, version, expires_at, body.
    pub(crate) fn of(row: &Row<'_>) -> Result<Self> {
        let Candidate {
            row,
            id,
            version,
            expires_at,
            body,
        } = Candidate::of(row)?;
        Ok(Self {
            row,
            id: id.to_owned(),
            version,
            expires_at,
            body: body.to_vec(),
        })
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }

    /// The fields.
    pub(crate) fn document(&self) -> Result<RawDocumentBuf> {
        read_body(&self.body, &self.id)
    }

    pub(crate) fn into_document(self) -> Result<StoredDocument> {
        let body = self.document()?;
        Ok(StoredDocument {
            id: DocumentId::new(self.id)?,
            version: self.version,
            expires_at: self.expires_at,
            body,
        })
    }
}

fn read_body(json: &[u8], id: &str) -> Result<RawDocumentBuf> {
    read_document(json).map_err(|error| {
        Error::corrupt(
            id,
            "what is stored is not a document; delete it, or repair its body in the database",
        )
        .with_source(error)
    })
}

/// The version in a column of the entry named `key`.
pub(crate) fn version(row: &Row<'_>, column: usize, key: &str) -> Result<Version> {
    let value = row
        .get_ref(column)
        .map_err(|error| classify(error).with_key(key))?;
    let text = value
        .as_str()
        .map_err(|_| Error::corrupt(key, "its version is not text"))?;
    text.parse()
        .map_err(|error| Error::corrupt(key, "its version cannot be read").with_source(error))
}

/// The longest body read on the calling thread, in bytes: parsing it takes well under a millisecond.
const SHORT_BODY_BYTES: i64 = 256 * 1024;

/// Reads a document, if its body is at most `longest` bytes of JSON.
fn read(
    session: &mut Session,
    name: &Name,
    id: &DocumentId,
    now: Timestamp,
    longest: i64,
) -> Result<Short<Option<StoredDocument>>> {
    let Some(collection) = session.catalog.collection(&session.connection, name)? else {
        return Ok(Short::Done(None));
    };
    let mut statement = session
        .connection
        .prepare_cached(&collection.sql.point)
        .map_err(classify)?;
    let mut rows = statement
        .query(params![id.as_str(), now.as_millis(), longest])
        .map_err(classify)?;
    let Some(row) = rows.next().map_err(classify)? else {
        return Ok(Short::Done(None));
    };
    let body = match row.get_ref(2).map_err(classify)? {
        rusqlite::types::ValueRef::Null => return Ok(Short::TooLong),
        value => value
            .as_bytes()
            .map_err(|error| classify(error.into()).with_key(id.as_str()))?,
    };
    let body = read_body(body, id.as_str())?;
    let expires_at: Option<i64> = row.get(1).map_err(classify)?;
    Ok(Short::Done(Some(StoredDocument {
        id: id.clone(),
        version: version(row, 0, id.as_str())?,
        expires_at: expires_at.map(Timestamp::from_millis),
        body,
    })))
}

/// Reads a document on the calling thread.
pub(crate) fn read_short(
    session: &mut Session,
    name: &Name,
    id: &DocumentId,
    now: Timestamp,
) -> Result<Short<Option<StoredDocument>>> {
    read(session, name, id, now, SHORT_BODY_BYTES)
}

/// Reads a document of any length.
pub(crate) fn read_long(
    session: &mut Session,
    name: &Name,
    id: &DocumentId,
    now: Timestamp,
) -> Result<Option<StoredDocument>> {
    match read(session, name, id, now, i64::MAX)? {
        Short::Done(document) => Ok(document),
        Short::TooLong => Err(Error::corrupt(id.as_str(), "its body is missing")),
    }
}

/// Deletes one document and its index entries; `true` if it was there.
pub(crate) fn delete(session: &mut Session, name: &Name, request: &DeleteDocumentRequest) -> Result<bool> {
    check_guard(session, request.guard.as_ref(), request.now)?;
    let collection = session.catalog.collection(&session.connection, name)?;
    let current = match &collection {
        Some(collection) => current(session, collection, request.id.as_str())?,
        None => None,
    };
    let live = current.as_ref().filter(|stored| stored.is_live(request.now));
    if let Some(expected) = &request.if_version {
        Condition::IfVersion(expected.clone()).check(live.map(|stored| &stored.version))?;
        // A condition says what the caller believes is there; what cannot be read is not that.
        live.map(Stored::document).transpose()?;
    }
    let was_there = live.is_some();
    if let (Some(collection), Some(stored)) = (&collection, &current) {
        remove(session, collection, stored)?;
    }
    Ok(was_there)
}

/// Removes a row and its index entries.
pub(crate) fn remove(session: &Session, collection: &Collection, stored: &Stored) -> Result<()> {
    match stored.document() {
        Ok(body) => indexes::replace(session, collection, &stored.id, stored.row, Some(&body), &[])?,
        Err(_) => indexes::forget_row(session, collection, stored.row)?,
    }
    cached(session, &collection.sql.delete)?
        .execute([stored.row])
        .map_err(classify)?;
    Ok(())
}

/// Applies operations in order, up to the first that is refused.
pub(crate) fn commit(
    session: &mut Session,
    operations: &[(Name, Operation)],
) -> Result<Vec<Option<Version>>> {
    let mut versions = Vec::with_capacity(operations.len());
    for (at, (name, operation)) in operations.iter().enumerate() {
        let outcome = match operation {
            Operation::Put(prepared) => put(session, name, prepared).map(Some),
            Operation::Delete(request) => delete(session, name, request).map(|_| None),
        };
        versions.push(outcome.map_err(|error| error.with_context("operation", at.to_string()))?);
    }
    Ok(versions)
}

/// The names of collections after one, in byte order.
pub(crate) fn collections(session: &Session, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
    names(
        session,
        "SELECT name FROM _storage_collections WHERE name > ?1 ORDER BY name LIMIT ?2",
        after,
        limit,
    )
}

/// One page of names. The empty name does not exist, so it stands before all.
pub(crate) fn names(session: &Session, sql: &str, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
    let after = after.map_or("", Name::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = cached(session, sql)?;
    let names = statement
        .query_map(params![after, limit], |row| row.get::<_, String>(0))
        .map_err(classify)?;
    names.map(|name| Name::new(name.map_err(classify)?)).collect()
}

fn check_guard(session: &mut Session, guard: Option<&DocumentGuard>, now: Timestamp) -> Result<()> {
    let Some(guard) = guard else { return Ok(()) };
    let document = match session
        .catalog
        .collection(&session.connection, &guard.collection)?
    {
        Some(collection) => current(session, &collection, guard.id.as_str())?,
        None => None,
    };
    match document.filter(|stored| stored.is_live(now)) {
        Some(stored) if stored.version == guard.version => Ok(()),
        _ => Err(Error::guard_failed(guard.id.as_str())),
    }
}

fn current(session: &Session, collection: &Arc<Collection>, id: &str) -> Result<Option<Stored>> {
    let mut statement = cached(session, &collection.sql.current)?;
    let mut rows = statement.query([id]).map_err(classify)?;
    rows.next().map_err(classify)?.map(Stored::of).transpose()
}

/// The document of a row that an index or an order named.
pub(crate) fn by_row(session: &Session, collection: &Collection, row: i64) -> Result<Stored> {
    let mut statement = cached(session, &collection.sql.by_row)?;
    let stored = statement
        .query_row([row], |row| Ok(Stored::of(row)))
        .optional()
        .map_err(classify)?;
    stored.ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            "an index names a document that is not there; rebuild the index",
        )
    })?
}

/// A prepared statement, kept by the connection.
pub(crate) fn cached<'a>(session: &'a Session, sql: &str) -> Result<CachedStatement<'a>> {
    session.connection.prepare_cached(sql).map_err(classify)
}
