//! [`Resting`]: walks between two of their pages.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use storage_core::{Area, ListRequest, Result};

use super::level::Level;
use crate::root::Root;

/// How many walks rest at most: one for each listing that is under way at once, beyond which the one that rests longest is given up.
const WALKS: usize = 4;

/// How many names rest at most, in all walks: about 100 MB. A page that finds no walk begins one anew.
const NAMES: usize = 1 << 20;

/// The walks of a root whose next page may be asked for.
///
/// A walk goes on only where every directory on its way has the names it had when it was read, so a page shows what a new walk would.
#[derive(Debug, Default)]
pub(crate) struct Resting(Mutex<VecDeque<Walk>>);

/// A walk that stopped behind a name.
#[derive(Debug)]
struct Walk {
    area: Area,
    prefix: String,
    delimiter: bool,
    after: String,
    stack: Vec<Level>,
}

impl Walk {
    fn names(&self) -> usize {
        self.stack.iter().map(Level::remaining).sum()
    }

    fn goes_on_with(&self, area: Area, request: &ListRequest) -> bool {
        self.area == area
            && request.start_after.as_ref() == Some(&self.after)
            && self.prefix == request.prefix
            && self.delimiter == request.delimiter
    }
}

impl Resting {
    /// Has a walk rest until the page behind `after` is asked for.
    pub(super) fn rest(&self, area: Area, request: &ListRequest, after: &str, mut stack: Vec<Level>) {
        if !stack.iter().all(Level::can_rest) {
            return;
        }
        for level in &mut stack {
            level.rest();
        }
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.push_back(Walk {
            area,
            prefix: request.prefix.clone(),
            delimiter: request.delimiter,
            after: after.to_owned(),
            stack,
        });
        while walks.len() > WALKS || walks.iter().map(Walk::names).sum::<usize>() > NAMES {
            walks.pop_front();
        }
    }

    /// The walk that goes on with this page, if it rests and nothing changed on its way.
    pub(super) fn wake(&self, root: &Root, area: Area, request: &ListRequest) -> Result<Option<Vec<Level>>> {
        let walk = {
            let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let at = walks.iter().position(|walk| walk.goes_on_with(area, request));
            at.and_then(|at| walks.remove(at))
        };
        let Some(walk) = walk else { return Ok(None) };
        for level in &walk.stack {
            if !level.is_unchanged(root)? {
                return Ok(None);
            }
        }
        Ok(Some(walk.stack))
    }
}
