//! The file with the budgets, and how counts are judged by it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::Result;

/// How much more than its budget a path may take, in percent. Compilers, the C library and its allocator differ by a few between machines,
/// and seeds of hash tables, turns of threads and what a cache does by the clock up to three between two runs.
const MARGIN: u64 = 10;

const HEAD: &str = "\
# Instructions each hot path takes once, on all its threads, as callgrind counts them on x86-64; see storage-budgets/src.
# `cargo xtask budgets` fails where one takes 10 % more, `cargo xtask budgets --update` writes this file: say in the commit why.
";

/// How many instructions each path may take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Budgets(BTreeMap<String, u64>);

impl Budgets {
    pub(super) fn new(counts: Vec<(String, u64)>) -> Self {
        Self(counts.into_iter().collect())
    }

    /// Compares what was counted with what may be.
    pub(super) fn judge(&self, counts: &[(String, u64)]) -> Judged {
        let mut judged = Judged::default();
        for (name, count) in counts {
            let verdict = match self.0.get(name) {
                None => Verdict::Unknown,
                Some(budget) if count * 100 > budget * (100 + MARGIN) => Verdict::Over(*budget),
                Some(budget) if count * 100 < budget * (100 - MARGIN) => Verdict::Under(*budget),
                Some(budget) => Verdict::Within(*budget),
            };
            judged.0.push((name.clone(), *count, verdict));
        }
        for name in self.0.keys() {
            if !counts.iter().any(|(counted, _)| counted == name) {
                judged.0.push((name.clone(), 0, Verdict::Gone));
            }
        }
        judged
    }
}

impl fmt::Display for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.0
            .iter()
            .try_for_each(|(name, count)| writeln!(f, "{name} {count}"))
    }
}

impl FromStr for Budgets {
    type Err = Box<dyn std::error::Error>;

    fn from_str(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let budgets = lines.map(|line| {
            let (name, count) = line
                .split_once(' ')
                .ok_or_else(|| format!("{line:?} is not a name and a number"))?;
            Ok((name.to_owned(), count.parse()?))
        });
        Ok(Self(budgets.collect::<Result<_>>()?))
    }
}

/// What came out, path by path.
#[derive(Default)]
pub(super) struct Judged(Vec<(String, u64, Verdict)>);

enum Verdict {
    Within(u64),
    /// Good, but a later regression would hide in it.
    Under(u64),
    Over(u64),
    /// It has no budget.
    Unknown,
    /// It has a budget, and nothing was counted.
    Gone,
}

impl Judged {
    /// An error where a path takes too much, or cannot be compared.
    pub(super) fn outcome(&self) -> Result<()> {
        let wrong: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, _, verdict)| !matches!(verdict, Verdict::Within(_) | Verdict::Under(_)))
            .map(|(name, _, _)| name.as_str())
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("not within their budgets: {}", wrong.join(", ")).into())
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count, verdict) in &self.0 {
            write!(f, "{name:<16} {count:>9}  ")?;
            match verdict {
                Verdict::Within(budget) => writeln!(f, "{} of {budget}", percent(*count, *budget)),
                Verdict::Under(budget) => {
                    let percent = percent(*count, *budget);
                    writeln!(
                        f,
                        "{percent} of {budget}: write it down with --update, so that it stays"
                    )
                }
                Verdict::Over(budget) => writeln!(f, "{} of {budget}: TOO MUCH", percent(*count, *budget)),
                Verdict::Unknown => writeln!(f, "NO BUDGET: write it down with --update"),
                Verdict::Gone => writeln!(f, "NO SUCH PATH: take it out with --update"),
            }?;
        }
        Ok(())
    }
}

fn percent(count: u64, budget: u64) -> String {
    format!("{} %", count * 100 / budget.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
        counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn a_path_that_takes_more_than_the_margin_fails_and_is_named() {
        let budgets = Budgets::new(counts(&[("a", 1_000), ("b", 1_000)]));
        let judged = |a, b| budgets.judge(&counts(&[("a", a), ("b", b)])).outcome();
        assert!(judged(1_100, 1).is_ok());
        let error = judged(1_101, 1_000).unwrap_err().to_string();
        assert_eq!(error, "not within their budgets: a");
    }

    #[test]
    fn a_path_without_a_budget_and_a_budget_without_a_path_fail() {
        let budgets = Budgets::new(counts(&[("a", 1)]));
        assert!(budgets.judge(&counts(&[("a", 1), ("b", 1)])).outcome().is_err());
        assert!(budgets.judge(&[]).outcome().is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let budgets = Budgets::new(counts(&[("a", 1), ("b", 20)]));
        assert_eq!(budgets.to_string().parse::<Budgets>().unwrap(), budgets);
        assert!("a".parse::<Budgets>().is_err() && "a b".parse::<Budgets>().is_err());
    }
}
