//! Who migrates, there or back: `run.rs`, `documents.rs` and `turn.rs`.

use crate::world::{Document, Guard, Mistake, Stage, Way, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    TakeLease,
    ReadState,
    Announce,
    Read(usize),
    Write(usize, Document),
    Stamp(usize),
    End,
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Migrator {
    /// What it was asked for.
    pub(crate) goal: Way,
    /// What it is doing: a rollback that was begun is finished first.
    pub(crate) way: Way,
    pub(crate) token: u8,
    pub(crate) known: u8,
    pub(crate) step: Step,
}

impl Migrator {
    pub(crate) fn step(&mut self, world: &mut World, guard: Guard, mistake: Mistake) {
        self.step = match self.step.clone() {
            // Whoever held it may be paused; its lease has run out.
            Step::TakeLease => {
                world.token += 1;
                self.token = world.token;
                Step::ReadState
            }
            Step::ReadState => {
                self.known = world.state_version;
                self.begin(world.stage, mistake)
            }
            Step::Announce if mistake == Mistake::NoAnnouncement => Step::Read(0),
            Step::Announce => {
                let stage = if self.way == Way::Up {
                    Stage::Running
                } else {
                    Stage::RollingBack
                };
                let next = if mistake == Mistake::EndFirst {
                    Step::End
                } else {
                    Step::Read(0)
                };
                self.record(world, stage, guard, mistake, next)
            }
            Step::Read(at) => match world.documents.get(at) {
                None if mistake == Mistake::EndFirst => Step::Over,
                None => Step::End,
                Some(document) if document.stamped == (self.way == Way::Up) => Step::Read(at + 1),
                Some(document) => Step::Write(at, *document),
            },
            Step::Write(at, seen) => self.write(world, at, seen, guard, mistake),
            Step::Stamp(at) => {
                let document = &mut world.documents[at];
                document.stamped = self.way == Way::Up;
                document.version += 1;
                Step::Read(at + 1)
            }
            Step::End => {
                let stage = if self.way == Way::Up {
                    Stage::Applied
                } else {
                    Stage::Pending
                };
                let next = if mistake == Mistake::EndFirst {
                    Step::Read(0)
                } else if self.way == self.goal {
                    Step::Over
                } else {
                    self.way = self.goal;
                    Step::Announce
                };
                self.record(world, stage, guard, mistake, next)
            }
            Step::Over => Step::Over,
        };
    }

    fn begin(&mut self, stage: Stage, mistake: Mistake) -> Step {
        match (self.goal, stage) {
            (Way::Up, Stage::Applied) | (Way::Down, Stage::Pending) => Step::Over,
            (Way::Up, Stage::Running) if mistake == Mistake::TrustRunning => Step::Over,
            (Way::Up, Stage::RollingBack) if mistake == Mistake::ForgetRollback => Step::Over,
            (Way::Up, Stage::RollingBack) => {
                self.way = Way::Down;
                Step::Announce
            }
            _ => Step::Announce,
        }
    }

    fn record(
        &mut self,
        world: &mut World,
        stage: Stage,
        guard: Guard,
        mistake: Mistake,
        next: Step,
    ) -> Step {
        if world.state_version != self.known && mistake != Mistake::BlindState {
            return Step::Over;
        }
        // One that was paused between taking the lease and reading the state knows the newest, and must not write it.
        if guard == Guard::Fence && world.token != self.token && mistake != Mistake::UnfencedState {
            return Step::Over;
        }
        world.stage = stage;
        world.state_version += 1;
        self.known = world.state_version;
        next
    }

    fn write(
        &mut self,
        world: &mut World,
        at: usize,
        seen: Document,
        guard: Guard,
        mistake: Mistake,
    ) -> Step {
        let batch = guard == Guard::Batch && mistake != Mistake::NoGuard;
        let kept = match guard {
            _ if mistake == Mistake::NoGuard => true,
            Guard::Batch => world.state_version == self.known,
            Guard::Fence => world.token == self.token,
            Guard::Version => true,
        };
        if !kept {
            return Step::Over;
        }
        let document = &mut world.documents[at];
        if document.version != seen.version && mistake != Mistake::BlindWrites {
            return if mistake == Mistake::SkipConflicts {
                Step::Read(at + 1)
            } else {
                Step::Read(at)
            };
        }
        let up = self.way == Way::Up;
        *document = Document {
            version: document.version + 1,
            stamped: if mistake == Mistake::StampLater {
                seen.stamped
            } else {
                up
            },
            times: seen.times + if up { 1 } else { -1 },
            updates: seen.updates,
        };
        if batch {
            world.state_version += 1;
            self.known = world.state_version;
        }
        if mistake == Mistake::StampLater {
            Step::Stamp(at)
        } else {
            Step::Read(at + 1)
        }
    }
}
