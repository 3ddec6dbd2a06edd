//! Writing documents, one or many, together with their index entries.

use rusqlite::params;
use storage_core::{Condition, Name, Result, Timestamp, Version, random_bytes};

use super::{Prepared, Stored, cached, check_guard, current, remove};
use crate::connect::Session;
use crate::error::classify;
use crate::indexes;
use crate::view;
use crate::writer::within_savepoint;

/// Writes one document and its index entries.
pub(crate) fn put(session: &mut Session, name: &Name, put: &Prepared) -> Result<Version> {
    put_looking(session, name, put).map(|(version, _)| version)
}

/// As [`put`], and whether nothing was there.
fn put_looking(session: &mut Session, name: &Name, put: &Prepared) -> Result<(Version, bool)> {
    let Prepared { request, json } = put;
    check_guard(session, request.guard.as_ref(), request.now)?;
    let existing = session.catalog.collection(&session.connection, name)?;
    let current = match &existing {
        Some(collection) => current(session, collection, request.id.as_str())?,
        None => None,
    };
    let live = current.as_ref().filter(|stored| stored.is_live(request.now));
    request.condition.check(live.map(|stored| &stored.version))?;
    // What cannot be read is never written over, so that it can still be repaired.
    let old = live.map(Stored::document).transpose()?;
    let mut collection = match existing {
        Some(collection) => collection,
        None => session.catalog.obtain(&session.connection, name)?,
    };
    if view::show_fields(
        &session.connection,
        collection.number,
        &collection.fields,
        &request.body,
    )? {
        session.catalog.changed();
        collection = session.catalog.obtain(&session.connection, name)?;
    }
    let new_keys = indexes::keys(session, &collection, request)?;
    let version = Version::random();
    let expires_at = request.expires_at.map(Timestamp::as_millis);
    if let (Some(expired), None) = (&current, live) {
        remove(session, &collection, expired)?;
    }
    let row = match live {
        Some(stored) => {
            cached(session, &collection.sql.update)?
                .execute(params![stored.row, json, version.to_string(), expires_at])
                .map_err(classify)?;
            stored.row
        }
        None => {
            cached(session, &collection.sql.insert)?
                .execute(params![
                    request.id.as_str(),
                    json,
                    version.to_string(),
                    expires_at
                ])
                .map_err(classify)?;
            session.connection.last_insert_rowid()
        }
    };
    indexes::replace(
        session,
        &collection,
        request.id.as_str(),
        row,
        old.as_deref(),
        &new_keys,
    )?;
    Ok((version, current.is_none()))
}

/// Writes documents, each for itself.
///
/// A savepoint around each would cost as much as writing it, because SQLite copies every page that a savepoint is the first to change.
/// Nearly always none has to be undone. So they are first written without, and anew with one each where that did not do.
pub(crate) fn put_many(
    session: &mut Session,
    name: &Name,
    puts: &[Prepared],
) -> Result<Vec<Result<Version>>> {
    if let Ok(results) = within_savepoint(session, |session| put_together(session, name, puts))? {
        return Ok(results);
    }
    puts.iter()
        .map(|prepared| within_savepoint(session, |session| put(session, name, prepared)))
        .collect()
}

/// Writes documents up to the first that is refused after it wrote something, which undoes them all.
fn put_together(session: &mut Session, name: &Name, puts: &[Prepared]) -> Result<Vec<Result<Version>>> {
    let mut results = Vec::with_capacity(puts.len());
    let mut fresh = Fresh::default();
    let mut new = false;
    loop {
        let before = if new {
            put_new(session, name, &puts[results.len()..], &mut fresh, &mut results)?
        } else {
            session.connection.total_changes()
        };
        let Some(prepared) = puts.get(results.len()) else {
            return Ok(results);
        };
        let result = put_looking(session, name, prepared).map(|(version, was_new)| {
            new = was_new;
            version
        });
        if session.connection.total_changes() != before || session.connection.is_autocommit() {
            results.push(Ok(result?));
        } else {
            results.push(result);
        }
    }
}

/// Writes documents and their index entries without looking what is there, up to the first that has to be looked at. Gives how much the
/// connection had changed before that one.
///
/// For a batch whose last document was new: looking for each first costs a tenth of writing it, and finding the statements another.
fn put_new(
    session: &mut Session,
    name: &Name,
    puts: &[Prepared],
    fresh: &mut Fresh,
    results: &mut Vec<Result<Version>>,
) -> Result<u64> {
    let mut before = session.connection.total_changes();
    let Some(collection) = session.catalog.collection(&session.connection, name)? else {
        return Ok(before);
    };
    let mut insert = cached(session, &collection.sql.insert_new)?;
    let tables = collection.indexes.iter();
    let mut entries = tables
        .map(|table| cached(session, &table.insert))
        .collect::<Result<Vec<_>>>()?;
    for Prepared { request, json } in puts {
        before = session.connection.total_changes();
        if request.guard.is_some()
            || matches!(request.condition, Condition::IfVersion(_))
            || view::shows_more(&collection.fields, &request.body)
        {
            break;
        }
        // What is refused here may be refused for another reason once it is looked at.
        let Ok(keys) = indexes::keys(session, &collection, request) else {
            break;
        };
        let id = request.id.as_str();
        let version = fresh.version();
        let expires_at = request.expires_at.map(Timestamp::as_millis);
        let inserted = insert
            .execute(params![id, json, version.to_string(), expires_at])
            .map_err(classify)?;
        if inserted == 0 {
            break;
        }
        let row = session.connection.last_insert_rowid();
        for (entry, keys) in entries.iter_mut().zip(&keys) {
            for key in keys {
                entry.execute(params![key, id, row]).map_err(classify)?;
            }
        }
        results.push(Ok(version));
    }
    Ok(before)
}

/// Versions for a batch: a call of the system for many, not for each.
#[derive(Default)]
struct Fresh {
    versions: Vec<Version>,
}

impl Fresh {
    fn version(&mut self) -> Version {
        if let Some(version) = self.versions.pop() {
            return version;
        }
        let bytes: [u8; 64 * 16] = random_bytes();
        let (nonces, _) = bytes.as_chunks();
        let versions = nonces.iter().copied().map(u128::from_le_bytes);
        self.versions.extend(versions.map(Version::from_u128));
        self.versions.pop().unwrap_or_else(Version::random)
    }
}
