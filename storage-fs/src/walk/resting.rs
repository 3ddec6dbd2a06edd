//! [`Resting`]: walks between two of their pages.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage_core::{Area, ListRequest, Listing, Result};

use super::level::Level;
use crate::root::Root;

/// How many walks rest at most: one for each listing that is under way at once, beyond which the one that rests longest is given up.
const WALKS: usize = 4;

/// How many names rest at most, in all walks: about 100 MB. A page that finds no walk begins one anew.
const NAMES: usize = 1 << 20;

/// The walks of a root whose next page may be asked for.
///
/// A listing goes on with the names it read, whatever came and went since. Another listing that begins where one rests gets its walk only
/// where every directory on its way has the names it had when it was read, so that it sees what was written before it began.
#[derive(Debug, Default)]
pub(crate) struct Resting(Mutex<VecDeque<Walk>>);

/// A walk that stopped behind a name.
#[derive(Debug, Clone)]
struct Walk {
    listing: Listing,
    area: Area,
    prefix: String,
    delimiter: bool,
    /// What its last page started after: the walk has no names up to there.
    from: Option<String>,
    after: String,
    stack: Vec<Level>,
}

impl Walk {
    fn names(&self) -> usize {
        self.stack.iter().map(Level::names).sum()
    }

    /// Whether it has every name the page wants that was there when the listing began.
    fn is_of(&self, area: Area, request: &ListRequest) -> bool {
        self.listing == request.listing && self.lists(area, request) && self.from < request.start_after
    }

    /// Whether it stopped where another listing begins.
    fn stopped_before(&self, area: Area, request: &ListRequest) -> bool {
        self.lists(area, request) && request.start_after.as_ref() == Some(&self.after)
    }

    fn lists(&self, area: Area, request: &ListRequest) -> bool {
        self.area == area && self.prefix == request.prefix && self.delimiter == request.delimiter
    }

    /// Steps back or forth to a name, where it is not the one it stopped behind.
    fn into_stack(mut self, request: &ListRequest) -> Vec<Level> {
        let Some(after) = request
            .start_after
            .as_deref()
            .filter(|after| *after != self.after)
        else {
            return self.stack;
        };
        for depth in 0..self.stack.len() {
            let inside = self.stack[depth].seek(after, request.delimiter);
            let goes_on = self.stack.get(depth + 1).map(Level::key);
            if inside.is_none() || inside.as_deref() != goes_on {
                self.stack.truncate(depth + 1);
                break;
            }
            self.stack[depth].step();
        }
        self.stack
    }
}

impl Resting {
    /// Has a walk rest until the page behind `after` is asked for.
    pub(super) fn rest(&self, area: Area, request: &ListRequest, after: &str, mut stack: Vec<Level>) {
        for level in &mut stack {
            level.rest();
        }
        let mut walks = self.lock();
        walks.push_back(Walk {
            listing: request.listing,
            area,
            prefix: request.prefix.clone(),
            delimiter: request.delimiter,
            from: request.start_after.clone(),
            after: after.to_owned(),
            stack,
        });
        while walks.len() > WALKS || walks.iter().map(Walk::names).sum::<usize>() > NAMES {
            walks.pop_front();
        }
    }

    /// The walk that goes on with this page, if one rests that may.
    pub(super) fn wake(&self, root: &Root, area: Area, request: &ListRequest) -> Result<Option<Vec<Level>>> {
        let mut walks = self.lock();
        if let Some(at) = walks.iter().position(|walk| walk.is_of(area, request)) {
            let walk = walks.remove(at);
            return Ok(walk.map(|walk| walk.into_stack(request)));
        }
        let Some(walk) = walks
            .iter()
            .find(|walk| walk.stopped_before(area, request))
            .cloned()
        else {
            return Ok(None);
        };
        drop(walks);
        for level in &walk.stack {
            if !level.is_unchanged(root)? {
                return Ok(None);
            }
        }
        // Most often a listing whose pages are requests of their own: its walk is this one from now on.
        self.lock().retain(|other| other.listing != walk.listing);
        Ok(Some(walk.stack))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Walk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
