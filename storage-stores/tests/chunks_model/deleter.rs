//! Who deletes the content: `delete.rs`.

use crate::world::{Content, Mistake, Token, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Delete {
    Begin,
    Mark(Content),
    List,
    Records,
    Look(Option<Token>),
    Unrecord(Option<Token>),
    Unwrite,
    Remove,
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Deleter {
    pub(crate) at: Delete,
    /// The version of the content's record that is the mark.
    pub(crate) mark: Token,
    /// The objects that were found: their names and versions.
    pub(crate) page: Vec<(Token, Token)>,
}

impl Deleter {
    pub(crate) const fn new() -> Self {
        Self {
            at: Delete::Begin,
            mark: 0,
            page: Vec::new(),
        }
    }

    pub(crate) const fn finishing(mark: Token) -> Self {
        Self {
            at: Delete::List,
            mark,
            page: Vec::new(),
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
            Delete::List => {
                let found = world.objects.iter();
                self.page = found.map(|(name, object)| (*name, object.version)).collect();
                if self.page.is_empty() {
                    Delete::Remove
                } else {
                    Delete::Records
                }
            }
            Delete::Records => Delete::Look(world.record.map(|record| record.version)),
            Delete::Look(record) => {
                let marked = world.content.is_some_and(|content| content.version == self.mark);
                if marked || mistake == Some(Mistake::DoNotLookAtTheMark) {
                    Delete::Unrecord(record)
                } else {
                    Delete::Done
                }
            }
            Delete::Unrecord(record) => {
                let found = world.record.map(|record| record.version);
                if record.is_some() && found == record {
                    world.record = None;
                }
                Delete::Unwrite
            }
            Delete::Unwrite => match self.page.pop() {
                Some((name, version)) => {
                    world.delete_object(name, version, mistake == Some(Mistake::DeleteByName));
                    Delete::Unwrite
                }
                None => Delete::List,
            },
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
