//! Who removes what no record names: `verify.rs`.

use crate::world::{Token, World};

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
    /// The name and the version that were listed.
    pub(crate) name: Token,
    pub(crate) orphan: Token,
}

impl Repairer {
    pub(crate) fn of(world: &World) -> Self {
        let (name, object) = world.objects.first_key_value().unwrap();
        Self {
            at: Repair::Look,
            name: *name,
            orphan: object.version,
        }
    }

    pub(crate) fn step(&mut self, world: &mut World) -> bool {
        self.at = match self.at {
            Repair::Done => return false,
            // While the content is of the upload in the name, its sender may be about to name the object.
            Repair::Look if world.by_upload => match world.content {
                Some(content) if content.upload == self.name => Repair::Done,
                _ => Repair::Remove,
            },
            Repair::Look if world.record.is_none() => Repair::Remove,
            Repair::Look => Repair::Done,
            Repair::Remove => {
                world.delete_object(self.name, self.orphan, false);
                Repair::Done
            }
        };
        true
    }
}
