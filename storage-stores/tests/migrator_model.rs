//! The protocol of migrations as small machines, explored exhaustively: a step is one call of the storage, and every order of the
//! steps of two migrators and a writer is tried. A lease may run out at any time, so each of them may be paused between any two steps
//! while another takes over; whatever state is reached, everybody may be dead from there on, and a fresh migrator must be able to
//! finish.
//!
//! The machines do what `src/collections/migrations` does, call by call. Change the protocol here first. That the model can see
//! a fault at all is shown by making every mistake the protocol rules out, one at a time.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use std::collections::HashSet;

/// What protects documents from a migrator that was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// A document is written in one batch with the state, which is conditional on what this migrator knows.
    Batch,
    /// A document is written under the lease's fence.
    Fence,
    /// A document is written only as it was read.
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// Documents are written whatever is there.
    BlindWrites,
    /// The stamp is written after the change, not with it.
    StampLater,
    /// The state is written whatever is there.
    BlindState,
    /// Documents are written without what the backend has to guard them.
    NoGuard,
    /// The state is written without the fence that documents are written under.
    UnfencedState,
    /// The end is recorded before the documents are done.
    EndFirst,
    /// What was begun is not recorded.
    NoAnnouncement,
    /// A document that somebody else changed is left out.
    SkipConflicts,
    /// What was begun by another is taken for done.
    TrustRunning,
    /// A rollback that was begun is forgotten by whoever migrates.
    ForgetRollback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Document {
    version: u8,
    stamped: bool,
    /// How often the migration was done to it, less how often it was undone.
    times: i8,
    /// How often the writer counted it.
    updates: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Stage {
    #[default]
    Pending,
    Running,
    RollingBack,
    Applied,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct World {
    documents: [Document; 2],
    stage: Stage,
    state_version: u8,
    /// That of the lease's last holder.
    token: u8,
    /// What the writer was told was written.
    acknowledged: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    Up,
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
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
struct Migrator {
    /// What it was asked for.
    goal: Way,
    /// What it is doing: a rollback that was begun is finished first.
    way: Way,
    token: u8,
    known: u8,
    step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Writer {
    Read(usize),
    Write(usize, Document),
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Process {
    Migrator(Migrator),
    Writer(Writer),
}

fn migrator(goal: Way) -> Process {
    Process::Migrator(Migrator {
        goal,
        way: goal,
        token: 0,
        known: 0,
        step: Step::TakeLease,
    })
}

impl Migrator {
    fn step(&mut self, world: &mut World, guard: Guard, mistake: Mistake) {
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

impl Writer {
    /// It changes what it knows, keeps the stamp, and writes only what it read.
    fn step(&mut self, world: &mut World) {
        *self = match self.clone() {
            Self::Read(at) => Self::Write(at, world.documents[at]),
            Self::Write(at, seen) if world.documents[at].version == seen.version => {
                world.documents[at].updates += 1;
                world.documents[at].version += 1;
                world.acknowledged[at] += 1;
                Self::Over
            }
            Self::Write(at, _) => Self::Read(at),
            Self::Over => Self::Over,
        };
    }
}

/// What must hold whenever anybody looks.
fn check(world: &World, guard: Guard) -> Result<(), String> {
    for (document, acknowledged) in world.documents.iter().zip(world.acknowledged) {
        if document.times != i8::from(document.stamped) {
            return Err("a document is not what its stamp says".to_owned());
        }
        if document.updates != acknowledged {
            return Err("an update is lost".to_owned());
        }
        if world.stage == Stage::Applied && !document.stamped && guard != Guard::Version {
            return Err("the migration counts as applied, and a document lacks it".to_owned());
        }
        if world.stage == Stage::Pending && document.stamped && guard != Guard::Version {
            return Err("the migration counts as pending, and a document has it".to_owned());
        }
    }
    Ok(())
}

/// Whether a fresh migrator gets everything there, or back, with everybody else dead.
fn recover(world: &World, guard: Guard, mistake: Mistake) -> Result<(), String> {
    for (goal, stage) in [(Way::Up, Stage::Applied), (Way::Down, Stage::Pending)] {
        let (mut world, Process::Migrator(mut fresh)) = (world.clone(), migrator(goal)) else {
            unreachable!("a migrator is one")
        };
        while fresh.step != Step::Over {
            fresh.step(&mut world, guard, mistake);
        }
        if world.stage != stage {
            return Err(format!("going {goal:?} ends at {:?}", world.stage));
        }
        check(&world, guard)?;
    }
    Ok(())
}

/// Tries every order of steps. Gives how many states there are.
fn explore(processes: Vec<Process>, world: World, guard: Guard, mistake: Mistake) -> Result<usize, String> {
    let mut seen = HashSet::new();
    let mut open = vec![(world, processes)];
    while let Some(state) = open.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        let (world, processes) = &state;
        check(world, guard)?;
        recover(world, guard, mistake)?;
        for at in 0..processes.len() {
            let (mut world, mut processes) = state.clone();
            match &mut processes[at] {
                Process::Migrator(migrator) => migrator.step(&mut world, guard, mistake),
                Process::Writer(writer) => writer.step(&mut world),
            }
            open.push((world, processes));
        }
    }
    Ok(seen.len())
}

fn scenes() -> Vec<(Vec<Process>, World)> {
    let applied = || World {
        stage: Stage::Applied,
        documents: [Document {
            stamped: true,
            times: 1,
            ..Document::default()
        }; 2],
        ..World::default()
    };
    let half_back = || World {
        stage: Stage::RollingBack,
        documents: [Document::default(), applied().documents[1]],
        ..World::default()
    };
    let writer = || Process::Writer(Writer::Read(0));
    let mut scenes = Vec::new();
    for (a, b) in [(Way::Up, Way::Up), (Way::Up, Way::Down), (Way::Down, Way::Down)] {
        for world in [World::default(), applied(), half_back()] {
            scenes.push((vec![migrator(a), migrator(b), writer()], world));
        }
    }
    scenes.push((
        vec![migrator(Way::Up), migrator(Way::Up), migrator(Way::Down)],
        World::default(),
    ));
    scenes
}

fn explore_all(guard: Guard, mistake: Mistake) -> Result<usize, String> {
    scenes()
        .into_iter()
        .map(|(processes, world)| explore(processes, world, guard, mistake))
        .sum()
}

#[test]
fn every_order_of_steps_keeps_the_laws() {
    for guard in [Guard::Batch, Guard::Fence, Guard::Version] {
        let states = explore_all(guard, Mistake::None).unwrap_or_else(|why| panic!("{guard:?}: {why}"));
        assert!(states > 5_000, "{guard:?}: only {states} states");
    }
}

#[test]
fn every_mistake_is_seen() {
    let everywhere = [
        Mistake::BlindWrites,
        Mistake::StampLater,
        Mistake::EndFirst,
        Mistake::SkipConflicts,
        Mistake::TrustRunning,
        Mistake::ForgetRollback,
        Mistake::NoAnnouncement,
        Mistake::NoGuard,
    ];
    for guard in [Guard::Batch, Guard::Fence] {
        for mistake in everywhere {
            assert!(
                explore_all(guard, mistake).is_err(),
                "{guard:?}: {mistake:?} goes unnoticed"
            );
        }
    }
    // What the state is written under, each where documents are written under the same.
    for (guard, mistake) in [
        (Guard::Batch, Mistake::BlindState),
        (Guard::Fence, Mistake::UnfencedState),
    ] {
        assert!(explore_all(guard, mistake).is_err(), "{mistake:?} goes unnoticed");
    }
    for mistake in [
        Mistake::BlindWrites,
        Mistake::StampLater,
        Mistake::TrustRunning,
        Mistake::ForgetRollback,
    ] {
        let found = explore_all(Guard::Version, mistake);
        assert!(found.is_err(), "without a guard: {mistake:?} goes unnoticed");
    }
}
