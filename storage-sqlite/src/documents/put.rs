//! Writing documents, one or many, together with their index entries.

use rusqlite::params;
use storage_core::{Condition, Name, Result, Timestamp, Version};

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
    let mut new = false;
    for prepared in puts {
        let before = session.connection.total_changes();
        let written = if new {
            put_new(session, name, prepared)
        } else {
            Ok(None)
        };
        let result = match written {
            Ok(Some(version)) => Ok(version),
            Ok(None) => put_looking(session, name, prepared).map(|(version, was_new)| {
                new = was_new;
                version
            }),
            Err(error) => Err(error),
        };
        if session.connection.total_changes() != before || session.connection.is_autocommit() {
            results.push(Ok(result?));
        } else {
            results.push(result);
        }
    }
    Ok(results)
}

/// Writes one document and its index entries, if nothing is there, without looking first. `None` where it has to be looked at.
///
/// For a batch whose last document was new: looking for each first costs a tenth of writing it.
fn put_new(session: &mut Session, name: &Name, put: &Prepared) -> Result<Option<Version>> {
    let Prepared { request, json } = put;
    if request.guard.is_some() || matches!(request.condition, Condition::IfVersion(_)) {
        return Ok(None);
    }
    let Some(collection) = session.catalog.collection(&session.connection, name)? else {
        return Ok(None);
    };
    // What is refused here may be refused for another reason once it is looked at.
    if view::shows_more(&collection.fields, &request.body) {
        return Ok(None);
    }
    let Ok(keys) = indexes::keys(session, &collection, request) else {
        return Ok(None);
    };
    let version = Version::random();
    let inserted = cached(session, &collection.sql.insert_new)?
        .execute(params![
            request.id.as_str(),
            json,
            version.to_string(),
            request.expires_at.map(Timestamp::as_millis)
        ])
        .map_err(classify)?;
    if inserted == 0 {
        return Ok(None);
    }
    let row = session.connection.last_insert_rowid();
    indexes::replace(session, &collection, request.id.as_str(), row, None, &keys)?;
    Ok(Some(version))
}
