//! Who saves a chunk: `save.rs` and `begin.rs`, without what is reserved.

use crate::deleter::{Delete, Deleter};
use crate::world::{Bytes, Content, Mistake, Record, Token, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Save {
    Begin,
    Insert,
    FinishDeletion,
    Create,
    InsertRecord,
    Look,
    Adopt,
    AdoptWrite(Token),
    AdoptIntend,
    Heal(Token),
    HealCheck(Token, Option<Token>),
    HealWrite(Option<Token>),
    Confirm(Record),
    Intend(Record),
    Mark,
    MarkSwap(Content),
    Stat,
    Check(Option<Token>),
    Write(Option<Token>),
    Settle,
    After,
    Done,
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Saver {
    pub(crate) bytes: Bytes,
    pub(crate) at: Save,
    pub(crate) upload: Token,
    pub(crate) complete: bool,
    /// The version of the record that holds its intention.
    pub(crate) intended: Token,
    pub(crate) deletion: Option<Deleter>,
}

impl Saver {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            at: Save::Begin,
            upload: 0,
            complete: false,
            intended: 0,
            deletion: None,
        }
    }

    /// One that settles what a completer found, and looks no further.
    pub(crate) fn settling(bytes: Bytes, upload: Token) -> Self {
        Self {
            at: Save::Look,
            upload,
            ..Self::new(bytes)
        }
    }

    fn record(&self, current: Option<Bytes>, next: u16) -> Record {
        Record {
            version: 0,
            upload: self.upload,
            current,
            next,
        }
    }

    fn is_still(world: &World, version: Token) -> bool {
        world.record.is_some_and(|record| record.version == version)
    }

    fn done(&self, world: &mut World) -> Save {
        world.acknowledged.push(self.upload);
        world.acknowledged.sort_unstable();
        world.acknowledged.dedup();
        Save::Done
    }

    pub(crate) fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        let object = world.object(self.upload);
        let version = object.map(|object| object.version);
        self.at = match self.at {
            Save::Done | Save::Refused => return false,
            Save::Begin => match world.content {
                None => Save::Insert,
                Some(content) if content.deleting => {
                    self.deletion = Some(Deleter::finishing(content.version));
                    Save::FinishDeletion
                }
                Some(content) => {
                    (self.upload, self.complete) = (content.upload, content.complete.is_some());
                    if self.complete { Save::Look } else { Save::Create }
                }
            },
            Save::Insert => {
                let (upload, revision) = (world.token(), world.token());
                let content = Content {
                    version: 0,
                    upload,
                    revision,
                    complete: None,
                    deleting: false,
                };
                (self.upload, self.complete) = (upload, false);
                match world.swap_content(None, content) {
                    Some(_) => Save::Create,
                    None => Save::Begin,
                }
            }
            Save::FinishDeletion => {
                let deletion = self.deletion.as_mut().unwrap();
                deletion.step(world, mistake);
                if deletion.at == Delete::Done {
                    self.deletion = None;
                    Save::Begin
                } else {
                    Save::FinishDeletion
                }
            }
            Save::Create if world.write(self.upload, self.bytes, None) => Save::InsertRecord,
            Save::Create => Save::Look,
            Save::InsertRecord => match world.swap_record(None, self.record(Some(self.bytes), 0)) {
                Some(_) => self.done(world),
                None => Save::Begin,
            },
            Save::Look => self.look(world, mistake),
            Save::Adopt => match object {
                Some(object) if self.complete && object.bytes == self.bytes => Save::InsertRecord,
                _ if self.complete => Save::Refused,
                None => Save::Begin,
                Some(object) if object.bytes == self.bytes => Save::AdoptWrite(object.version),
                Some(_) => Save::AdoptIntend,
            },
            Save::AdoptWrite(_) if mistake == Some(Mistake::AdoptUnwritten) => Save::InsertRecord,
            Save::AdoptWrite(over) if world.write(self.upload, self.bytes, Some(over)) => Save::InsertRecord,
            Save::AdoptWrite(_) => Save::Begin,
            Save::AdoptIntend => {
                world.swap_record(None, self.record(None, 1 << self.bytes));
                Save::Begin
            }
            Save::Heal(record) => match object {
                Some(object) if object.bytes == self.bytes => self.done(world),
                _ => Save::HealCheck(record, version),
            },
            Save::HealCheck(record, over) if Self::is_still(world, record) => Save::HealWrite(over),
            Save::HealWrite(over) if world.write(self.upload, self.bytes, over) => self.done(world),
            Save::HealCheck(..) | Save::HealWrite(_) => Save::Begin,
            Save::Confirm(found) => match world.content {
                Some(content) if !content.deleting && content.upload == self.upload => Save::Intend(found),
                _ => Save::Begin,
            },
            Save::Intend(found) => self.intend(world, found, mistake),
            Save::Mark => match world.content {
                Some(content)
                    if !content.deleting && content.upload == self.upload && content.complete.is_none() =>
                {
                    Save::MarkSwap(content)
                }
                _ => Save::Begin,
            },
            Save::MarkSwap(content) => {
                let revision = world.token();
                match world.swap_content(Some(content.version), Content { revision, ..content }) {
                    Some(_) => Save::Stat,
                    None => Save::Mark,
                }
            }
            Save::Stat => Save::Check(version),
            Save::Check(over) if Self::is_still(world, self.intended) => Save::Write(over),
            Save::Check(_) => Save::Begin,
            Save::Write(_) if mistake == Some(Mistake::WriteUnconditionally) => {
                world.write_anyway(self.upload, self.bytes);
                Save::Settle
            }
            Save::Write(over) if world.write(self.upload, self.bytes, over) => Save::Settle,
            Save::Write(_) => Save::Stat,
            Save::Settle => match world.swap_record(Some(self.intended), self.record(Some(self.bytes), 0)) {
                Some(_) => self.done(world),
                None => Save::After,
            },
            Save::After => match world.record {
                Some(record) if record.upload == self.upload && record.current == Some(self.bytes) => {
                    Save::Begin
                }
                _ => Save::Refused,
            },
        };
        true
    }

    fn look(&self, world: &World, mistake: Option<Mistake>) -> Save {
        let Some(record) = world.record else {
            return Save::Adopt;
        };
        let own = record.upload == self.upload || mistake == Some(Mistake::IgnoreUpload);
        let same = own && record.current == Some(self.bytes);
        if same && (record.next == 0 || self.complete) {
            Save::Heal(record.version)
        } else if self.complete {
            Save::Refused
        } else if own || mistake == Some(Mistake::DoNotConfirm) {
            Save::Intend(record)
        } else {
            Save::Confirm(record)
        }
    }

    fn intend(&mut self, world: &mut World, found: Record, mistake: Option<Mistake>) -> Save {
        if mistake == Some(Mistake::WriteBeforeIntending) {
            self.intended = found.version;
            return Save::Stat;
        }
        let own = found.upload == self.upload || mistake == Some(Mistake::IgnoreUpload);
        let others = if own && mistake != Some(Mistake::ForgetOthers) {
            found.next
        } else {
            0
        };
        let intention = self.record(found.current.filter(|_| own), others | 1 << self.bytes);
        match world.swap_record(Some(found.version), intention) {
            Some(intended) => {
                self.intended = intended;
                if mistake == Some(Mistake::DoNotMark) {
                    Save::Stat
                } else {
                    Save::Mark
                }
            }
            None => Save::Begin,
        }
    }
}
