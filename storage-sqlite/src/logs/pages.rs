//! Pages of a log.

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Row};
use storage_core::{Error, LogEntry, LogPage, Name, Result};

use crate::connect::Session;
use crate::documents::cached;
use crate::error::classify;
use crate::short::{Budget, Short};

/// The most bytes in one page, unless a single entry has more: the largest append.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Where an entry is.
const PLACE: &str = "SELECT rowid FROM _storage_log_entries WHERE log = ?1 AND sequence = ?2";

/// Those that stand from there to another place, without any that is too long. The plus keeps SQLite from going by the numbers.
const FOLLOWING: &str = "SELECT sequence, bytes FROM _storage_log_entries
     WHERE rowid >= ?2 AND rowid < ?3 AND +log = ?1 AND octet_length(bytes) <= ?4 ORDER BY rowid";

/// Entries by their numbers, wherever they are. Of one that is too long without the bytes.
const NUMBERED: &str = "SELECT sequence, CASE WHEN octet_length(bytes) <= ?4 THEN bytes END
     FROM _storage_log_entries WHERE log = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3";

/// A page that is being filled.
struct Filling<'a> {
    name: &'a Name,
    /// The number of the next entry.
    next: u64,
    /// How many entries are still wanted.
    wanted: u64,
    page: LogPage,
    bytes: usize,
    budget: Budget,
    /// The longest entry whose bytes were asked for.
    longest: i64,
}

/// How it goes on after an entry.
enum Flow {
    /// With the next one.
    More,
    /// The page has no room for it.
    Full,
    /// It is another one than the next.
    Other,
    TooLong,
}

/// Fills a page with so many entries, which must be there.
///
/// Those of a log that is written alone stand one after the other, and are read so, without a step through the index for each. Where
/// something else stands between, or one is too long, the rest is found by number.
pub(super) fn fill(
    session: &Session,
    name: &Name,
    log: i64,
    from: u64,
    wanted: u64,
    page: LogPage,
    budget: Budget,
) -> Result<Short<LogPage>> {
    let longest = budget.bytes();
    let mut filling = Filling {
        name,
        next: from,
        wanted,
        page,
        bytes: 0,
        budget,
        longest,
    };
    if wanted == 0 {
        return Ok(Short::Done(filling.page));
    }
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    filling
        .page
        .entries
        .reserve(usize::try_from(wanted.min(1024)).unwrap_or(0));
    let place: Option<i64> = cached(session, PLACE)?
        .query_row([log, number(from)], |row| row.get(0))
        .optional()
        .map_err(classify)?;
    let Some(place) = place else {
        return Err(filling.missing());
    };
    for (sql, place) in [(FOLLOWING, Some(place)), (NUMBERED, None)] {
        if filling.wanted == 0 {
            break;
        }
        let wanted = number(filling.wanted);
        let (whence, end) = match place {
            Some(place) => (place, place.saturating_add(wanted)),
            None => (number(filling.next), wanted),
        };
        let mut statement = cached(session, sql)?;
        let mut rows = statement.query([log, whence, end, longest]).map_err(classify)?;
        while let Some(row) = rows.next().map_err(classify)? {
            match filling.take(row)? {
                Flow::More => {}
                Flow::Full => return Ok(Short::Done(filling.page)),
                Flow::Other => break,
                Flow::TooLong => return Ok(Short::TooLong),
            }
        }
    }
    if filling.wanted > 0 {
        return Err(filling.missing());
    }
    Ok(Short::Done(filling.page))
}

impl Filling<'_> {
    fn take(&mut self, row: &Row<'_>) -> Result<Flow> {
        let sequence: i64 = row.get(0).map_err(classify)?;
        if u64::try_from(sequence) != Ok(self.next) {
            return Ok(Flow::Other);
        }
        let entry = match row.get_ref(1).map_err(classify)? {
            ValueRef::Null if self.longest < i64::MAX => return Ok(Flow::TooLong),
            entry => entry
                .as_bytes()
                .map_err(|error| classify(error.into()).with_key(format!("{}/{sequence}", self.name)))?,
        };
        if !self.budget.pay(entry.len()) {
            return Ok(Flow::TooLong);
        }
        if !self.page.entries.is_empty() && self.bytes + entry.len() > PAGE_BYTES {
            return Ok(Flow::Full);
        }
        self.bytes += entry.len();
        self.page.entries.push(LogEntry {
            sequence: self.next,
            bytes: Bytes::copy_from_slice(entry),
        });
        self.next += 1;
        self.wanted -= 1;
        Ok(Flow::More)
    }

    fn missing(&self) -> Error {
        Error::corrupt(
            format!("{}/{}", self.name, self.next),
            "the entry is missing from the log; restore the database",
        )
    }
}
