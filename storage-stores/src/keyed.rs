//! [`Keyed`]: one thing for each id that somebody is busy with, and nothing for the others.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use storage_core::DocumentId;

type Slots<V> = Arc<Mutex<HashMap<DocumentId, Arc<V>>>>;

#[derive(Debug)]
pub(crate) struct Keyed<V> {
    slots: Slots<V>,
}

/// The thing of one id; it is gone with the last of those who are busy with it.
#[derive(Debug)]
pub(crate) struct Slot<V> {
    slots: Slots<V>,
    id: DocumentId,
    value: Arc<V>,
}

impl<V> Default for Keyed<V> {
    fn default() -> Self {
        Self {
            slots: Slots::default(),
        }
    }
}

impl<V: Default> Keyed<V> {
    pub(crate) fn enter(&self, id: &DocumentId) -> Slot<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let value = Arc::clone(slots.entry(id.clone()).or_default());
        Slot {
            slots: Arc::clone(&self.slots),
            id: id.clone(),
            value,
        }
    }
}

impl<V> Slot<V> {
    pub(crate) const fn value(&self) -> &Arc<V> {
        &self.value
    }
}

impl<V> Deref for Slot<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V> Drop for Slot<V> {
    fn drop(&mut self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one: nobody else can come by a third while the map is locked.
        if Arc::strong_count(&self.value) == 2 {
            slots.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_shared_while_anybody_has_it_and_gone_after() {
        let keyed = Keyed::<Mutex<u32>>::default();
        let id = DocumentId::new("a").unwrap();
        let (one, two) = (keyed.enter(&id), keyed.enter(&id));
        *one.lock().unwrap() = 7;
        drop(one);
        assert_eq!(*two.lock().unwrap(), 7);
        drop(two);
        assert!(keyed.slots.lock().unwrap().is_empty());
        assert_eq!(*keyed.enter(&id).lock().unwrap(), 0);
    }
}
