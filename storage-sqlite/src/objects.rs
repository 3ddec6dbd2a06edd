//! Objects: small ones in their row, larger ones as chunks under a generation that the row names.

mod list;
mod staging;
mod stream;

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use rusqlite::params;
use storage_core::{
    Area, ByteRange, Condition, Error, Key, Object, ObjectMeta, ReadRequest, Result, Timestamp, Version,
    WriteRequest,
};

pub(crate) use self::list::list;
pub(crate) use self::staging::sweep_one;
use self::staging::{generation, stage};
pub(crate) use self::stream::{STAGE_BYTES, Stream};
use crate::connect::Session;
use crate::documents::{cached, version};
use crate::error::classify;
use crate::schema::CHUNK_BITS;
use crate::short::Short;

/// The largest object that stays in its row, in bytes: up to here one look at one B-tree reads it.
const INLINE_BYTES: usize = 64 * 1024;
/// The size of a chunk. SQLite reads a value of this size with few page chains, and a ranged read wastes at most two of them.
const CHUNK_BYTES: usize = 256 * 1024;
/// The largest object: as many chunks as a generation numbers.
pub(crate) const MAX_OBJECT_BYTES: u64 = (CHUNK_BYTES as u64) << CHUNK_BITS;
/// The most bytes read on the calling thread.
const SHORT_READ_BYTES: u64 = 256 * 1024;

/// An object as its row says.
#[derive(Debug)]
struct Stored {
    object: i64,
    meta: ObjectMeta,
    generation: Option<i64>,
}

const fn area_number(area: Area) -> i64 {
    match area {
        Area::Objects => 0,
        Area::Overlay => 1,
    }
}

fn stored(session: &Session, area: Area, key: &Key) -> Result<Option<Stored>> {
    let mut statement = cached(
        session,
        "SELECT object, size, version, modified, generation FROM _storage_objects WHERE area = ?1 AND key = ?2",
    )?;
    let mut rows = statement
        .query(params![area_number(area), key.as_str()])
        .map_err(classify)?;
    let Some(row) = rows.next().map_err(classify)? else {
        return Ok(None);
    };
    Ok(Some(Stored {
        object: row.get(0).map_err(classify)?,
        meta: meta(row, 1, key.as_str())?,
        generation: row.get(4).map_err(classify)?,
    }))
}

/// From the columns size, version, modified.
fn meta(row: &rusqlite::Row<'_>, first: usize, key: &str) -> Result<ObjectMeta> {
    let size: i64 = row.get(first).map_err(classify)?;
    let modified: i64 = row.get(first + 2).map_err(classify)?;
    Ok(ObjectMeta {
        size: u64::try_from(size).map_err(|_| Error::corrupt(key, "its size is below zero"))?,
        version: version(row, first + 1, key)?,
        modified: Some(Timestamp::from_millis(modified)),
    })
}

/// Facts about an object.
pub(crate) fn stat(session: &Session, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
    Ok(stored(session, area, key)?.map(|stored| stored.meta))
}

/// Reads an object or a range of it, if that is short. Needs a snapshot, so that row and chunks belong together.
pub(crate) fn read_short(
    session: &Session,
    area: Area,
    key: &Key,
    request: &ReadRequest,
) -> Result<Short<Option<Object>>> {
    read(session, area, key, request, SHORT_READ_BYTES)
}

/// Reads an object or a range of it. Needs a snapshot.
pub(crate) fn read_long(
    session: &Session,
    area: Area,
    key: &Key,
    request: &ReadRequest,
) -> Result<Option<Object>> {
    read(session, area, key, request, u64::MAX)?.unbounded()
}

fn read(
    session: &Session,
    area: Area,
    key: &Key,
    request: &ReadRequest,
    longest: u64,
) -> Result<Short<Option<Object>>> {
    let Some(stored) = stored(session, area, key)? else {
        return Ok(Short::Done(None));
    };
    stored.meta.check_read(request)?;
    let range = request
        .range
        .unwrap_or(ByteRange::From(0))
        .resolve(stored.meta.size);
    if range.end - range.start > longest {
        return Ok(Short::TooLong);
    }
    let bytes = if range.is_empty() {
        Bytes::new()
    } else if let Some(generation) = stored.generation {
        chunks(session, generation, &range, key)?
    } else {
        inline(session, &stored, &range, key)?
    };
    Ok(Short::Done(Some(Object {
        meta: stored.meta,
        range,
        bytes,
    })))
}

