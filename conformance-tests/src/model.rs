//! Random sequences of operations over the whole contract, on an adapter and on a model of it: every value and every kind of error
//! is compared, everything a place holds now and then, and what fails is made short and kept as JSON.
//!
//! The cases of the suite each ask for one thing. This asks for anything in any order, as applications do, and finds what two
//! operations that are right alone do to each other. The model is plain maps that follow the text of the contract; it shares
//! nothing with the adapter for memory but the planner, which says which queries need an index. What is not declared is asked for
//! now and then, and has to be refused.
//!
//! Where a harness has a [`Lane`], [`explore_with_crashes`] also kills processes while they write. What they were told is done must be
//! there, what they were doing whole or not at all, and the model goes on from whichever is seen.
//!
//! The budget is a number of operations, so that a run is the same on a fast machine and on a slow one.
//!
//! ```
//! use conformance_tests::{InMemory, model};
//! use storage_core::Memory;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let harness = InMemory::new("memory", |memory: Memory| std::sync::Arc::new(memory));
//! if let Err(broken) = model::explore(&harness, 1, 200).await {
//!     panic!("{broken}\n{}", broken.sequence.to_json());
//! }
//! # }
//! ```

mod clock;
mod corpus;
mod crashes;
mod doomed;
mod generate;
mod operation;
mod shrink;
mod state;
mod subject;
mod values;

use std::fmt;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use self::corpus::CORPUS;
use self::crashes::Crashes;
pub(crate) use self::doomed::Doomed;
use self::generate::Generator;
use self::operation::{Operation, Step};
use self::subject::{Ground, Subject};
use crate::case::{Failure, Verdict};
use crate::harness::Harness;
use crate::processes::Lane;

/// A sequence is no longer than this; then another begins in an empty place.
const MOST_STEPS: usize = 300;

/// How many steps there are from one look at everything to the next.
const STEPS_BETWEEN_LOOKS: usize = 16;

/// Operations of two clients, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// What it found, in a few words.
    found: String,
    steps: Vec<Step>,
}

/// A sequence an adapter answers otherwise than the model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Broken {
    /// The sequence, as short as it could be made.
    pub sequence: Sequence,
    /// What is seen when it is played.
    pub failure: Failure,
    /// How many steps it had when it was found.
    pub found_after: usize,
}

impl Sequence {
    /// Reads the JSON form back.
    ///
    /// # Errors
    /// What is no sequence, with the reason.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The sequence as JSON, one step a line: what `storage conformance --replay` takes.
    pub fn to_json(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(|step| format!("    {step}")).collect();
        let found = serde_json::Value::from(self.found.as_str());
        format!(
            "{{\n  \"found\": {found},\n  \"steps\": [\n{}\n  ]\n}}\n",
            steps.join(",\n")
        )
    }

    /// Says in a few words what it found.
    #[must_use]
    pub fn found(mut self, what: impl Into<String>) -> Self {
        self.found = what.into();
        self
    }

    /// Whether processes are killed in it, so that only a harness with a [`Lane`] can play it.
    pub fn has_crashes(&self) -> bool {
        let is_crash = |step: &Step| matches!(step.operation, Operation::CrashRestart { .. });
        self.steps.iter().any(is_crash)
    }

    /// How many steps it has.
    pub const fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Plays random sequences of so many operations in all.
///
/// # Errors
/// The first difference, with a sequence that shows it and is as short as it could be made.
pub async fn explore(harness: &dyn Harness, seed: u64, operations: usize) -> Result<(), Box<Broken>> {
    explored(Ground::Places(harness), seed, operations).await
}

/// The same in directories of a lane, where one step in 25 is a process that is killed while it writes. Prints a line with the figures.
///
/// # Errors
/// As [`explore`]. What depends on the moment of death need not show again, and is then less short than it could be.
pub async fn explore_with_crashes(lane: Lane, seed: u64, operations: usize) -> Result<(), Box<Broken>> {
    let crashes = Crashes::of(lane);
    explored(Ground::Crashes(&crashes), seed, operations).await?;
    eprintln!("{crashes}");
    Ok(())
}

async fn explored(ground: Ground<'_>, seed: u64, operations: usize) -> Result<(), Box<Broken>> {
    let mut left = operations;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let steps = left.min(MOST_STEPS);
        left -= steps;
        let seed = seed.wrapping_add(number << 32);
        let Err((failure, played)) = one(ground, seed, steps).await else {
            continue;
        };
        let found_after = played.len();
        let fails = |steps: Vec<Step>| -> BoxFuture<'_, bool> {
            Box::pin(async move { play(ground, &steps).await.is_err() })
        };
        let shortest = shrink::shortest(played, fails).await;
        let failure = play(ground, &shortest).await.err().unwrap_or(failure);
        let sequence = Sequence {
            found: format!("{}, seed {seed}", ground.harness().label().backend),
            steps: shortest,
        };
        return Err(Box::new(Broken {
            sequence,
            failure,
            found_after,
        }));
    }
    Ok(())
}

