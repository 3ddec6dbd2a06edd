//! Making and dropping an index, as `overlay/build.rs` does it.

use crate::claiming::{Claimed, Claiming};
use crate::rename::Rename;
use crate::rules::{Mistake, Rules};
use crate::world::{Document, Entry, IDS, Id, Stage, Token, Value, World};

const ATTEMPTS: u8 = 4;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Builder {
    at: At,
    /// The catalog it read.
    catalog: (Token, Option<Stage>),
    listed: [bool; IDS],
    id: Id,
    base: Option<Document>,
    entry: Option<(Value, Token)>,
    attempts: u8,
    registered: bool,
}

/// The next call of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    ReadCatalog,
    Register,
    List,
    Load,
    Claim(Claiming),
    CreateEntry,
    Swap,
    /// Writes again what knows the generation already.
    Confirm,
    LookBeforeRetract,
    Retract,
    ReadCatalogAgain {
        fits: bool,
    },
    /// Marks it ready, or gives it up when a document does not fit.
    Finish {
        fits: bool,
    },
    End,
}

impl Builder {
    pub(crate) const fn new() -> Self {
        Self {
            at: At::ReadCatalog,
            catalog: (0, None),
            listed: [false; IDS],
            id: 0,
            base: None,
            entry: None,
            attempts: 0,
            registered: false,
        }
    }

    pub(crate) fn rename(&mut self, names: &mut impl Rename) {
        names.base(&mut self.base);
        names.named(&mut self.entry);
        if let At::Claim(claiming) = &mut self.at {
            names.claiming(claiming);
        }
    }

    pub(crate) fn step(&self, world: &World, rules: &Rules) -> Vec<(Self, World)> {
        if self.at == At::End {
            return Vec::new();
        }
        let (mut next, mut world) = (self.clone(), world.clone());
        next.one_way(&mut world, rules);
        if next.at == At::End {
            next = Self {
                at: At::End,
                ..Self::new()
            };
        }
        vec![(next, world)]
    }

    fn one_way(&mut self, world: &mut World, rules: &Rules) {
        match self.at {
            At::ReadCatalog => {
                self.catalog = (world.catalog, Some(world.stage));
                self.at = match world.stage {
                    Stage::Ready => At::End,
                    Stage::Building => At::List,
                    Stage::None if rules.make(Mistake::BuildBeforeRegistering) => At::List,
                    Stage::None => At::Register,
                };
            }
            At::Register => {
                if world.catalog == self.catalog.0 {
                    world.catalog += 1;
                    world.stage = Stage::Building;
                    self.registered = true;
                    let early = rules.make(Mistake::BuildBeforeRegistering);
                    self.at = if early {
                        At::ReadCatalogAgain { fits: true }
                    } else {
                        At::List
                    };
                } else {
                    self.at = At::ReadCatalog;
                }
            }
            At::List => {
                self.listed = world.documents.map(|document| document.is_some());
                if rules.make(Mistake::BuildWithoutRewriting) {
                    self.listed = [false; IDS];
                }
                self.next_document(0, rules);
            }
            At::Load => self.load(world, rules),
            At::Claim(claiming) => match self.base.and_then(|base| base.value) {
                Some(value) => match claiming.step(world, rules, value, self.id) {
                    Claimed::GoOn(claiming) => self.at = At::Claim(claiming),
                    Claimed::Yes => self.at = At::CreateEntry,
                    Claimed::Violation => self.at = At::ReadCatalogAgain { fits: false },
                    Claimed::Again => self.again(),
                },
                None => self.at = At::Swap,
            },
            At::CreateEntry => {
                if let Some((value, nonce)) = self.entry {
                    world.entries.insert(Entry {
                        value,
                        id: self.id,
                        nonce,
                    });
                }
                self.at = At::Swap;
            }
            At::Swap => match self.base {
                Some(base) => {
                    let next = Document {
                        named: self.entry,
                        knows: true,
                        ..base
                    };
                    if world.swap(self.id, base.medium, next) {
                        self.next_document(self.id + 1, rules);
                    } else {
                        self.at = if self.entry.is_some() {
                            At::LookBeforeRetract
                        } else {
                            At::Load
                        };
                    }
                }
                None => self.at = At::Load,
            },
            At::Confirm => match self.base {
                Some(base) if world.swap(self.id, base.medium, base) => {
                    self.next_document(self.id + 1, rules);
                }
                _ => self.again(),
            },
            At::LookBeforeRetract => {
                let now = world.documents[self.id];
                let left = now.map(|now| now.medium) != self.base.map(|base| base.medium);
                let named = now.and_then(|now| now.named) == self.entry;
                if left && !named {
                    self.at = At::Retract;
                } else {
                    self.again();
                }
            }
            At::Retract => {
                if let Some((value, nonce)) = self.entry {
                    world.entries.remove(&Entry {
                        value,
                        id: self.id,
                        nonce,
                    });
                }
                self.again();
            }
            At::ReadCatalogAgain { fits } => {
                self.catalog = (world.catalog, Some(world.stage));
                self.at = match world.stage {
                    Stage::Building => At::Finish { fits },
                    Stage::None | Stage::Ready => At::End,
                };
            }
            At::Finish { fits } => {
                if world.catalog == self.catalog.0 {
                    world.catalog += 1;
                    world.stage = if fits { Stage::Ready } else { Stage::None };
                    self.at = At::End;
                } else {
                    self.at = At::ReadCatalogAgain { fits };
                }
            }
            At::End => {}
        }
    }

    fn load(&mut self, world: &mut World, rules: &Rules) {
        self.base = world.documents[self.id];
        let skipped = |base: Document| base.value.is_none() && rules.make(Mistake::BuildDocumentsOnly);
        let Some(base) = self.base.filter(|base| !skipped(*base)) else {
            return self.next_document(self.id + 1, rules);
        };
        if base.knows {
            self.at = At::Confirm;
            return;
        }
        self.entry = base.value.map(|value| (value, world.token()));
        self.at = match (self.entry, world.unique) {
            (Some(_), true) => At::Claim(Claiming::Read),
            (Some(_), false) => At::CreateEntry,
            (None, _) => At::Swap,
        };
    }

    fn next_document(&mut self, from: Id, rules: &Rules) {
        (self.base, self.entry) = (None, None);
        match (from..IDS).find(|id| self.listed[*id]) {
            Some(id) => {
                self.id = id;
                self.at = At::Load;
            }
            None if rules.make(Mistake::BuildBeforeRegistering) && !self.registered => self.at = At::Register,
            None => self.at = At::ReadCatalogAgain { fits: true },
        }
    }

    fn again(&mut self) {
        (self.base, self.entry) = (None, None);
        self.attempts += 1;
        self.at = if self.attempts >= ATTEMPTS {
            At::End
        } else {
            At::Load
        };
    }
}

/// Drops the index: out of the catalog first, its entries after.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dropper {
    dropped: bool,
}

impl Dropper {
    pub(crate) const fn new() -> Self {
        Self { dropped: false }
    }

    pub(crate) fn step(&self, world: &World) -> Vec<(Self, World)> {
        let mut world = world.clone();
        if !self.dropped {
            if world.stage == Stage::None {
                return Vec::new();
            }
            world.stage = Stage::None;
            world.catalog += 1;
        } else if world.entries.pop_first().is_none() {
            return Vec::new();
        }
        vec![(Self { dropped: true }, world)]
    }
}
