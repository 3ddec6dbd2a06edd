//! [`World`]: the medium as the protocols see it. Every method is one call of the backend, atomic like the real one.

use std::collections::BTreeSet;

use crate::rules::{Mistake, Rules};

pub(crate) const IDS: usize = 3;
pub(crate) const VALUES: usize = 4;

/// A medium version, a user's version or a nonce; 0 is none of them.
pub(crate) type Token = u8;
pub(crate) type Id = usize;
pub(crate) type Value = usize;

/// A document's object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Document {
    pub(crate) medium: Token,
    /// `None` is a placeholder or a tombstone.
    pub(crate) value: Option<Value>,
    /// Whose write it is.
    pub(crate) version: Token,
    /// The entry it names, and whether it knows the index at all.
    pub(crate) named: Option<(Value, Token)>,
    pub(crate) knows: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) medium: Token,
    pub(crate) holder: Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    None,
    Building,
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) id: Id,
    pub(crate) nonce: Token,
}

/// A swap whose answer nobody waits for any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Late {
    pub(crate) id: Id,
    pub(crate) base: Option<Token>,
    pub(crate) next: Document,
    pub(crate) writer: usize,
    pub(crate) if_absent: bool,
}

/// What one process told its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Nothing,
    Done,
    /// It did not happen and will not.
    NotApplied,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) documents: [Option<Document>; IDS],
    pub(crate) entries: BTreeSet<Entry>,
    pub(crate) claims: [Option<Claim>; VALUES],
    pub(crate) stage: Stage,
    pub(crate) unique: bool,
    /// How often the catalog was written.
    pub(crate) catalog: Token,
    pub(crate) next: Token,
    pub(crate) late: Vec<Late>,
    /// How many swaps may still go unanswered.
    pub(crate) faults: u8,
    // What an observer who sees everything knows.
    /// What each document holds by the writes that were applied.
    pub(crate) truth: [Option<Value>; IDS],
    /// How many writes of users each document took.
    pub(crate) commits: [u8; IDS],
    pub(crate) applied: [bool; 4],
    pub(crate) told: [Told; 4],
    pub(crate) wrong: Option<&'static str>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            documents: [None; IDS],
            entries: BTreeSet::new(),
            claims: [None; VALUES],
            stage: Stage::None,
            unique: false,
            catalog: 0,
            next: 0,
            late: Vec::new(),
            faults: 0,
            truth: [None; IDS],
            commits: [0; IDS],
            applied: [false; 4],
            told: [Told::Nothing; 4],
            wrong: None,
        }
    }

    pub(crate) fn token(&mut self) -> Token {
        self.next += 1;
        self.next
    }

    /// An index that was there before anything begins.
    pub(crate) fn with_index(mut self, unique: bool) -> Self {
        self.stage = Stage::Ready;
        self.unique = unique;
        self
    }

    pub(crate) fn with_unique(mut self) -> Self {
        self.unique = true;
        self
    }

    pub(crate) fn with_faults(mut self, faults: u8) -> Self {
        self.faults = faults;
        self
    }

    /// A document that was there before anything begins.
    pub(crate) fn with_document(mut self, id: Id, value: Value) -> Self {
        let knows = self.stage != Stage::None;
        let nonce = self.token();
        if knows {
            self.entries.insert(Entry { value, id, nonce });
            if self.unique {
                self = self.with_claim(value, id);
            }
        }
        let medium = self.token();
        let named = knows.then_some((value, nonce));
        self.documents[id] = Some(Document {
            medium,
            value: Some(value),
            version: 0,
            named,
            knows,
        });
        self.truth[id] = Some(value);
        self
    }

    /// A claim that was left before anything begins.
    pub(crate) fn with_claim(mut self, value: Value, holder: Id) -> Self {
        let medium = self.token();
        self.claims[value] = Some(Claim { medium, holder });
        self
    }

    pub(crate) fn with_placeholder(mut self, id: Id) -> Self {
        let swapped = self.create_placeholder(id);
        assert!(swapped.is_some());
        self
    }

    pub(crate) fn with_orphan(mut self, id: Id, value: Value) -> Self {
        let nonce = self.token();
        self.entries.insert(Entry { value, id, nonce });
        self
    }

    pub(crate) fn create_placeholder(&mut self, id: Id) -> Option<Document> {
        if self.documents[id].is_some() {
            return None;
        }
        let medium = self.token();
        let placeholder = Document {
            medium,
            value: None,
            version: 0,
            named: None,
            knows: false,
        };
        self.documents[id] = Some(placeholder);
        self.documents[id]
    }

    /// Puts another state in the place of the base version; users see no difference.
    pub(crate) fn swap(&mut self, id: Id, base: Token, next: Document) -> bool {
        if self.documents[id].map(|document| document.medium) != Some(base) {
            return false;
        }
        let medium = self.token();
        self.documents[id] = Some(Document { medium, ..next });
        true
    }

    /// A user's write: the commit point.
    pub(crate) fn commit(&mut self, late: &Late) -> bool {
        let swapped = match late.base {
            Some(base) => self.swap(late.id, base, late.next),
            None => {
                self.documents[late.id].is_none() && {
                    let medium = self.token();
                    self.documents[late.id] = Some(Document { medium, ..late.next });
                    true
                }
            }
        };
        if swapped {
            if late.if_absent && self.truth[late.id].is_some() {
                self.wrong = Some("a write for where nothing is replaced an acknowledged write");
            }
            self.truth[late.id] = late.next.value;
            self.commits[late.id] += 1;
            self.applied[late.writer] = true;
        }
        swapped
    }

    /// Removes a placeholder or tombstone: exactly this version of it.
    pub(crate) fn remove_mark(&mut self, id: Id, mark: Option<Token>, rules: &Rules) {
        let standing = mark.is_some() && self.documents[id].map(|document| document.medium) == mark;
        if standing || rules.make(Mistake::RemoveMarksUnconditionally) {
            self.documents[id] = None;
        }
    }

    pub(crate) fn swap_claim(&mut self, value: Value, base: Option<Token>, holder: Id) -> bool {
        if self.claims[value].map(|claim| claim.medium) != base {
            return false;
        }
        let medium = self.token();
        self.claims[value] = Some(Claim { medium, holder });
        true
    }

    /// What must hold in every state whatsoever; so also in one where any of the processes goes no further.
    pub(crate) fn check(&self) -> Option<&'static str> {
        if self.wrong.is_some() {
            return self.wrong;
        }
        for (id, document) in self.documents.iter().enumerate() {
            if document.and_then(|document| document.value) != self.truth[id] {
                return Some("an applied write is lost");
            }
            let Some(document) = document else { continue };
            if let Some((value, nonce)) = document.named
                && self.stage != Stage::None
                && !self.entries.contains(&Entry { value, id, nonce })
            {
                return Some("a document names an entry that is gone");
            }
            if self.stage == Stage::Ready && document.named.map(|(value, _)| value) != document.value {
                return Some("a document is not found by the index");
            }
        }
        if self.unique && self.stage == Stage::Ready {
            let held: Vec<Value> = self
                .documents
                .iter()
                .flatten()
                .filter_map(|document| document.value)
                .collect();
            if (0..VALUES).any(|value| held.iter().filter(|held| **held == value).count() > 1) {
                return Some("two documents have one unique value");
            }
        }
        for (told, applied) in self.told.iter().zip(self.applied) {
            match told {
                Told::Done if !applied => return Some("a write was acknowledged and not applied"),
                Told::NotApplied if applied => return Some("a write was said not to be applied, and was"),
                _ => {}
            }
        }
        None
    }
}