/// Plays a sequence in a place of its own: one with crashes in a directory of the harness's lane.
///
/// # Errors
/// The first difference, or that it has crashes and there is no lane.
pub async fn replay(harness: &dyn Harness, sequence: &Sequence) -> Verdict {
    if !sequence.has_crashes() {
        return play(Ground::Places(harness), &sequence.steps).await;
    }
    let lane = harness
        .lane()
        .ok_or("processes are killed in the sequence, and the harness offers none")?;
    let crashes = Crashes::of(lane);
    play(Ground::Crashes(&crashes), &sequence.steps).await
}

/// Plays every sequence that once found a fault: those in which processes are killed, or those in which none is.
pub(crate) async fn replay_corpus(harness: &dyn Harness, with_crashes: bool) -> Verdict {
    for (name, json) in CORPUS {
        let sequence = Sequence::from_json(json)?;
        if sequence.has_crashes() != with_crashes {
            continue;
        }
        let verdict = replay(harness, &sequence).await;
        verdict.map_err(|failure| failure.in_context(&format!("corpus/{name}.json")))?;
    }
    Ok(())
}

/// Writes a sequence into a file, in the directory `CONFORMANCE_FAILURES` names or that of temporary files, and says so.
pub(crate) fn kept(sequence: &Sequence) -> String {
    let directory = std::env::var_os("CONFORMANCE_FAILURES").map_or_else(std::env::temp_dir, Into::into);
    let path = directory.join(format!(
        "conformance-{:016x}.json",
        storage_core::random_u128() >> 64
    ));
    match std::fs::write(&path, sequence.to_json()) {
        Ok(()) => format!(
            "play it again with storage conformance URL --replay {}",
            path.display()
        ),
        Err(error) => format!(
            "it cannot be kept in {} ({error}):\n{}",
            path.display(),
            sequence.to_json()
        ),
    }
}

/// One random sequence, and what was played of it where it fails.
async fn one(ground: Ground<'_>, seed: u64, steps: usize) -> Result<(), (Failure, Vec<Step>)> {
    let mut played = Vec::new();
    let mut subject = Subject::open(ground)
        .await
        .map_err(|failure| (failure, Vec::new()))?;
    let mut generator = Generator::new(seed, subject.declaration.clone(), ground.crashes().is_some());
    let mut verdict = Ok(());
    for number in 1..=steps {
        if verdict.is_err() {
            break;
        }
        let step = if number.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            Step {
                client: number / STEPS_BETWEEN_LOOKS,
                operation: Operation::LookAtEverything,
            }
        } else {
            generator.step(&subject.state)
        };
        played.push(step.clone());
        verdict = subject.step(&step).await;
    }
    if verdict.is_ok() {
        verdict = subject.end().await;
    }
    let closed = subject.close().await;
    verdict
        .and(closed.map_err(Failure::from))
        .map_err(|failure| (failure, played))
}

async fn play(ground: Ground<'_>, steps: &[Step]) -> Verdict {
    let mut subject = Subject::open(ground).await?;
    let mut verdict = Ok(());
    for (at, step) in steps.iter().enumerate() {
        verdict = subject.step(step).await;
        verdict = verdict.map_err(|failure| failure.in_context(&format!("step {at} of {}", steps.len())));
        if verdict.is_err() {
            break;
        }
    }
    if verdict.is_ok() {
        verdict = subject.end().await;
    }
    let closed = subject.close().await;
    verdict.and(closed.map_err(Failure::from))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text, numbers and maps with text for keys: it cannot fail.
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} steps, made {} ({}): {}",
            self.found_after,
            self.sequence.len(),
            self.sequence.found,
            self.failure
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_memory::InMemory;
    use storage_core::Memory;

    #[tokio::test]
    async fn a_sequence_is_the_same_after_it_was_json() {
        let harness = InMemory::new("memory", |memory: Memory| std::sync::Arc::new(memory));
        let subject = Subject::open(Ground::Places(&harness)).await;
        let mut subject = subject.expect("memory opens");
        let mut generator = Generator::new(7, subject.declaration.clone(), false);
        let mut steps = Vec::new();
        for _ in 0..400 {
            let step = generator.step(&subject.state);
            subject.step(&step).await.expect("memory is as the model");
            steps.push(step);
        }
        let sequence = Sequence {
            found: "a \"quoted\" fault".into(),
            steps,
        };
        let read = Sequence::from_json(&sequence.to_json()).expect("a sequence");
        // Texts, because a number that is none is not equal to itself.
        assert_eq!(format!("{read:?}"), format!("{sequence:?}"));
        assert_eq!(read.to_json(), sequence.to_json());
    }
}
