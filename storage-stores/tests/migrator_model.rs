//! The protocol of migrations as small machines, explored exhaustively: a step is one call of the storage, and every order of the
//! steps of two migrators and a writer is tried. A lease may run out at any time, so each of them may be paused between any two steps
//! while another takes over; whatever state is reached, everybody may be dead from there on, and a fresh migrator must be able to
//! finish.
//!
//! The machines do what `src/collections/migrations` does, call by call. Change the protocol here first. That the model can see
//! a fault at all is shown by making every mistake the protocol rules out, one at a time.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

#[path = "migrator_model/migrator.rs"]
mod migrator;
#[path = "migrator_model/world.rs"]
mod world;

use std::collections::HashSet;

use self::migrator::{Migrator, Step};
use self::world::{Document, Guard, Mistake, Stage, Way, World};

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