fn incomplete(key: &Key) -> Error {
    Error::corrupt(
        key.as_str(),
        "bytes of the object are missing from the database; restore it, or write it anew",
    )
}

fn inline(session: &Session, stored: &Stored, range: &std::ops::Range<u64>, key: &Key) -> Result<Bytes> {
    let mut statement = cached(session, "SELECT bytes FROM _storage_objects WHERE object = ?1")?;
    let mut rows = statement.query([stored.object]).map_err(classify)?;
    let row = rows.next().map_err(classify)?.ok_or_else(|| incomplete(key))?;
    let bytes = row
        .get_ref(0)
        .map_err(classify)?
        .as_blob()
        .map_err(|_| incomplete(key))?;
    let whole = bytes.len() as u64 == stored.meta.size;
    let part = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok());
    let part = part
        .filter(|_| whole)
        .and_then(|(start, end)| bytes.get(start..end));
    part.map(Bytes::copy_from_slice).ok_or_else(|| incomplete(key))
}

/// Reads only the chunks the range touches.
fn chunks(session: &Session, generation: i64, range: &std::ops::Range<u64>, key: &Key) -> Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(|_| {
        Error::limit_exceeded("the range in bytes", usize::MAX as u64, range.end - range.start)
    })?;
    let size = CHUNK_BYTES as u64;
    let first = range.start / size;
    let mut bytes = BytesMut::with_capacity(length);
    let mut statement = cached(
        session,
        "SELECT chunk, bytes FROM _storage_chunks WHERE chunk BETWEEN ?1 AND ?2 ORDER BY chunk",
    )?;
    let mut rows = statement
        .query([
            chunk_number(generation, first),
            chunk_number(generation, (range.end - 1) / size),
        ])
        .map_err(classify)?;
    let mut position = first;
    while let Some(row) = rows.next().map_err(classify)? {
        if row.get::<_, i64>(0).map_err(classify)? != chunk_number(generation, position) {
            return Err(incomplete(key));
        }
        let chunk = row
            .get_ref(1)
            .map_err(classify)?
            .as_blob()
            .map_err(|_| incomplete(key))?;
        let start = position * size;
        let within =
            |offset: u64| usize::try_from(offset.saturating_sub(start).min(size)).unwrap_or(CHUNK_BYTES);
        bytes.extend_from_slice(
            chunk
                .get(within(range.start)..within(range.end))
                .ok_or_else(|| incomplete(key))?,
        );
        position += 1;
    }
    if bytes.len() != length {
        return Err(incomplete(key));
    }
    Ok(bytes.freeze())
}

/// Chunks of an object stand together, in order.
fn chunk_number(generation: i64, position: u64) -> i64 {
    // Positions stay below 2^CHUNK_BITS because sizes are checked against the largest object.
    (generation << CHUNK_BITS) | i64::try_from(position).unwrap_or(i64::MAX >> (64 - CHUNK_BITS))
}

/// Decides condition and guard of a write; gives what is there now.
fn admit(session: &Session, area: Area, key: &Key, request: &WriteRequest) -> Result<Option<Stored>> {
    let current = stored(session, area, key)?;
    request
        .condition
        .check(current.as_ref().map(|stored| &stored.meta.version))?;
    if let Some(guard) = &request.guard {
        let guarding = stored(session, area, &guard.key)?;
        if guarding.map(|stored| stored.meta.version).as_ref() != Some(&guard.version) {
            return Err(Error::guard_failed(guard.key.as_str()));
        }
    }
    Ok(current)
}

/// What an object's row is to say.
struct NewRow<'a> {
    size: u64,
    generation: Option<i64>,
    bytes: Option<&'a [u8]>,
}

