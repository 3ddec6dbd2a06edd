//! [`Feed`]: the last changes of one collection, for those who watch it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{self, StreamExt};
use tokio::sync::Notify;

use super::state::State;
use crate::change::{Change, ChangeKind, ChangePosition, Changes, WatchRequest};
use crate::error::Result;
use crate::name::{DocumentId, Name};
use crate::random::random_u128;

/// How many changes a feed keeps: a reader that lags further behind is told so.
const KEPT: usize = 10_000;

/// The changes of a collection since somebody first watched it.
#[derive(Debug)]
pub(super) struct Feed {
    /// Tells the positions of one feed from those of another.
    nonce: u128,
    /// The number of the oldest change that is kept.
    first: u64,
    changes: VecDeque<(DocumentId, ChangeKind)>,
    arrived: Arc<Notify>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            nonce: random_u128(),
            first: 0,
            changes: VecDeque::new(),
            arrived: Arc::default(),
        }
    }

    pub(super) fn tell(&mut self, id: &DocumentId, kind: ChangeKind) {
        if self.changes.len() == KEPT {
            self.changes.pop_front();
            self.first += 1;
        }
        self.changes.push_back((id.clone(), kind));
        self.arrived.notify_waiters();
    }

    /// The number of the first change that is asked for.
    fn begin(&self, request: &WatchRequest) -> Result<u64> {
        let end = self.first + self.changes.len() as u64;
        let Some(after) = &request.after else {
            return Ok(end);
        };
        let next = number(after, self.nonce).filter(|next| (self.first..=end).contains(next));
        next.ok_or_else(ChangePosition::lost)
    }

    /// The change of this number, once there is one.
    fn change(&self, number: u64) -> Result<Option<Change>> {
        let at = number.checked_sub(self.first).ok_or_else(ChangePosition::lost)?;
        let change = usize::try_from(at).ok().and_then(|at| self.changes.get(at));
        Ok(change.map(|(id, kind)| Change {
            id: id.clone(),
            kind: *kind,
            position: position(self.nonce, number + 1),
        }))
    }
}

fn position(nonce: u128, next: u64) -> ChangePosition {
    ChangePosition::new([&nonce.to_be_bytes()[..], &next.to_be_bytes()].concat())
}

fn number(position: &ChangePosition, nonce: u128) -> Option<u64> {
    let next = position.as_bytes().strip_prefix(&nonce.to_be_bytes())?;
    Some(u64::from_be_bytes(next.try_into().ok()?))
}

/// Somebody who watches.
struct Reader {
    state: Arc<Mutex<State>>,
    collection: Name,
    next: u64,
    arrived: Arc<Notify>,
}

pub(super) fn watch(state: &Arc<Mutex<State>>, collection: &Name, request: &WatchRequest) -> Result<Changes> {
    let reader = {
        let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = held.feeds.entry(collection.clone()).or_insert_with(Feed::new);
        Reader {
            state: Arc::clone(state),
            collection: collection.clone(),
            next: feed.begin(request)?,
            arrived: Arc::clone(&feed.arrived),
        }
    };
    let changes = stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(change) => Some((Ok(change), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(changes.boxed())
}

impl Reader {
    async fn next(&mut self) -> Result<Change> {
        loop {
            // Before the look, so that what comes between the look and the wait is noticed.
            let mut arrived = pin!(self.arrived.notified());
            arrived.as_mut().enable();
            if let Some(change) = self.look()? {
                self.next += 1;
                return Ok(change);
            }
            arrived.await;
        }
    }

    fn look(&self) -> Result<Option<Change>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = state.feeds.get(&self.collection);
        feed.map_or(Ok(None), |feed| feed.change(self.next))
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::error::ErrorKind;
    use crate::memory::Memory;
    use crate::storage::Storage;

    #[tokio::test]
    async fn a_reader_that_lags_too_far_is_told_that_changes_are_lost() {
        let storage = Storage::new(Memory::new());
        let users = storage.collection::<bson::Document>("users");
        let mut lagging = users.watch().await.unwrap();
        users.put("first", &doc! {}).await.unwrap();
        let first = lagging.next().await.unwrap().unwrap();
        for n in 0..=KEPT {
            users.put(format!("{n}"), &doc! {}).await.unwrap();
        }
        let error = lagging.next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.key()), (ErrorKind::NotFound, Some("users")));
        assert!(lagging.next().await.is_none(), "it is over");
        let error = users.watch_after(&first.position).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_position_of_another_collection_or_process_is_lost() {
        let storage = Storage::new(Memory::new());
        let users = storage.collection::<bson::Document>("users");
        let mut changes = users.watch().await.unwrap();
        users.put("a", &doc! {}).await.unwrap();
        let change = changes.next().await.unwrap().unwrap();
        let others = [
            storage.collection::<bson::Document>("others"),
            Storage::new(Memory::new()).collection("users"),
        ];
        for other in others {
            let error = other.watch_after(&change.position).await.map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}
