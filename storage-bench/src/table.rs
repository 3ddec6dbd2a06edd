//! One table: contenders on the same work, in turns, with a control.

use std::error::Error;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

pub(crate) type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// One operation of one contender; the number tells repetitions apart.
pub(crate) type Work = Box<dyn Fn(u64) -> BoxFuture<'static, Outcome> + Send + Sync>;

pub(crate) struct Table {
    title: String,
    contenders: Vec<(&'static str, Work)>,
    rounds: u64,
    per_round: u64,
}

impl Table {
    /// So many rounds, in each of which every contender does so many operations one after the other.
    pub(crate) fn new(title: impl Into<String>, rounds: u64, per_round: u64) -> Self {
        Self {
            title: title.into(),
            contenders: Vec::new(),
            rounds,
            per_round,
        }
    }

    pub(crate) fn contender<F>(
        mut self,
        name: &'static str,
        work: impl Fn(u64) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.contenders
            .push((name, Box::new(move |number| Box::pin(work(number)))));
        self
    }

    /// Runs it and prints it. The first contender is the one the others are compared with; the last must be the first again,
    /// under the name `control`.
    pub(crate) async fn run(self) -> Outcome {
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); self.contenders.len()];
        for round in 0..=self.rounds {
            // Each round another one begins: whoever goes first finds caches as the last one left them.
            let first = usize::try_from(round)? % self.contenders.len();
            for at in (first..self.contenders.len()).chain(0..first) {
                let (_, work) = &self.contenders[at];
                let start = Instant::now();
                for number in 0..self.per_round {
                    work(round * self.per_round + number).await?;
                }
                // The first round warms up.
                if round > 0 {
                    times[at].push(start.elapsed());
                }
            }
        }
        self.print(&times);
        Ok(())
    }

    fn print(&self, times: &[Vec<Duration>]) {
        let medians: Vec<f64> = times
            .iter()
            .map(|times| median(times) / self.per_round as f64)
            .collect();
        println!(
            "\n## {}\n\n| | µs per operation | times as fast as ours |\n|---|---|---|",
            self.title
        );
        for ((name, _), seconds) in self.contenders.iter().zip(&medians) {
            println!("| {name} | {:.2} | {:.2} |", seconds * 1e6, medians[0] / seconds);
        }
        let control = medians[medians.len() - 1] / medians[0];
        let verdict = if (0.9..=1.1).contains(&control) {
            "usable"
        } else {
            "UNUSABLE: run it again on a quieter machine"
        };
        println!(
            "\ncontrol {:+.1} % ({verdict}); median of {} rounds of {}",
            (control - 1.0) * 100.0,
            self.rounds,
            self.per_round
        );
    }
}

fn median(times: &[Duration]) -> f64 {
    let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
