//! A query by the index, as `overlay/find.rs` does it.

use crate::rename::Rename;
use crate::rules::{Mistake, Rules};
use crate::world::{Entry, IDS, Stage, Token, Value, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    at: At,
    catalog: Token,
    found: [Option<Value>; IDS],
    /// What was there when the query began, and how often it had been written.
    began: [(Option<Value>, u8); IDS],
}

/// The next call of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    ReadCatalog,
    /// A list gives what is there throughout; here one page is one entry.
    List {
        after: Option<Entry>,
    },
    Load {
        entry: Entry,
    },
    LookAgain,
    End,
}

impl Reader {
    pub(crate) const fn new() -> Self {
        Self {
            at: At::ReadCatalog,
            catalog: 0,
            found: [None; IDS],
            began: [(None, 0); IDS],
        }
    }

    pub(crate) fn rename(&mut self, names: &mut impl Rename) {
        if let At::List { after: Some(entry) } | At::Load { entry } = &mut self.at {
            names.entry(entry);
        }
    }

    pub(crate) fn step(&self, world: &World, rules: &Rules) -> Vec<(Self, World)> {
        let (mut next, mut world) = (self.clone(), world.clone());
        match self.at {
            At::ReadCatalog => {
                next.catalog = world.catalog;
                next.began = std::array::from_fn(|id| (world.truth[id], world.commits[id]));
                next.at = if world.stage == Stage::Ready {
                    At::List { after: None }
                } else {
                    At::End
                };
            }
            At::List { after } => {
                let entry = world
                    .entries
                    .iter()
                    .find(|entry| after.is_none_or(|after| **entry > after));
                next.at = match entry {
                    Some(entry) => At::Load { entry: *entry },
                    None => At::LookAgain,
                };
            }
            At::Load { entry } => {
                let document = world.documents[entry.id];
                if document.is_some_and(|document| document.named == Some((entry.value, entry.nonce))) {
                    next.found[entry.id] = Some(entry.value);
                }
                next.at = At::List { after: Some(entry) };
            }
            At::LookAgain => {
                if world.catalog == self.catalog || rules.make(Mistake::QueryOnce) {
                    let answered = |id: usize| {
                        let (value, commits) = self.began[id];
                        commits != world.commits[id] || self.found[id] == value
                    };
                    if !(0..IDS).all(answered) {
                        world.wrong = Some("a query missed a document that did not change");
                    }
                }
                next = Self {
                    at: At::End,
                    ..Self::new()
                };
            }
            At::End => return Vec::new(),
        }
        vec![(next, world)]
    }
}
