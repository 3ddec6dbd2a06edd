//! Candidates: the live documents an access leads to, one by one, from where the last page ended.

use std::ops::ControlFlow;

use rusqlite::{OptionalExtension, params};
use storage_core::{Access, FindRequest, IndexAccess, KeyRange, Position, Result};

use crate::catalog::{Collection, IndexTable};
use crate::connect::Session;
use crate::documents::{Candidate, cached};
use crate::error::classify;
use crate::short::Budget;

/// Stands for "no upper bound": after every key. Encodings begin below `FF`, hashes are shorter.
const AFTER_ALL: [u8; 40] = [0xFF; 40];

type Visit<'a> = &'a mut dyn FnMut(Candidate<'_>) -> Result<ControlFlow<()>>;

/// Hands over every candidate until told to stop. `false` if the budget was used up first.
///
/// With `resume`, it begins after the position the request names: the access then gives the order asked.
pub(super) fn walk(
    session: &Session,
    collection: &Collection,
    access: &Access,
    request: &FindRequest,
    resume: bool,
    budget: &mut Budget,
    visit: Visit<'_>,
) -> Result<bool> {
    let after = request.after.as_ref().filter(|_| resume);
    let now = request.now.as_millis();
    let flow = match access {
        Access::Ids | Access::Scan => {
            let after = after.map_or("", |position| position.id.as_str());
            rows(
                session,
                &collection.sql.after_id,
                params![after, now],
                budget,
                visit,
            )?
        }
        Access::Index(access) => match collection.index(&access.index.name) {
            None => Flow::End,
            Some(table) if access.reverse => descending(session, table, access, after, now, budget, visit)?,
            Some(table) => ascending(session, table, access, after, now, budget, visit)?,
        },
    };
    Ok(!matches!(flow, Flow::UsedUp))
}

/// Hands over the row of every candidate of an exact index access, those with several entries several times.
pub(super) fn walk_rows(
    session: &Session,
    collection: &Collection,
    access: &Access,
    request: &FindRequest,
    visit: &mut dyn FnMut(i64),
) -> Result<()> {
    let Access::Index(access) = access else {
        return Ok(());
    };
    let Some(table) = collection.index(&access.index.name) else {
        return Ok(());
    };
    let mut statement = cached(session, &table.range_rows)?;
    for range in &access.ranges {
        let mut rows = statement
            .query(params![range.lower, "", upper(range), request.now.as_millis()])
            .map_err(classify)?;
        while let Some(row) = rows.next().map_err(classify)? {
            visit(row.get(0).map_err(classify)?);
        }
    }
    Ok(())
}

/// How many live documents have entries in the ranges, where each has at most one.
pub(super) fn count_range(
    session: &Session,
    collection: &Collection,
    access: &IndexAccess,
    request: &FindRequest,
) -> Result<u64> {
    let Some(table) = collection.index(&access.index.name) else {
        return Ok(0);
    };
    let mut statement = cached(session, &table.range_count)?;
    let mut total = 0;
    for range in &access.ranges {
        let count: i64 = statement
            .query_row(
                params![range.lower, "", upper(range), request.now.as_millis()],
                |row| row.get(0),
            )
            .map_err(classify)?;
        total += count.unsigned_abs();
    }
    Ok(total)
}

/// How a walk, or a part of one, ended.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    End,
    Stopped,
    UsedUp,
}

fn rows(
    session: &Session,
    sql: &str,
    params: impl rusqlite::Params,
    budget: &mut Budget,
    visit: Visit<'_>,
) -> Result<Flow> {
    let mut statement = cached(session, sql)?;
    let mut rows = statement.query(params).map_err(classify)?;
    while let Some(row) = rows.next().map_err(classify)? {
        let candidate = Candidate::of(row)?;
        if !budget.pay(candidate.body.len()) {
            return Ok(Flow::UsedUp);
        }
        if visit(candidate)?.is_break() {
            return Ok(Flow::Stopped);
        }
    }
    Ok(Flow::End)
}

/// Range after range, within each by key and id.
fn ascending(
    session: &Session,
    table: &IndexTable,
    access: &IndexAccess,
    after: Option<&Position>,
    now: i64,
    budget: &mut Budget,
    visit: Visit<'_>,
) -> Result<Flow> {
    let resume = after.map(|position| (access.resume_key(position), position.id.as_str()));
    for range in &access.ranges {
        let (lower, upper) = (range.lower.as_slice(), upper(range));
        if resume.as_ref().is_some_and(|(key, _)| key.as_slice() >= upper) {
            continue;
        }
        if !budget.pay(0) {
            return Ok(Flow::UsedUp);
        }
        let flow = match &resume {
            Some((key, id)) if key.as_slice() >= lower => {
                let from = params![key, id, upper, now];
                rows(session, &table.range, from, budget, visit)?
            }
            // Of one key only, SQLite has a bound less to take and to look at.
            _ if is_just_after(lower, upper) => {
                rows(session, &table.equal, params![lower, now], budget, visit)?
            }
            _ => rows(
                session,
                &table.range_from,
                params![lower, upper, now],
                budget,
                visit,
            )?,
        };
        if flow != Flow::End {
            return Ok(flow);
        }
    }
    Ok(Flow::End)
}

/// From the last range and the greatest key down; ids of equal keys still ascend, so it goes key by key.
fn descending(
    session: &Session,
    table: &IndexTable,
    access: &IndexAccess,
    after: Option<&Position>,
    now: i64,
    budget: &mut Budget,
    visit: Visit<'_>,
) -> Result<Flow> {
    let mut resume = after.map(|position| (access.resume_key(position), position.id.as_str()));
    for range in access.ranges.iter().rev() {
        let mut below = upper(range).to_vec();
        if let Some((key, id)) = &resume {
            if *key < range.lower {
                continue;
            }
            if *key < below {
                // The rest of the key at which the page ended, then what is below it.
                let end = just_after(key);
                let flow = rows(session, &table.range, params![key, id, end, now], budget, visit)?;
                if flow != Flow::End {
                    return Ok(flow);
                }
                below.clone_from(key);
            }
            resume = None;
        }
        while let Some(key) = last_key(session, table, &range.lower, &below)? {
            if !budget.pay(0) {
                return Ok(Flow::UsedUp);
            }
            let flow = rows(
                session,
                &table.range,
                params![key, "", just_after(&key), now],
                budget,
                visit,
            )?;
            if flow != Flow::End {
                return Ok(flow);
            }
            below = key;
        }
    }
    Ok(Flow::End)
}

fn last_key(session: &Session, table: &IndexTable, lower: &[u8], below: &[u8]) -> Result<Option<Vec<u8>>> {
    cached(session, &table.last_key)?
        .query_row(params![lower, below], |row| row.get(0))
        .optional()
        .map_err(classify)
}

fn just_after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn is_just_after(key: &[u8], after: &[u8]) -> bool {
    after.strip_prefix(key) == Some(&[0])
}

fn upper(range: &KeyRange) -> &[u8] {
    range.upper.as_deref().unwrap_or(&AFTER_ALL)
}
