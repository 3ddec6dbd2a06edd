//! Listing: a walk over keys that jumps over everything a rolled-up prefix stands for.

use rusqlite::params;
use storage_core::{Area, Key, ListEntry, ListPage, ListRequest, Result};

use super::{area_number, meta};
use crate::connect::Session;
use crate::documents::cached;
use crate::error::classify;

/// One page of keys. Needs a snapshot where it jumps, so that the page is of one piece.
pub(crate) fn list(session: &Session, area: Area, request: &ListRequest) -> Result<ListPage> {
    let mut page = ListPage::default();
    let after = request.start_after.as_deref().unwrap_or_default();
    let (mut from, mut inclusive) = if after >= request.prefix.as_str() {
        (after.to_owned(), false)
    } else {
        (request.prefix.clone(), true)
    };
    while let Some(next) = walk(session, area, request, &from, inclusive, &mut page)? {
        from = next;
        inclusive = true;
    }
    Ok(page)
}

/// Adds entries from `from` on. Gives the key to go on from after a jump, `None` when the page is complete.
fn walk(
    session: &Session,
    area: Area,
    request: &ListRequest,
    from: &str,
    inclusive: bool,
    page: &mut ListPage,
) -> Result<Option<String>> {
    // Names alone come from the index; the row is needed only for the rest.
    let mut statement = cached(
        session,
        match (request.with_meta, inclusive) {
            (false, false) => "SELECT key FROM _storage_objects WHERE area = ?1 AND key > ?2 ORDER BY key",
            (false, true) => "SELECT key FROM _storage_objects WHERE area = ?1 AND key >= ?2 ORDER BY key",
            (true, false) => {
                "SELECT key, size, version, modified FROM _storage_objects WHERE area = ?1 AND key > ?2 ORDER BY key"
            }
            (true, true) => {
                "SELECT key, size, version, modified FROM _storage_objects WHERE area = ?1 AND key >= ?2 ORDER BY key"
            }
        },
    )?;
    let mut rows = statement
        .query(params![area_number(area), from])
        .map_err(classify)?;
    while let Some(row) = rows.next().map_err(classify)? {
        let key: String = row.get(0).map_err(classify)?;
        let Some(rest) = key.strip_prefix(&request.prefix) else {
            return Ok(None);
        };
        let rolled = rest
            .find('/')
            .filter(|_| request.delimiter)
            .map(|at| &key[..=request.prefix.len() + at]);
        let told = rolled.is_some_and(|prefix| {
            request
                .start_after
                .as_deref()
                .is_some_and(|after| prefix <= after)
        });
        if !told && page.entries.len() >= request.limit {
            page.next = page.entries.last().map(|last| last.name().to_owned());
            return Ok(None);
        }
        match rolled {
            Some(prefix) => {
                if !told {
                    page.entries.push(ListEntry::Prefix(prefix.to_owned()));
                }
                // The first text after everything that begins with the prefix: its final `/` becomes the next byte, `0`.
                return Ok(Some(format!("{}0", &prefix[..prefix.len() - 1])));
            }
            None => {
                let facts = request.with_meta.then(|| meta(row, 1, &key)).transpose()?;
                page.entries.push(ListEntry::Object(Key::new(&key)?, facts));
            }
        }
    }
    Ok(None)
}
