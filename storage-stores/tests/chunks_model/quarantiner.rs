//! Who moves a damaged chunk to quarantine: `verify.rs`. The copy changes nothing here.

use crate::world::{Mistake, Object, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Quarantiner {
    Read,
    /// The object was read; does the record name it?
    Judge(Object),
    Delete(Object),
    Done,
}

impl Quarantiner {
    pub(crate) fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        let Some(content) = world.content else {
            return false;
        };
        *self = match self.clone() {
            Self::Done => return false,
            // Where nothing is deleted by its version, only a copy is made.
            Self::Read if world.by_upload => Self::Done,
            Self::Read => world.object(content.upload).map_or(Self::Done, Self::Judge),
            Self::Judge(object) => match world.record {
                Some(record) if record.upload == content.upload && !record.names(object.bytes) => {
                    Self::Delete(object)
                }
                _ => Self::Done,
            },
            Self::Delete(object) => {
                world.delete_object(0, object.version, mistake == Some(Mistake::DeleteByName));
                Self::Done
            }
        };
        true
    }
}
