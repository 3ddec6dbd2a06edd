//! Putting and deleting, as `overlay/write.rs` does it.

use crate::claiming::{Claimed, Claiming};
use crate::rename::Rename;
use crate::rules::{Mistake, Rules};
use crate::world::{Document, Entry, Id, Late, Stage, Token, Told, Value, World};

/// How often a writer tries before it gives up: enough to meet each of two others once.
const ATTEMPTS: u8 = 3;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Writer {
    me: usize,
    id: Id,
    /// `None` deletes.
    value: Option<Value>,
    if_absent: bool,
    at: At,
    /// How often it may still start over.
    attempts: u8,
    base: Option<Document>,
    /// Whether the catalog it read had the index.
    indexed: bool,
    unique: bool,
    entry: Option<(Value, Token)>,
    made: bool,
    /// Whether the catalog was read before its time.
    catalog_read: bool,
    /// The mark of absence this one put there: a placeholder of a put, the tombstone of a delete.
    mark: Option<Token>,
}

/// The next call of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Load,
    PutPlaceholder,
    ReadCatalog,
    Claim(Claiming),
    CreateEntry,
    Swap,
    /// The swap was lost: look before the entry is removed.
    LookBeforeRetract,
    Retract,
    /// The swap was not answered: look whether it was applied.
    LookWhetherApplied {
        version: Token,
    },
    RetractUnseen {
        told: Told,
    },
    CreateEntryLate,
    RemoveOldEntry,
    RemoveMark,
    ReleaseClaim,
    End,
}

impl Writer {
    fn new(me: usize, id: Id, value: Option<Value>) -> Self {
        Self {
            me,
            id,
            value,
            if_absent: false,
            at: At::Load,
            attempts: ATTEMPTS,
            base: None,
            indexed: false,
            unique: false,
            entry: None,
            made: false,
            catalog_read: false,
            mark: None,
        }
    }

    pub(crate) fn put(me: usize, id: Id, value: Value) -> Self {
        Self::new(me, id, Some(value))
    }

    pub(crate) fn create(me: usize, id: Id, value: Value) -> Self {
        Self {
            if_absent: true,
            ..Self::put(me, id, value)
        }
    }

    pub(crate) fn delete(me: usize, id: Id) -> Self {
        Self::new(me, id, None)
    }

    pub(crate) fn rename(&mut self, names: &mut impl Rename) {
        names.base(&mut self.base);
        names.named(&mut self.entry);
        if let Some(mark) = &mut self.mark {
            names.medium(mark);
        }
        if let At::Claim(claiming) = &mut self.at {
            names.claiming(claiming);
        }
    }

    /// Every state one call can lead to; none at the end.
    pub(crate) fn step(&self, world: &World, rules: &Rules) -> Vec<(Self, World)> {
        if self.at == At::End {
            return Vec::new();
        }
        if self.at == At::Load && rules.make(Mistake::CatalogFirst) && !self.catalog_read {
            let mut next = self.clone();
            next.read_catalog(world);
            next.catalog_read = true;
            return vec![(next, world.clone())];
        }
        if self.at == At::Swap {
            return self.swap(world, rules);
        }
        let (mut next, mut world) = (self.clone(), world.clone());
        next.one_way(&mut world, rules);
        vec![(next.forget(), world)]
    }

