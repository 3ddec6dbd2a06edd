//! Listings: a walk over directories in the order of decoded keys.
//!
//! Every directory is read whole and sorted by what its names stand for, because no disk promises an order; memory is bounded by the
//! directories on the path from the root to where the walk is. What vanishes meanwhile is left out. A walk rests between two pages, so
//! that a directory of many names is not read for each of them.

mod level;
mod resting;

use rustix::fd::AsFd;
use storage_core::{Area, Key, ListEntry, ListPage, ListRequest, Result};

use self::level::{Entry, Level};
pub(crate) use self::resting::Resting;
use crate::layout::{Place, Space};
use crate::root::Root;

/// One page of a listing.
pub(crate) fn list(root: &Root, area: Area, request: &ListRequest) -> Result<ListPage> {
    root.alive()?;
    let mut page = ListPage::default();
    let mut stack = match root.resting.wake(root, area, request)? {
        Some(stack) => stack,
        None => begin(root, area, request)?,
    };
    while let Some(level) = stack.last_mut() {
        let Some(entry) = level.next() else {
            stack.pop();
            continue;
        };
        if entry.directory && !request.delimiter {
            let (path, key, space) = level.inside(entry);
            level.step();
            level.rest();
            stack.extend(Level::read(root, path, key, space, request)?);
            continue;
        }
        if let Some(found) = show(root, level, entry, request, page.entries.last())? {
            if page.entries.len() >= request.limit {
                page.next = page.entries.last().map(|entry| entry.name().to_owned());
                break;
            }
            page.entries.push(found);
        }
        level.step();
    }
    if let Some(after) = &page.next {
        root.resting.rest(area, request, after, stack);
    }
    Ok(page)
}

/// A walk from the directory that the prefix leads to.
fn begin(root: &Root, area: Area, request: &ListRequest) -> Result<Vec<Level>> {
    let (path, space, inside) = root.layout.directory(area, &request.prefix);
    let key = request.prefix[..inside].to_owned();
    Ok(Level::read(root, path, key, space, request)?
        .into_iter()
        .collect())
}

/// The line of an entry; `None` where it vanished, holds nothing or was `shown` last.
fn show(
    root: &Root,
    level: &Level,
    entry: &Entry,
    request: &ListRequest,
    shown: Option<&ListEntry>,
) -> Result<Option<ListEntry>> {
    if entry.directory {
        let (path, key, space) = level.inside(entry);
        return Ok(holds_objects(root, path, space)?.then_some(ListEntry::Prefix(key)));
    }
    let text = format!("{}{}", level.key(), entry.name);
    // The rest of a key may be one name, with what it is rolled up by in it.
    if request.delimiter
        && let Some(slash) = text.get(request.prefix.len()..).and_then(|rest| rest.find('/'))
    {
        let rolled = &text[..=request.prefix.len() + slash];
        let again = shown.is_some_and(|shown| shown.name() == rolled);
        let before = request
            .start_after
            .as_deref()
            .is_some_and(|after| rolled <= after);
        return Ok((!again && !before).then(|| ListEntry::Prefix(rolled.to_owned())));
    }
    let key = Key::new(text)?;
    if !request.with_meta {
        return Ok(Some(ListEntry::Object(key, None)));
    }
    let place = Place::new(level.path_of(entry));
    let meta = if entry.is_nested() {
        root.file(&place).map(|opened| opened.map(|opened| opened.meta))
    } else {
        match level.directory(root)? {
            Some(directory) => root.meta_in(directory.as_fd(), &place),
            None => Ok(None),
        }
    };
    match meta {
        Ok(meta) => Ok(meta.map(|meta| ListEntry::Object(key, Some(meta)))),
        // Something foreign took its place since the directory was read.
        Err(error) if error.kind() == storage_core::ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether there is any object in a directory, however deep: empty directories stay and show nowhere.
fn holds_objects(root: &Root, path: String, space: Space) -> Result<bool> {
    let everything = ListRequest::new("");
    let mut open = vec![(path, space)];
    while let Some((path, space)) = open.pop() {
        let Some(mut level) = Level::read(root, path, String::new(), space, &everything)? else {
            continue;
        };
        while let Some(entry) = level.next() {
            if !entry.directory {
                return Ok(true);
            }
            let (path, _, space) = level.inside(entry);
            open.push((path, space));
            level.step();
        }
    }
    Ok(false)
}
