//! [`Flights`]: of many who miss the same, one reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::shelf::Slot;

type Turn = Arc<tokio::sync::Mutex<()>>;

/// Who reads what. A reader that is gone passes its turn on.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Slot, Turn>>);

/// One's turn to read. Those who waited for it look again first.
#[derive(Debug)]
pub(super) struct Flight<'a> {
    flights: &'a Flights,
    slot: Slot,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Flights {
    pub(super) async fn join(&self, slot: &Slot) -> Flight<'_> {
        // Made before waiting: who goes away while waiting cleans up too.
        let mut flight = Flight {
            flights: self,
            slot: slot.clone(),
            turn: None,
        };
        let turn = Arc::clone(self.map().entry(slot.clone()).or_default());
        flight.turn = Some(turn.lock_owned().await);
        flight
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Slot, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut map = self.flights.map();
        self.turn = None;
        // The map has one, and whoever waits has another.
        if map
            .get(&self.slot)
            .is_some_and(|turn| Arc::strong_count(turn) == 1)
        {
            map.remove(&self.slot);
        }
    }
}