    fn one_way(&mut self, world: &mut World, rules: &Rules) {
        match self.at {
            At::Load => self.load(world, rules),
            At::PutPlaceholder => match world.create_placeholder(self.id) {
                Some(placeholder) => {
                    self.base = Some(placeholder);
                    self.mark = Some(placeholder.medium);
                    self.after_base(world, rules);
                }
                None => self.again(world),
            },
            At::ReadCatalog => {
                self.read_catalog(world);
                self.prepare(world, rules);
            }
            At::Claim(claiming) => match self.value {
                Some(value) => match claiming.step(world, rules, value, self.id) {
                    Claimed::GoOn(claiming) => self.at = At::Claim(claiming),
                    Claimed::Yes => self.at = self.entry_or_swap(rules),
                    Claimed::Violation => {
                        world.told[self.me] = Told::NotApplied;
                        self.at = if self.mark.is_some() {
                            At::RemoveMark
                        } else {
                            At::End
                        };
                    }
                    Claimed::Again => self.again(world),
                },
                None => self.at = At::Swap,
            },
            At::CreateEntry | At::CreateEntryLate => {
                if let Some((value, nonce)) = self.entry {
                    world.entries.insert(Entry {
                        value,
                        id: self.id,
                        nonce,
                    });
                }
                self.at = if self.at == At::CreateEntry {
                    At::Swap
                } else {
                    At::RemoveOldEntry
                };
            }
            At::LookBeforeRetract => {
                let left =
                    world.documents[self.id].map(|now| now.medium) != self.base.map(|base| base.medium);
                let named = world.documents[self.id].and_then(|now| now.named) == self.entry;
                if left && !named {
                    self.at = At::Retract;
                } else {
                    self.again(world);
                }
            }
            At::Retract => {
                self.remove_made(world);
                self.again(world);
            }
            At::RetractUnseen { told } => {
                self.remove_made(world);
                match told {
                    Told::Nothing => self.again(world),
                    told => self.end(world, told),
                }
            }
            At::LookWhetherApplied { version } => {
                let now = world.documents[self.id];
                if now.map(|now| now.version) == Some(version) {
                    world.told[self.me] = Told::Done;
                    self.mark = None; // whose medium version nobody told
                    self.at = At::RemoveOldEntry;
                } else if rules.make(Mistake::RetractWithoutLooking) {
                    self.at = At::RetractUnseen { told: Told::Unknown };
                } else if now.map(|now| now.medium) == self.base.map(|base| base.medium)
                    && rules.make(Mistake::TrustTheBase)
                {
                    self.end(world, Told::NotApplied);
                } else {
                    self.end(world, Told::Unknown);
                }
            }
            At::RemoveOldEntry => {
                if let Some((value, nonce)) = self.base.and_then(|base| base.named)
                    && self.entry != Some((value, nonce))
                {
                    world.entries.remove(&Entry {
                        value,
                        id: self.id,
                        nonce,
                    });
                }
                let tombstone = self.value.is_none() && self.mark.is_some();
                self.at = if tombstone { At::RemoveMark } else { At::End };
            }
            At::RemoveMark => {
                world.remove_mark(self.id, self.mark, rules);
                let release = rules.make(Mistake::ReleaseClaims) && self.value.is_none();
                self.at = if release { At::ReleaseClaim } else { At::End };
            }
            At::ReleaseClaim => {
                if let Some(value) = self.base.and_then(|base| base.value) {
                    world.claims[value] = None;
                }
                self.at = At::End;
            }
            At::Swap | At::End => {}
        }
    }

    fn load(&mut self, world: &mut World, rules: &Rules) {
        self.base = world.documents[self.id];
        let live = self.base.is_some_and(|base| base.value.is_some());
        if live && self.if_absent {
            return self.end(world, Told::NotApplied);
        }
        if self.value.is_none() {
            if live {
                self.at = At::Swap;
            } else {
                self.at = At::End; // there is nothing to delete
            }
            return;
        }
        if self.base.is_some() || rules.make(Mistake::CommitByCreate) {
            self.after_base(world, rules);
        } else {
            self.at = At::PutPlaceholder;
        }
    }

    fn after_base(&mut self, world: &mut World, rules: &Rules) {
        if rules.make(Mistake::CatalogFirst) {
            self.prepare(world, rules);
        } else {
            self.at = At::ReadCatalog;
        }
    }

    fn read_catalog(&mut self, world: &World) {
        self.indexed = world.stage != Stage::None;
        self.unique = world.unique;
    }

