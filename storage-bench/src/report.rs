//! [`Report`]: what a table found.

use std::fmt::Write;

use serde::Serialize;

use crate::run::Outcome;

/// A control that is off by more than this makes a table unusable.
const TOLERANCE: f64 = 0.1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// Seconds an operation.
    Time,
    /// Bytes.
    Memory,
}

/// One contender in one table.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) median: f64,
    /// A quarter of the rounds took less.
    pub(crate) lower: f64,
    /// A quarter of the rounds took more.
    pub(crate) upper: f64,
    /// The median, over rounds, of what it took by what the first one took in the same round.
    pub(crate) times_the_first: f64,
    pub(crate) samples: Vec<f64>,
}

/// What one contender is to be beside another.
#[derive(Debug)]
pub(crate) struct Goal {
    subject: Option<&'static str>,
    peer: String,
    /// The most it may take of what the peer takes.
    most: f64,
    words: String,
}

/// What became of a goal.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) goal: String,
    /// What it takes of what the peer takes.
    pub(crate) share: f64,
    /// The most that is allowed.
    pub(crate) most: f64,
    pub(crate) reached: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) at_once: u64,
    pub(crate) per_round: u64,
    pub(crate) rounds: usize,
    /// What the control took by what the first one took, less 1.
    pub(crate) control: f64,
    pub(crate) usable: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) goals: Vec<Verdict>,
    pub(crate) notes: Vec<String>,
}

impl Goal {
    /// The first contender is at least so many times as fast as this peer.
    pub(crate) fn faster(peer: &str, times: f64) -> Self {
        Self {
            subject: None,
            peer: peer.to_owned(),
            most: 1.0 / times,
            words: format!("at least {times} times as fast as {peer}"),
        }
    }

    /// The first contender takes at most so many times as much as this peer.
    pub(crate) fn within(peer: &str, times: f64) -> Self {
        Self {
            subject: None,
            peer: peer.to_owned(),
            most: times,
            words: format!("at most {times} times {peer}"),
        }
    }

    /// About another than the first contender.
    pub(crate) fn of(mut self, subject: &'static str) -> Self {
        self.words = format!("{subject}: {}", self.words);
        self.subject = Some(subject);
        self
    }
}