/// Replaces the row of an object, and frees the chunks it named.
fn replace(
    session: &Session,
    area: Area,
    key: &Key,
    current: Option<&Stored>,
    new: &NewRow<'_>,
) -> Result<Version> {
    let version = Version::random();
    let size = i64::try_from(new.size)
        .map_err(|_| Error::limit_exceeded("the size of the object", MAX_OBJECT_BYTES, new.size))?;
    if let Some(generation) = current.and_then(|stored| stored.generation) {
        free(session, generation)?;
    }
    cached(
        session,
        "INSERT INTO _storage_objects (area, key, size, version, modified, generation, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (area, key) DO UPDATE SET size = excluded.size, version = excluded.version,
             modified = excluded.modified, generation = excluded.generation, bytes = excluded.bytes",
    )?
    .execute(params![
        area_number(area),
        key.as_str(),
        size,
        version.to_string(),
        Timestamp::from(SystemTime::now()).as_millis(),
        new.generation,
        new.bytes
    ])
    .map_err(classify)?;
    Ok(version)
}

/// Deletes every chunk of a generation.
fn free(session: &Session, generation: i64) -> Result<()> {
    cached(
        session,
        "DELETE FROM _storage_chunks WHERE chunk >= ?1 AND chunk < ?2",
    )?
    .execute([chunk_number(generation, 0), chunk_number(generation + 1, 0)])
    .map_err(classify)?;
    Ok(())
}

/// Writes an object that is in memory, in one transaction.
pub(crate) fn write(
    session: &Session,
    area: Area,
    key: &Key,
    bytes: &Bytes,
    request: &WriteRequest,
    handle: &str,
) -> Result<Version> {
    let current = admit(session, area, key, request)?;
    let size = bytes.len() as u64;
    if bytes.len() <= INLINE_BYTES {
        return replace(
            session,
            area,
            key,
            current.as_ref(),
            &NewRow {
                size,
                generation: None,
                bytes: Some(bytes),
            },
        );
    }
    let generation = generation(session, handle)?;
    stage(session, handle, generation, 0, std::slice::from_ref(bytes))?;
    staging::settle(session, handle, generation)?;
    replace(
        session,
        area,
        key,
        current.as_ref(),
        &NewRow {
            size,
            generation: Some(generation),
            bytes: None,
        },
    )
}

/// Deletes an object.
pub(crate) fn delete(session: &Session, area: Area, key: &Key, if_version: Option<&Version>) -> Result<()> {
    let current = stored(session, area, key)?;
    if let Some(expected) = if_version {
        Condition::IfVersion(expected.clone()).check(current.as_ref().map(|stored| &stored.meta.version))?;
    }
    let Some(current) = current else { return Ok(()) };
    if let Some(generation) = current.generation {
        free(session, generation)?;
    }
    cached(session, "DELETE FROM _storage_objects WHERE object = ?1")?
        .execute([current.object])
        .map_err(classify)?;
    Ok(())
}

/// Copies an object within its area, without its bytes leaving the database.
pub(crate) fn copy(
    session: &Session,
    area: Area,
    from: &Key,
    to: &Key,
    request: &WriteRequest,
    handle: &str,
) -> Result<Option<Version>> {
    let Some(source) = stored(session, area, from)? else {
        return Ok(None);
    };
    let current = admit(session, area, to, request)?;
    let size = source.meta.size;
    let version = if let Some(old) = source.generation {
        let new = generation(session, handle)?;
        cached(
            session,
            "INSERT INTO _storage_chunks (chunk, bytes)
             SELECT chunk - ?1 + ?2, bytes FROM _storage_chunks WHERE chunk >= ?1 AND chunk < ?3",
        )?
        .execute([
            chunk_number(old, 0),
            chunk_number(new, 0),
            chunk_number(old + 1, 0),
        ])
        .map_err(classify)?;
        staging::settle(session, handle, new)?;
        replace(
            session,
            area,
            to,
            current.as_ref(),
            &NewRow {
                size,
                generation: Some(new),
                bytes: None,
            },
        )?
    } else {
        let bytes = inline(session, &source, &(0..size), from)?;
        replace(
            session,
            area,
            to,
            current.as_ref(),
            &NewRow {
                size,
                generation: None,
                bytes: Some(&bytes),
            },
        )?
    };
    Ok(Some(version))
}
