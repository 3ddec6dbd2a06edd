//! Who takes part, a call at a time.

use crate::completer::Completer;
use crate::deleter::Deleter;
use crate::quarantiner::Quarantiner;
use crate::repairer::Repairer;
use crate::saver::Saver;
use crate::world::{Mistake, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Save(Saver),
    Complete(Completer),
    Delete(Deleter),
    Repair(Repairer),
    Quarantine(Quarantiner),
}

impl Process {
    /// Takes the next step; `false` when there is none.
    pub(crate) fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        match self {
            Self::Save(saver) => saver.step(world, mistake),
            Self::Complete(completer) => completer.step(world, mistake),
            Self::Delete(deleter) => deleter.step(world, mistake),
            Self::Repair(repairer) => repairer.step(world),
            Self::Quarantine(quarantiner) => quarantiner.step(world, mistake),
        }
    }
}
