//! Staging: chunks under a generation no object names yet, so nobody sees them.

use std::time::SystemTime;

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};
use storage_core::{Area, Error, ErrorKind, Key, Result, Timestamp, Version, WriteRequest};

use super::{CHUNK_BYTES, NewRow, admit, chunk_number, free, replace};
use crate::connect::Session;
use crate::documents::cached;
use crate::error::classify;

/// How many chunks one step of sweeping deletes, so that others are not kept waiting.
const SWEEP_CHUNKS: i64 = 64;

/// A new generation, marked as staged by this handle now. Its number is never used again.
pub(crate) fn generation(session: &Session, handle: &str) -> Result<i64> {
    cached(
        session,
        "INSERT INTO _storage_generations (handle, touched) VALUES (?1, ?2)",
    )?
    .execute(params![handle, Timestamp::from(SystemTime::now()).as_millis()])
    .map_err(classify)?;
    Ok(session.connection.last_insert_rowid())
}

/// Adds pieces from a chunk position on; every piece but the last of an object is a multiple of the chunk size long. Marks the
/// generation as alive.
pub(crate) fn stage(
    session: &Session,
    handle: &str,
    generation: i64,
    position: u64,
    pieces: &[Bytes],
) -> Result<()> {
    let alive = cached(
        session,
        "UPDATE _storage_generations SET touched = ?3 WHERE generation = ?1 AND handle = ?2",
    )?
    .execute(params![
        generation,
        handle,
        Timestamp::from(SystemTime::now()).as_millis()
    ])
    .map_err(classify)?;
    if alive == 0 {
        return Err(swept());
    }
    let mut insert = cached(
        session,
        "INSERT INTO _storage_chunks (chunk, bytes) VALUES (?1, ?2)",
    )?;
    let chunks = pieces.iter().flat_map(|piece| piece.chunks(CHUNK_BYTES));
    for (position, chunk) in (position..).zip(chunks) {
        insert
            .execute(params![chunk_number(generation, position), chunk])
            .map_err(classify)?;
    }
    Ok(())
}

/// Takes the mark off a generation: from now on an object names it.
pub(super) fn settle(session: &Session, handle: &str, generation: i64) -> Result<()> {
    let alive = cached(
        session,
        "DELETE FROM _storage_generations WHERE generation = ?1 AND handle = ?2",
    )?
    .execute(params![generation, handle])
    .map_err(classify)?;
    if alive == 0 { Err(swept()) } else { Ok(()) }
}

fn swept() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the streamed write rested so long that it was swept; write it again",
    )
}

/// Makes an object of a staged generation. A refusal frees what was staged, in the same transaction.
pub(crate) fn publish(
    session: &Session,
    area: Area,
    key: &Key,
    request: &WriteRequest,
    handle: &str,
    generation: i64,
    size: u64,
) -> Result<Result<Version>> {
    let current = match admit(session, area, key, request) {
        Ok(current) => current,
        Err(refusal) => {
            discard(session, handle, generation)?;
            return Ok(Err(refusal));
        }
    };
    settle(session, handle, generation)?;
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
    .map(Ok)
}

/// Frees a staged generation.
pub(crate) fn discard(session: &Session, handle: &str, generation: i64) -> Result<()> {
    let ours = cached(
        session,
        "DELETE FROM _storage_generations WHERE generation = ?1 AND handle = ?2",
    )?
    .execute(params![generation, handle])
    .map_err(classify)?;
    // Without the mark the chunks are swept, or will be.
    if ours == 0 {
        Ok(())
    } else {
        free(session, generation)
    }
}

/// Takes one step in freeing a generation that has rested since `before` and is not this handle's. `None` where there is none,
/// otherwise whether it is gone now.
pub(crate) fn sweep_one(session: &Session, before: Timestamp, handle: &str) -> Result<Option<bool>> {
    let found: Option<i64> = cached(
        session,
        "SELECT generation FROM _storage_generations WHERE touched < ?1 AND handle <> ?2 LIMIT 1",
    )?
    .query_row(params![before.as_millis(), handle], |row| row.get(0))
    .optional()
    .map_err(classify)?;
    let Some(generation) = found else { return Ok(None) };
    // Its writer may yet wake: it then finds that the mark is no longer its own, and neither stages nor publishes.
    cached(
        session,
        "UPDATE _storage_generations SET handle = '', touched = 0 WHERE generation = ?1",
    )?
    .execute([generation])
    .map_err(classify)?;
    let deleted = cached(
        session,
        "DELETE FROM _storage_chunks WHERE chunk IN
             (SELECT chunk FROM _storage_chunks WHERE chunk >= ?1 AND chunk < ?2 LIMIT ?3)",
    )?
    .execute(params![
        chunk_number(generation, 0),
        chunk_number(generation + 1, 0),
        SWEEP_CHUNKS
    ])
    .map_err(classify)?;
    let done = i64::try_from(deleted).unwrap_or(i64::MAX) < SWEEP_CHUNKS;
    if done {
        cached(session, "DELETE FROM _storage_generations WHERE generation = ?1")?
            .execute([generation])
            .map_err(classify)?;
    }
    Ok(Some(done))
}
