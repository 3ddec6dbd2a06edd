//! Who deletes the content: `delete.rs`.

use crate::world::{Content, Mistake, Token, World};

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

    pub(crate) const fn finishing(mark: Token) -> Self {
        Self {
            at: Delete::List,
            mark,
        }
    }

    pub(crate) fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
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
