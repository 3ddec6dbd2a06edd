//! Sweeping entries and marks, as `overlay/sweep.rs` does it.

use crate::rename::Rename;
use crate::rules::{Mistake, Rules};
use crate::world::{Document, Entry, IDS, Id, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sweeper {
    at: At,
    /// What is still to be looked at, last first.
    entries: Vec<Entry>,
}

/// The next call of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    List,
    Load,
    Fence { entry: Entry, document: Document },
    Remove { entry: Entry },
    LoadMark { id: Id },
    RemoveMark { id: Id, document: Document },
}

impl Sweeper {
    /// Entries first, then marks.
    pub(crate) const fn new() -> Self {
        Self {
            at: At::List,
            entries: Vec::new(),
        }
    }

    pub(crate) fn rename(&mut self, names: &mut impl Rename) {
        self.entries.iter_mut().for_each(|entry| names.entry(entry));
        match &mut self.at {
            At::Fence { entry, document } => {
                names.entry(entry);
                names.document(document);
            }
            At::Remove { entry } => names.entry(entry),
            At::RemoveMark { document, .. } => names.document(document),
            At::List | At::Load | At::LoadMark { .. } => {}
        }
    }

    pub(crate) fn step(&self, world: &World, rules: &Rules) -> Vec<(Self, World)> {
        let (mut next, mut world) = (self.clone(), world.clone());
        match self.at {
            At::List => {
                next.entries = world.entries.iter().rev().copied().collect();
                next.at = At::Load;
            }
            At::Load => match next.entries.pop() {
                None => next.at = At::LoadMark { id: 0 },
                Some(entry) => match world.documents[entry.id] {
                    Some(document) if document.named == Some((entry.value, entry.nonce)) => {}
                    Some(document) if !rules.make(Mistake::SweepByAge) => {
                        next.at = At::Fence { entry, document }
                    }
                    // Whoever made it lost its base version.
                    _ => next.at = At::Remove { entry },
                },
            },
            At::Fence { entry, document } => {
                let fenced = world.swap(entry.id, document.medium, document);
                next.at = if fenced { At::Remove { entry } } else { At::Load };
            }
            At::Remove { entry } => {
                world.entries.remove(&entry);
                next.at = At::Load;
            }
            At::LoadMark { id } if id < IDS => {
                next.at = match world.documents[id] {
                    Some(document) if document.value.is_none() => At::RemoveMark { id, document },
                    _ => At::LoadMark { id: id + 1 },
                };
            }
            At::LoadMark { .. } => return Vec::new(),
            At::RemoveMark { id, document } => {
                world.remove_mark(id, Some(document.medium), rules);
                next.at = At::LoadMark { id: id + 1 };
            }
        }
        vec![(next, world)]
    }
}
