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

    pub(crate) fn step(&mut self, world: &mut World) -> bool {
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
