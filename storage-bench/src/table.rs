//! One table: contenders on the same work, in turns, with a control.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use crate::report::{Goal, Report, Unit};
use crate::run::{Outcome, Run};

/// A table takes no longer than this, however slow its contenders are; but every one has its least rounds.
const TIME: Duration = Duration::from_secs(6);
const LEAST_ROUNDS: usize = 7;
const MOST_ROUNDS: usize = 400;

/// What a contender does in one round, and what it took: seconds an operation, or bytes.
type Measure = Arc<dyn Fn(Share) -> BoxFuture<'static, Outcome<f64>> + Send + Sync>;

/// The part of a round that is one contender's.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    /// Numbers that nobody else has, one an operation.
    pub(crate) numbers: Range<u64>,
    /// How many operations are under way at once.
    pub(crate) at_once: u64,
}

pub(crate) struct Table {
    name: String,
    title: String,
    unit: Unit,
    at_once: u64,
    per_round: u64,
    contenders: Vec<(String, Measure)>,
    goals: Vec<Goal>,
    notes: Vec<String>,
}

impl Table {
    /// The name is that of its files. Of times, unless said otherwise.
    pub(crate) fn new(name: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            unit: Unit::Time,
            at_once: 1,
            per_round: 1,
            contenders: Vec::new(),
            goals: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// So many operations each contender does in a round. Where they are short, enough for about half a millisecond: a round that takes
    /// longer than a processor is given at a time is interrupted by whatever else runs, and then so is the median round.
    pub(crate) fn per_round(mut self, operations: u64) -> Self {
        self.per_round = operations;
        self
    }

    /// So many operations are under way at once. The time of one is then the time of the round by their number.
    pub(crate) fn at_once(mut self, operations: u64) -> Self {
        self.at_once = operations;
        self
    }

    /// It is about memory.
    pub(crate) fn of_memory(mut self) -> Self {
        self.unit = Unit::Memory;
        self
    }

    /// Something that does one operation for each number. The first is the one the others are compared with, and is the control, too.
    pub(crate) fn contender<F>(
        self,
        name: impl Into<String>,
        work: impl Fn(u64) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let work = Arc::new(work);
        self.measured(name, move |share| timed(Arc::clone(&work), share))
    }

    /// Something that measures itself: seconds an operation, or bytes.
    pub(crate) fn measured<F>(
        mut self,
        name: impl Into<String>,
        measure: impl Fn(Share) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome<f64>> + Send + 'static,
    {
        let measure: Measure = Arc::new(move |share| Box::pin(measure(share)));
        self.contenders.push((name.into(), measure));
        self
    }

    /// What is to be reached.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    /// Something the reader has to know.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Runs it, prints it and writes its files.
    pub(crate) async fn run(mut self, run: &mut Run) -> Outcome {
        if !run.wants(&self.name) {
            return Ok(());
        }
        let control = Arc::clone(&self.contenders.first().ok_or("a table without contenders")?.1);
        self.contenders.push(("control".into(), control));
        let (time, least, most) = if self.unit == Unit::Memory {
            // It does not vary as time does, and much goes through each time.
            (TIME, 3, 3)
        } else if run.is_quick() {
            self.per_round = self.per_round.min(self.at_once);
            (Duration::ZERO, 2, 2)
        } else {
            (TIME, LEAST_ROUNDS, MOST_ROUNDS)
        };

        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); self.contenders.len()];
        let mut numbers = 0..self.per_round;
        let mut order = Order::new(self.contenders.len());
        let start = Instant::now();
        let mut round = 0;
        while round <= most {
            // One whose rounds take very long has to do with fewer.
            let least = if start.elapsed() > time * 4 {
                least.min(3)
            } else {
                least
            };
            if round > least && start.elapsed() > time {
                break;
            }
            for at in order.next() {
                let share = Share {
                    numbers: numbers.clone(),
                    at_once: self.at_once,
                };
                let (name, measure) = &self.contenders[at];
                let sample = measure(share).await;
                let sample = sample.map_err(|error| format!("{}: {name}: {error}", self.name))?;
                // The first round warms up.
                if round > 0 {
                    samples[at].push(sample);
                }
                numbers = numbers.end..numbers.end + self.per_round;
            }
            round += 1;
        }

        let names = self.contenders.into_iter().map(|(name, _)| name);
        let mut report = Report::new(self.name, self.title, self.unit, names.zip(samples).collect());
        (report.at_once, report.per_round) = (self.at_once, self.per_round);
        report.notes = self.notes;
        report.judge(self.goals)?;
        run.keep(&report)
    }
}

/// Seconds an operation, so many at once on tasks of their own: from when the first began until the last was done. What starting a task
/// costs, and waking who waits for it, is not part of it.
async fn timed<F>(work: Arc<impl Fn(u64) -> F + Send + Sync + 'static>, share: Share) -> Outcome<f64>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let operations = share.numbers.end - share.numbers.start;
    let step = usize::try_from(share.at_once)?;
    let tasks: Vec<_> = (0..share.at_once)
        .map(|task| {
            let (work, numbers) = (Arc::clone(&work), share.numbers.clone());
            tokio::spawn(async move {
                let begun = Instant::now();
                for number in (numbers.start + task..numbers.end).step_by(step) {
                    work(number).await?;
                }
                Outcome::Ok((begun, Instant::now()))
            })
        })
        .collect();
    let mut times = Vec::with_capacity(tasks.len());
    for task in tasks {
        times.push(task.await??);
    }
    let begun = times.iter().map(|(begun, _)| *begun).min();
    let done = times.iter().map(|(_, done)| *done).max();
    let (Some(begun), Some(done)) = (begun, done) else {
        return Err("a round of no operations".into());
    };
    Ok((done - begun).as_secs_f64() / operations as f64)
}

/// Who comes when in a round. Another order each time, so that nobody always follows the same neighbour and finds the caches as that one
/// left them; the same orders in every run.
struct Order {
    order: Vec<usize>,
    random: u64,
}

impl Order {
    fn new(contenders: usize) -> Self {
        Self {
            order: (0..contenders).collect(),
            random: 7,
        }
    }

    fn next(&mut self) -> Vec<usize> {
        for last in (1..self.order.len()).rev() {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            #[allow(
                clippy::cast_possible_truncation,
                reason = "any bits of a random number will do"
            )]
            let other = (self.random >> 33) as usize % (last + 1);
            self.order.swap(last, other);
        }
        self.order.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn everybody_follows_everybody_else_about_equally_often() {
        let mut order = Order::new(3);
        let mut follows = [[0; 3]; 3];
        for _ in 0..600 {
            for pair in order.next().windows(2) {
                follows[pair[0]][pair[1]] += 1;
            }
        }
        for (one, others) in follows.iter().enumerate() {
            for (other, times) in others.iter().enumerate().filter(|(other, _)| *other != one) {
                assert!((120..=280).contains(times), "{one} then {other}: {times}");
            }
        }
    }
}
