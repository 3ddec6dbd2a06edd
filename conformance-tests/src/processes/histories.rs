//! Three processes do random things to the same registers, and one of them is killed meanwhile: what all of them saw must have an
//! order, in which the calls the dead one never heard of again happened once or not at all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Lane, Role, Work, block_on, said_by, say};
use crate::history::{self, Action, Operation};
use crate::random::Random;
use crate::register::{Client, Known, Medium, Registers};

const PROCESSES: u64 = 3;
const OPERATIONS: usize = 60;
const MEDIA: [Medium; 2] = [Medium::Objects, Medium::Documents];
/// For each medium.
const KEYS: usize = 2;

/// What a child says of one operation: once before it begins, and once when it knows how it ended.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    /// Which of the registers.
    register: usize,
    /// Which of the child's operations.
    number: usize,
    operation: Operation,
}

impl Lane {
    /// Lets three processes work on the same few objects and documents `rounds` times (`CONFORMANCE_ROUNDS` overrides), kills one
    /// of them in each round, and checks the history of each. Prints a line with the figures.
    ///
    /// # Panics
    /// When a history has no order, or cannot be decided.
    pub fn histories(mut self, rounds: u64) {
        (self.work, self.rounds) = (Work::Histories, Self::rounds(rounds));
        let rounds = self.rounds;
        if let Some(role) = Role::of_this_process() {
            block_on(self.operate(&role));
            // Not by returning: a test that is to panic would call that a failure.
            std::process::exit(0);
        }
        let directory = self.fresh_directory();
        let (mut operations, mut unknown) = (0, 0);
        for round in 0..rounds {
            let children: Vec<Child> = (0..PROCESSES)
                .map(|process| {
                    let number = round * PROCESSES + process;
                    self.spawn(directory.path(), number).expect("a child process")
                })
                .collect();
            let mut histories = vec![Vec::new(); MEDIA.len() * KEYS];
            for (register, operation) in witness(children, &start(directory.path(), round)) {
                operations += 1;
                unknown += u64::from(operation.returned.is_none());
                histories[register].push(operation);
            }
            block_on(self.last_word(directory.path(), round, &mut histories));
            for (register, history) in histories.iter_mut().enumerate() {
                history.sort_by_key(|operation| operation.called);
                if let Err(failure) = history::check(history) {
                    panic!("round {round}, {}: {failure}", name(round, register));
                }
            }
        }
        eprintln!(
            "{}: {} histories of {PROCESSES} processes, one killed in each round, {operations} operations, {unknown} of unknown end; \
             each has an order",
            self.name(),
            rounds * (MEDIA.len() * KEYS) as u64
        );
    }

    /// What everybody sees once nothing is under way.
    async fn last_word(&self, directory: &Path, round: u64, histories: &mut [Vec<Operation>]) {
        let storage = self.open(directory).await.expect("the place opens after a crash");
        for (register, history) in histories.iter_mut().enumerate() {
            let called = now();
            let registers = Registers {
                storage: storage.clone(),
                medium: MEDIA[register / KEYS],
            };
            let read = registers.read(&name(round, register)).await;
            let read =
                read.unwrap_or_else(|failure| panic!("the place can be read after a crash: {failure}"));
            history.push(Operation {
                called,
                returned: Some(now()),
                action: Action::Read(read.map(|(value, _)| value)),
            });
        }
        storage.close().await.expect("closes");
    }

    /// A child: works until it has done enough or is killed, and says all it does.
    async fn operate(&self, role: &Role) {
        let (round, process) = (role.number / PROCESSES, role.number % PROCESSES);
        let storage = self.open(&role.directory).await.expect("the place opens");
        let mut known: Vec<Known> = vec![None; MEDIA.len() * KEYS];
        let mut clients: Vec<Client> = (0..)
            .zip(MEDIA)
            .map(|(at, medium)| client(&storage, medium, role.number, at))
            .collect();
        let mut choices = Random::new(role.number);
        say("ready");
        let start = start(&role.directory, round);
        while !start.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for number in 0..OPERATIONS {
            let register = choices.below(MEDIA.len() * KEYS);
            let tell = |operation: &Operation| {
                let said = Said {
                    register,
                    number,
                    operation: operation.clone(),
                };
                say(&serde_json::to_string(&said).expect("numbers"));
            };
            let client = &mut clients[register / KEYS];
            let done = client
                .step(&name(round, register), &mut known[register], tell)
                .await;
            tell(&done.unwrap_or_else(|failure| panic!("process {process}: {failure}")));
        }
        storage.close().await.expect("closes");
    }
}

fn client(storage: &storage_core::Storage, medium: Medium, number: u64, at: u64) -> Client {
    let mut values = number * 1_000_000 + at * 1_000;
    Client {
        registers: Registers {
            storage: storage.clone(),
            medium,
        },
        random: Random::new(number * 2 + at),
        clock: Box::new(now),
        fresh: Box::new(move || {
            values += 1;
            values
        }),
        create: true,
        swap: true,
        abandons: false,
    }
}

/// Lets all begin at once, kills one after a while, and gathers what they say until the last has ended.
fn witness(mut children: Vec<Child>, start: &PathBuf) -> Vec<(usize, Operation)> {
    let (send, said) = std::sync::mpsc::channel();
    let readers: Vec<_> = children
        .iter_mut()
        .enumerate()
        .map(|(process, child)| {
            let (words, send) = (said_by(child), send.clone());
            std::thread::spawn(move || {
                for line in words {
                    let _ = send.send((process, line));
                }
            })
        })
        .collect();
    drop(send);
    let victim = usize::try_from(storage_core::random_u128() % u128::from(PROCESSES)).expect("a few");
    // Somewhere in the middle of its work, wherever that is.
    let last_words = usize::try_from(storage_core::random_u128() % OPERATIONS as u128).expect("a few");
    let (mut ready, mut words) = (0, 0);
    let mut operations: HashMap<(usize, usize), (usize, Operation)> = HashMap::new();
    for (process, line) in said {
        if line == "ready" {
            ready += 1;
            if ready == PROCESSES {
                std::fs::write(start, "").expect("lets them begin");
            }
            continue;
        }
        let said: Said = serde_json::from_str(&line).expect("what a child says");
        operations.insert((process, said.number), (said.register, said.operation));
        words += usize::from(process == victim);
        if process == victim && words == last_words.max(1) {
            children[victim].kill().expect("kills its own child");
        }
    }
    for reader in readers {
        reader.join().expect("reads to the end");
    }
    for (process, child) in children.iter_mut().enumerate() {
        let ended = child.wait().expect("waits for its own child");
        assert!(process == victim || ended.success(), "process {process} failed");
    }
    operations.into_values().collect()
}

/// The file whose existence lets all begin.
fn start(directory: &Path, round: u64) -> PathBuf {
    directory.join(format!("start-{round}"))
}

fn name(round: u64, register: usize) -> String {
    format!("history/{round}/{register}")
}

/// Nanoseconds on a clock that all processes of this machine share and that nobody sets.
#[cfg(unix)]
fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000_000 + nanoseconds.unwrap_or_default()
}

/// Nanoseconds on the one clock the standard library lets processes share.
#[cfg(not(unix))]
fn now() -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
