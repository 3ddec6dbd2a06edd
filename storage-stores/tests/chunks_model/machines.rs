//! Who takes part: savers, completers and deleters, a call at a time.

use crate::world::{Bytes, Content, Mistake, Record, Token, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Save(Saver),
    Complete(Completer),
    Delete(Deleter),
    Repair(Repairer),
}

impl Process {
    /// Takes the next step; `false` when there is none.
    pub(crate) fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        match self {
            Self::Save(saver) => saver.step(world, mistake),
            Self::Complete(completer) => completer.step(world, mistake),
            Self::Delete(deleter) => deleter.step(world, mistake),
            Self::Repair(repairer) => repairer.step(world),
        }
    }
}

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
    const fn settling(bytes: Bytes, upload: Token) -> Self {
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

    fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        let version = world.object.map(|object| object.version);
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
            Save::Create if world.write(self.bytes, None) => Save::InsertRecord,
            Save::Create => Save::Look,
            Save::InsertRecord => match world.swap_record(None, self.record(Some(self.bytes), 0)) {
                Some(_) => self.done(world),
                None => Save::Begin,
            },
            Save::Look => self.look(world, mistake),
            Save::Adopt => match world.object {
                Some(object) if self.complete && object.bytes == self.bytes => Save::InsertRecord,
                _ if self.complete => Save::Refused,
                None => Save::Begin,
                Some(object) if object.bytes == self.bytes => Save::AdoptWrite(object.version),
                Some(_) => Save::AdoptIntend,
            },
            Save::AdoptWrite(_) if mistake == Some(Mistake::AdoptUnwritten) => Save::InsertRecord,
            Save::AdoptWrite(over) if world.write(self.bytes, Some(over)) => Save::InsertRecord,
            Save::AdoptWrite(_) => Save::Begin,
            Save::AdoptIntend => {
                world.swap_record(None, self.record(None, 1 << self.bytes));
                Save::Begin
            }
            Save::Heal(record) => match world.object {
                Some(object) if object.bytes == self.bytes => self.done(world),
                _ => Save::HealCheck(record, version),
            },
            Save::HealCheck(record, over) if Self::is_still(world, record) => Save::HealWrite(over),
            Save::HealWrite(over) if world.write(self.bytes, over) => self.done(world),
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
                world.write_anyway(self.bytes);
                Save::Settle
            }
            Save::Write(over) if world.write(self.bytes, over) => Save::Settle,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Complete {
    Begin,
    Scan,
    ReadForSettling(Record),
    Settle,
    ReadRecord,
    ReadObject(Record),
    Look(Bytes),
    Swap(Bytes, Content),
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Completer {
    pub(crate) at: Complete,
    pub(crate) upload: Token,
    pub(crate) revision: Token,
    pub(crate) settling: Option<Saver>,
}

impl Completer {
    pub(crate) const fn new() -> Self {
        Self {
            at: Complete::Begin,
            upload: 0,
            revision: 0,
            settling: None,
        }
    }

    fn own(&self, world: &World, mistake: Option<Mistake>) -> Option<Record> {
        let any = mistake == Some(Mistake::IgnoreUpload);
        world.record.filter(|record| any || record.upload == self.upload)
    }

    fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        self.at = match self.at {
            Complete::Done => return false,
            Complete::Begin => match world.content {
                Some(content) if !content.deleting && content.complete.is_none() => {
                    (self.upload, self.revision) = (content.upload, content.revision);
                    Complete::Scan
                }
                _ => Complete::Done,
            },
            Complete::Scan => match self.own(world, mistake) {
                Some(record) if record.current.is_none() => Complete::Done,
                Some(record) if record.next != 0 && mistake != Some(Mistake::IgnoreIntentions) => {
                    Complete::ReadForSettling(record)
                }
                Some(_) => Complete::ReadRecord,
                None => Complete::Done,
            },
            Complete::ReadForSettling(record) => match world.object {
                Some(object) if record.names(object.bytes) => {
                    self.settling = Some(Saver::settling(object.bytes, self.upload));
                    Complete::Settle
                }
                _ => Complete::Begin,
            },
            Complete::Settle => {
                let saver = self.settling.as_mut().unwrap();
                saver.step(world, mistake);
                if matches!(saver.at, Save::Done | Save::Refused | Save::Begin) {
                    self.settling = None;
                    Complete::Begin
                } else {
                    Complete::Settle
                }
            }
            Complete::ReadRecord => match self.own(world, mistake) {
                Some(record) => Complete::ReadObject(record),
                None => Complete::Begin,
            },
            Complete::ReadObject(record) => match world.object {
                Some(object) if record.names(object.bytes) => Complete::Look(object.bytes),
                _ => Complete::Begin,
            },
            Complete::Look(bytes) => match world.content {
                Some(content)
                    if !content.deleting
                        && content.complete.is_none()
                        && content.upload == self.upload
                        && (content.revision == self.revision
                            || mistake == Some(Mistake::IgnoreRevision)) =>
                {
                    Complete::Swap(bytes, content)
                }
                _ => Complete::Begin,
            },
            Complete::Swap(bytes, content) => {
                let complete = Content {
                    complete: Some(bytes),
                    ..content
                };
                match world.swap_content(Some(content.version), complete) {
                    Some(_) => Complete::Done,
                    None => Complete::Look(bytes),
                }
            }
        };
        true
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Delete {
    Begin,
    Mark(Content),
    List,
    Records(Token),
    Look(Token, Option<Token>),
    Unrecord(Token, Option<Token>),
    Unwrite(Token),
    Remove,
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Deleter {
    pub(crate) at: Delete,
    /// The version of the content's record that is the mark.
    pub(crate) mark: Token,
}

impl Deleter {
    pub(crate) const fn new() -> Self {
        Self {
            at: Delete::Begin,
            mark: 0,
        }
    }

    const fn finishing(mark: Token) -> Self {
        Self {
            at: Delete::List,
            mark,
        }
    }

    fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        self.at = match self.at {
            Delete::Done => return false,
            Delete::Begin => match world.content {
                None => Delete::Done,
                Some(content) if content.deleting => {
                    self.mark = content.version;
                    Delete::List
                }
                Some(content) => Delete::Mark(content),
            },
            Delete::Mark(content) => {
                let marked = Content {
                    deleting: true,
                    ..content
                };
                match world.swap_content(Some(content.version), marked) {
                    Some(mark) => {
                        self.mark = mark;
                        Delete::List
                    }
                    None => Delete::Begin,
                }
            }
            Delete::List => match world.object {
                Some(object) => Delete::Records(object.version),
                None => Delete::Remove,
            },
            Delete::Records(object) => Delete::Look(object, world.record.map(|record| record.version)),
            Delete::Look(object, record) => {
                let marked = world.content.is_some_and(|content| content.version == self.mark);
                if marked || mistake == Some(Mistake::DoNotLookAtTheMark) {
                    Delete::Unrecord(object, record)
                } else {
                    Delete::Done
                }
            }
            Delete::Unrecord(object, record) => {
                let found = world.record.map(|record| record.version);
                if record.is_some() && found == record {
                    world.record = None;
                }
                Delete::Unwrite(object)
            }
            Delete::Unwrite(object) => {
                let found = world.object.map(|object| object.version);
                if found == Some(object) || mistake == Some(Mistake::DeleteByName) {
                    world.object = None;
                }
                Delete::List
            }
            Delete::Remove => {
                if world.content.is_some_and(|content| content.version == self.mark) {
                    world.content = None;
                }
                Delete::Done
            }
        };
        true
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Repair {
    Look,
    Remove,
    Done,
}

/// Removes an object that was old when it was listed, unless a record names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Repairer {
    pub(crate) at: Repair,
    /// The version that was listed.
    pub(crate) orphan: Token,
}

impl Repairer {
    pub(crate) fn of(world: &World) -> Self {
        Self {
            at: Repair::Look,
            orphan: world.object.unwrap().version,
        }
    }

    fn step(&mut self, world: &mut World) -> bool {
        self.at = match self.at {
            Repair::Done => return false,
            Repair::Look if world.record.is_none() => Repair::Remove,
            Repair::Look => Repair::Done,
            Repair::Remove => {
                if world.object.is_some_and(|object| object.version == self.orphan) {
                    world.object = None;
                }
                Repair::Done
            }
        };
        true
    }
}