impl Report {
    /// From the samples of each contender, the control last. The n-th samples are from the same round.
    pub(crate) fn new(name: String, title: String, unit: Unit, samples: Vec<(String, Vec<f64>)>) -> Self {
        let first = samples
            .first()
            .map(|(_, samples)| samples.clone())
            .unwrap_or_default();
        let rows: Vec<Row> = samples
            .into_iter()
            .map(|(name, samples)| Row {
                name,
                median: quantile(&samples, 0.5),
                lower: quantile(&samples, 0.25),
                upper: quantile(&samples, 0.75),
                times_the_first: ratio(&samples, &first),
                samples,
            })
            .collect();
        let control = rows.last().map_or(0.0, |row| row.times_the_first - 1.0);
        Self {
            name,
            title,
            unit,
            at_once: 1,
            per_round: 1,
            rounds: first.len(),
            control,
            usable: control.abs() <= TOLERANCE,
            rows,
            goals: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Holds it to its goals.
    pub(crate) fn judge(&mut self, goals: Vec<Goal>) -> Outcome {
        for goal in goals {
            let subject = goal.subject.unwrap_or(&self.rows[0].name);
            let share = ratio(self.samples(subject)?, self.samples(&goal.peer)?);
            self.goals.push(Verdict {
                goal: goal.words,
                share,
                most: goal.most,
                reached: share <= goal.most,
            });
        }
        Ok(())
    }

    fn samples(&self, name: &str) -> Outcome<&[f64]> {
        let row = self.rows.iter().find(|row| row.name == name);
        Ok(&row
            .ok_or_else(|| format!("{}: no contender {name:?}", self.name))?
            .samples)
    }

    /// The control's row is not a contender's.
    pub(crate) fn contenders(&self) -> &[Row] {
        &self.rows[..self.rows.len().saturating_sub(1)]
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text); // Writing to a String does not fail.
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let what = match self.unit {
            Unit::Time => "µs per operation",
            Unit::Memory => "MiB",
        };
        writeln!(text, "### {}\n", self.title)?;
        writeln!(text, "| | {what} | quarter to three quarters | times the first |")?;
        writeln!(text, "|---|---:|---:|---:|")?;
        for row in &self.rows {
            let [median, lower, upper] =
                [row.median, row.lower, row.upper].map(|figure| self.unit.figure(figure));
            let times = row.times_the_first;
            writeln!(
                text,
                "| {} | {median} | {lower} – {upper} | {times:.2} |",
                row.name
            )?;
        }
        writeln!(text)?;
        for verdict in &self.goals {
            let word = match (self.usable, verdict.reached) {
                (false, _) => "not to be told",
                (true, true) => "reached",
                (true, false) => "MISSED",
            };
            let Verdict { goal, share, .. } = verdict;
            writeln!(text, "- {goal}: **{word}** (takes {share:.2} of it)")?;
        }
        for note in &self.notes {
            writeln!(text, "- {note}")?;
        }
        let verdict = if self.usable {
            "usable"
        } else {
            "UNUSABLE: run it again on a quieter machine"
        };
        let at_once = match self.at_once {
            1 => String::new(),
            many => format!(", {many} at once"),
        };
        writeln!(
            text,
            "- control {:+.1} % ({verdict}); {} rounds of {}{at_once}",
            self.control * 100.0,
            self.rounds,
            self.per_round
        )
    }
}

impl Unit {
    /// As it is printed, without the unit.
    pub(crate) fn figure(self, value: f64) -> String {
        let value = match self {
            Self::Time => value * 1e6,
            Self::Memory => value / f64::from(1 << 20),
        };
        match value {
            small if small < 10.0 => format!("{small:.2}"),
            some if some < 100.0 => format!("{some:.1}"),
            many => format!("{many:.0}"),
        }
    }
}

/// The median, over rounds, of what one took by what another took in the same round: what the machine does meanwhile, it does to both.
fn ratio(samples: &[f64], others: &[f64]) -> f64 {
    let ratios: Vec<f64> = samples
        .iter()
        .zip(others)
        .map(|(one, other)| one / other.max(f64::MIN_POSITIVE))
        .collect();
    quantile(&ratios, 0.5)
}

fn quantile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index below the length"
    )]
    let at = ((sorted.len().saturating_sub(1)) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(samples: &[(&str, &[f64])]) -> Report {
        let samples = samples
            .iter()
            .map(|(name, samples)| ((*name).to_owned(), samples.to_vec()));
        Report::new("a".into(), "A".into(), Unit::Time, samples.collect())
    }

    #[test]
    fn a_control_that_is_off_makes_the_table_unusable_and_judges_nothing() {
        let mut off = report(&[("ours", &[1.0]), ("peer", &[5.0]), ("control", &[1.2])]);
        off.judge(vec![Goal::faster("peer", 2.0)]).unwrap();
        assert!(!off.usable);
        assert!(off.markdown().contains("**not to be told**"));
        assert!(report(&[("ours", &[1.0]), ("control", &[0.95])]).usable);
    }

    #[test]
    fn goals_are_reached_or_missed_by_ratios_within_rounds() {
        // The machine was ten times as slow in the second round.
        let mut table = report(&[
            ("ours", &[1.0, 10.0, 1.0]),
            ("peer", &[3.0, 30.0, 3.0]),
            ("control", &[1.0, 10.0, 1.0]),
        ]);
        let goals = [3.0, 3.1].map(|times| Goal::faster("peer", times));
        table.judge(goals.into()).unwrap();
        assert_eq!(
            table
                .goals
                .iter()
                .map(|verdict| verdict.reached)
                .collect::<Vec<_>>(),
            [true, false]
        );
        assert!(table.markdown().contains("MISSED"));
    }

    #[test]
    fn a_goal_beside_nobody_is_an_error() {
        let mut table = report(&[("ours", &[1.0]), ("control", &[1.0])]);
        assert!(table.judge(vec![Goal::within("peer", 1.0)]).is_err());
    }
}
