//! Who completes the content: `complete.rs`.

use crate::saver::{Save, Saver};
use crate::world::{Bytes, Content, Mistake, Record, Token, World};

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

    pub(crate) fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
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
            Complete::ReadForSettling(record) => match world.object(self.upload) {
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
            Complete::ReadObject(record) => match world.object(self.upload) {
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
