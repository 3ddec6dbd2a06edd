//! What all clones of a backend and its streamed writers share.

use std::sync::Arc;

use crate::blocking::Blocking;
use crate::layout::Place;
use crate::lock::{Claim, Locks};
use crate::objects::Terms;
use crate::root::Root;

/// One opening of a root.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) root: Arc<Root>,
    pub(crate) locks: Locks,
    pub(crate) blocking: Blocking,
}

impl Handle {
    /// Waits for the turn to write a file on these terms.
    pub(crate) async fn claim(&self, place: &Place, terms: &Terms) -> Claim {
        match &terms.guard {
            Some((_, guard)) => self.locks.claim(&[place.path(), guard.path()]).await,
            None => self.locks.claim(&[place.path()]).await,
        }
    }
}
