//! Logs: a head row for each, and a row for each entry.

mod pages;

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};
use storage_core::{AppendRequest, Appended, Error, ErrorKind, LogPage, Name, Result, Version};

use crate::connect::Session;
use crate::documents::{cached, names, version};
use crate::error::classify;
use crate::short::{Budget, Short};

struct Head {
    log: i64,
    incarnation: Version,
    closed: bool,
    next: i64,
}

fn head(session: &Session, name: &Name) -> Result<Option<Head>> {
    let mut statement = cached(
        session,
        "SELECT log, incarnation, closed, next FROM _storage_logs WHERE name = ?1",
    )?;
    let mut rows = statement.query([name.as_str()]).map_err(classify)?;
    let Some(row) = rows.next().map_err(classify)? else {
        return Ok(None);
    };
    Ok(Some(Head {
        log: row.get(0).map_err(classify)?,
        incarnation: version(row, 1, name.as_str())?,
        closed: row.get(2).map_err(classify)?,
        next: row.get(3).map_err(classify)?,
    }))
}

/// Creates a log. Its number is never used again, so entries of a deleted one cannot turn up in it.
fn create(session: &Session, name: &Name, closed: bool) -> Result<Head> {
    let incarnation = Version::random();
    cached(
        session,
        "INSERT INTO _storage_logs (name, incarnation, closed, next) VALUES (?1, ?2, ?3, 0)",
    )?
    .execute(params![name.as_str(), incarnation.to_string(), closed])
    .map_err(classify)?;
    Ok(Head {
        log: session.connection.last_insert_rowid(),
        incarnation,
        closed,
        next: 0,
    })
}

/// Appends entries, all or none.
pub(crate) fn append(session: &Session, name: &Name, request: &AppendRequest) -> Result<Appended> {
    let head = head(session, name)?;
    let end = head.as_ref().map_or(0, |head| head.next);
    if let Some(expected) = request.expected
        && i64::try_from(expected) != Ok(end)
    {
        return appended_before(session, head.as_ref(), expected, &request.entries);
    }
    if head.as_ref().is_some_and(|head| head.closed) {
        // An append of nothing at the end stands there already.
        return match request.expected {
            Some(first) if request.entries.is_empty() => Ok(Appended { first, next: first }),
            _ => Err(Error::new(
                ErrorKind::LogClosed,
                "the log is closed; delete it to begin anew",
            )),
        };
    }
    let first = end.unsigned_abs();
    if request.entries.is_empty() {
        return Ok(Appended { first, next: first });
    }
    let head = match head {
        Some(head) => head,
        None => create(session, name, false)?,
    };
    let mut insert = cached(
        session,
        "INSERT INTO _storage_log_entries (log, sequence, bytes) VALUES (?1, ?2, ?3)",
    )?;
    let mut next = end;
    for entry in &request.entries {
        insert
            .execute(params![head.log, next, &entry[..]])
            .map_err(classify)?;
        next += 1;
    }
    cached(session, "UPDATE _storage_logs SET next = ?2 WHERE log = ?1")?
        .execute([head.log, next])
        .map_err(classify)?;
    Ok(Appended {
        first,
        next: next.unsigned_abs(),
    })
}

/// Whether exactly these entries already stand where they were expected.
fn appended_before(
    session: &Session,
    head: Option<&Head>,
    expected: u64,
    entries: &[Bytes],
) -> Result<Appended> {
    let end = head.map_or(0, |head| head.next).unsigned_abs();
    let moved = || Error::log_moved(expected, end);
    let next = expected
        .checked_add(entries.len() as u64)
        .filter(|next| *next <= end)
        .ok_or_else(moved)?;
    let Some(head) = head else { return Err(moved()) };
    let mut statement = cached(
        session,
        "SELECT bytes FROM _storage_log_entries WHERE log = ?1 AND sequence >= ?2 AND sequence < ?3 ORDER BY sequence",
    )?;
    // Both are at most the end, which came from a row.
    let bound = |sequence: u64| i64::try_from(sequence).unwrap_or(i64::MAX);
    let mut rows = statement
        .query([head.log, bound(expected), bound(next)])
        .map_err(classify)?;
    for entry in entries {
        let row = rows.next().map_err(classify)?.ok_or_else(moved)?;
        if row.get_ref(0).map_err(classify)?.as_bytes().ok() != Some(&entry[..]) {
            return Err(moved());
        }
    }
    Ok(Appended {
        first: expected,
        next,
    })
}

/// Reads a page, if the budget is enough for it. Needs a snapshot, so that head and entries belong together.
pub(crate) fn read(
    session: &Session,
    name: &Name,
    from: u64,
    limit: usize,
    budget: Budget,
) -> Result<Short<LogPage>> {
    let mut page = LogPage::default();
    let Some(head) = head(session, name)? else {
        return Ok(Short::Done(page));
    };
    page.end = head.next.unsigned_abs();
    page.closed = head.closed;
    page.incarnation = Some(head.incarnation);
    let wanted = page.end.saturating_sub(from).min(limit as u64);
    if !budget.allows(wanted) {
        return Ok(Short::TooLong);
    }
    pages::fill(session, name, head.log, from, wanted, page, budget)
}

/// Closes a log, which is created if need be.
pub(crate) fn close(session: &Session, name: &Name) -> Result<()> {
    if head(session, name)?.is_none() {
        create(session, name, true)?;
        return Ok(());
    }
    cached(session, "UPDATE _storage_logs SET closed = 1 WHERE name = ?1")?
        .execute([name.as_str()])
        .map_err(classify)?;
    Ok(())
}

/// Deletes a log and its entries.
pub(crate) fn delete(session: &Session, name: &Name) -> Result<()> {
    let log: Option<i64> = cached(session, "SELECT log FROM _storage_logs WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()
        .map_err(classify)?;
    let Some(log) = log else { return Ok(()) };
    cached(session, "DELETE FROM _storage_log_entries WHERE log = ?1")?
        .execute([log])
        .map_err(classify)?;
    cached(session, "DELETE FROM _storage_logs WHERE log = ?1")?
        .execute([log])
        .map_err(classify)?;
    Ok(())
}

/// The names of logs after one, in byte order.
pub(crate) fn list(session: &Session, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
    names(
        session,
        "SELECT name FROM _storage_logs WHERE name > ?1 ORDER BY name LIMIT ?2",
        after,
        limit,
    )
}