    /// Decides which entry the next state names: the one of an unchanged value, or a fresh one.
    fn prepare(&mut self, world: &mut World, rules: &Rules) {
        (self.entry, self.made) = (None, false);
        let Some(value) = self.value.filter(|_| self.indexed) else {
            self.at = At::Swap;
            return;
        };
        let kept = self
            .base
            .and_then(|base| base.named)
            .filter(|(named, _)| *named == value);
        self.made = kept.is_none();
        self.entry = Some(kept.unwrap_or_else(|| (value, world.token())));
        self.at = if self.unique {
            At::Claim(Claiming::Read)
        } else {
            self.entry_or_swap(rules)
        };
    }

    fn entry_or_swap(&self, rules: &Rules) -> At {
        if self.made && !rules.make(Mistake::EntriesAfterCommit) {
            At::CreateEntry
        } else {
            At::Swap
        }
    }

    /// What tells this writer's states from all others.
    fn version(&self) -> Token {
        200 + u8::try_from(self.me).unwrap()
    }

    /// The commit point: answered, or, while faults are left, applied or delayed without an answer.
    fn swap(&self, world: &World, rules: &Rules) -> Vec<(Self, World)> {
        let next = Document {
            medium: 0,
            value: self.value,
            version: self.version(),
            named: self.entry,
            knows: self.indexed && self.value.is_some(),
        };
        let late = Late {
            id: self.id,
            base: self.base.map(|base| base.medium),
            next,
            writer: self.me,
            if_absent: self.if_absent,
        };
        let mut ways = Vec::new();
        let (mut writer, mut after) = (self.clone(), world.clone());
        if after.commit(&late) {
            after.told[self.me] = Told::Done;
            writer.mark = after.documents[self.id]
                .filter(|_| self.value.is_none())
                .map(|now| now.medium);
            let unwritten = writer.made && rules.make(Mistake::EntriesAfterCommit);
            writer.at = if unwritten {
                At::CreateEntryLate
            } else {
                At::RemoveOldEntry
            };
        } else if writer.made {
            writer.at = if rules.make(Mistake::RetractWithoutLooking) {
                At::RetractUnseen { told: Told::Nothing }
            } else {
                At::LookBeforeRetract
            };
        } else {
            writer.again(&mut after);
        }
        ways.push((writer, after));
        if world.faults > 0 {
            let unanswered = |mut world: World| {
                world.faults -= 1;
                let mut writer = self.clone();
                writer.at = At::LookWhetherApplied {
                    version: self.version(),
                };
                (writer, world)
            };
            let mut applied = world.clone();
            applied.commit(&late);
            ways.push(unanswered(applied));
            let mut delayed = world.clone();
            delayed.late.push(late);
            ways.push(unanswered(delayed));
        }
        ways.into_iter()
            .map(|(writer, world)| (writer.forget(), world))
            .collect()
    }

    fn remove_made(&self, world: &mut World) {
        if let Some((value, nonce)) = self.entry.filter(|_| self.made) {
            world.entries.remove(&Entry {
                value,
                id: self.id,
                nonce,
            });
        }
    }

    fn again(&mut self, world: &mut World) {
        self.attempts -= 1;
        (self.base, self.entry, self.made, self.indexed) = (None, None, false, false);
        (self.catalog_read, self.mark) = (false, None);
        if self.attempts == 0 {
            self.end(world, Told::NotApplied);
        } else {
            self.at = At::Load;
        }
    }

    fn end(&mut self, world: &mut World, told: Told) {
        world.told[self.me] = told;
        self.at = At::End;
    }

    /// What is over makes no difference any more.
    fn forget(mut self) -> Self {
        if self.at == At::End {
            (self.base, self.entry, self.made, self.mark) = (None, None, false, None);
            (self.indexed, self.unique, self.catalog_read, self.attempts) = (false, false, false, 0);
        }
        self
    }
}
