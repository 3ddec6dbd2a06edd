//! [`View`]: what the changes come to, kept up to date.

use std::collections::BTreeMap;

use super::super::event::Event;
use super::super::hash::Hash;
use super::super::order::Order;
use super::Change;

/// What a name has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Its block.
    pub block: Hash,
    /// The bytes of the block.
    pub size: u64,
    /// The event that said so.
    pub event: Hash,
}

#[derive(Debug, Default)]
pub(super) struct View {
    entries: BTreeMap<String, Entry>,
    snapshots: BTreeMap<String, Entry>,
    /// How far the events were followed, and in which order of them.
    followed: usize,
    epoch: u64,
}

impl View {
    /// Takes in the events that are new: those at the end, or all of them where others came between.
    pub(super) fn follow(&mut self, order: &Order) {
        if self.epoch != order.epoch() || self.followed > order.events().len() {
            *self = Self {
                epoch: order.epoch(),
                ..Self::default()
            };
        }
        for event in &order.events()[self.followed..] {
            self.apply(event);
        }
        self.followed = order.events().len();
    }

    fn apply(&mut self, event: &Event) {
        let entry = |name: &str, block, size| Entry {
            name: name.to_owned(),
            block,
            size,
            event: event.hash(),
        };
        // What is no change changes nothing.
        let Ok(change) = Change::decode(event.payload()) else {
            return;
        };
        match change {
            Change::Put { name, block, size } => {
                let entry = entry(&name, block, size);
                self.entries.insert(name, entry);
            }
            Change::Delete { name } => drop(self.entries.remove(&name)),
            Change::Snapshot { label, block, size } => {
                let entry = entry(&label, block, size);
                self.snapshots.insert(label, entry);
            }
            Change::Forget { label } => drop(self.snapshots.remove(&label)),
        }
    }

    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn list(&self, prefix: &str) -> Vec<Entry> {
        let from = self.entries.range(prefix.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(prefix))
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    pub(super) fn snapshot(&self, label: &str) -> Option<&Entry> {
        self.snapshots.get(label)
    }

    pub(super) fn snapshots(&self) -> impl Iterator<Item = &Entry> {
        self.snapshots.values()
    }
}
