//! Every order of every step, once.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::builder::{Builder, Dropper};
use crate::reader::Reader;
use crate::rename::{Canonical, Nonces, Rename};
use crate::rules::Rules;
use crate::sweeper::Sweeper;
use crate::world::World;
use crate::writer::Writer;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Write(Writer),
    Build(Builder),
    Drop(Dropper),
    Sweep(Sweeper),
    Read(Reader),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    world: World,
    processes: Vec<Process>,
}

/// What was explored.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) violation: Option<&'static str>,
    /// How many states no process can leave.
    pub(crate) ends: usize,
}

/// Explores every interleaving of single steps. A process that crashed or is paused is one that takes no further step, and
/// everything is checked in every state; so every crash and every pause is among them.
pub(crate) fn explore(world: World, processes: &[Process], rules: Rules) -> Explored {
    let mut stack = vec![State {
        world,
        processes: processes.to_vec(),
    }];
    let mut seen = HashSet::new();
    let mut explored = Explored {
        states: 0,
        violation: None,
        ends: 0,
    };
    while let Some(mut state) = stack.pop() {
        state.make_canonical();
        if !seen.insert(fingerprint(&state)) {
            continue;
        }
        explored.states += 1;
        explored.violation = state.world.check();
        if explored.violation.is_some() {
            return explored;
        }
        let next = state.successors(&rules);
        explored.ends += usize::from(next.is_empty());
        stack.extend(next);
    }
    explored
}

impl State {
    fn make_canonical(&mut self) {
        let mut nonces = Nonces::default();
        self.rename(&mut nonces);
        let mut canonical = Canonical::new(nonces);
        self.rename(&mut canonical);
        self.world.next = canonical.last();
        // In which order lost requests were sent says nothing about when they land.
        self.world.late.sort_by_key(|late| late.writer);
    }

    fn rename(&mut self, names: &mut impl Rename) {
        names.world(&mut self.world);
        for process in &mut self.processes {
            match process {
                Process::Write(writer) => writer.rename(names),
                Process::Build(builder) => builder.rename(names),
                Process::Sweep(sweeper) => sweeper.rename(names),
                Process::Read(reader) => reader.rename(names),
                Process::Drop(_) => {}
            }
        }
    }

    fn successors(&self, rules: &Rules) -> Vec<Self> {
        let mut next = Vec::new();
        for (at, process) in self.processes.iter().enumerate() {
            for (process, world) in process.step(&self.world, rules) {
                let mut processes = self.processes.clone();
                processes[at] = process;
                next.push(Self { world, processes });
            }
        }
        for at in 0..self.world.late.len() {
            let mut world = self.world.clone();
            let late = world.late.remove(at);
            world.commit(&late);
            next.push(Self {
                world,
                processes: self.processes.clone(),
            });
        }
        next
    }
}

impl Process {
    fn step(&self, world: &World, rules: &Rules) -> Vec<(Self, World)> {
        fn of<P>(steps: Vec<(P, World)>, process: fn(P) -> Process) -> Vec<(Process, World)> {
            steps
                .into_iter()
                .map(|(next, world)| (process(next), world))
                .collect()
        }
        match self {
            Self::Write(writer) => of(writer.step(world, rules), Self::Write),
            Self::Build(builder) => of(builder.step(world, rules), Self::Build),
            Self::Drop(dropper) => of(dropper.step(world), Self::Drop),
            Self::Sweep(sweeper) => of(sweeper.step(world, rules), Self::Sweep),
            Self::Read(reader) => of(reader.step(world, rules), Self::Read),
        }
    }
}

/// 128 bits, so that two states of millions do not meet by chance.
fn fingerprint(state: &State) -> (u64, u64) {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, state).hash(&mut hasher);
        hasher.finish()
    };
    (half(0), half(1))
}
