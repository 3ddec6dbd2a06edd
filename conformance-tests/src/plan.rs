//! [`Plan`]: which cases to run, and how.

use crate::case::{Case, Tier};
use crate::suite::Suite;

/// The seed unless one is given.
pub(crate) const SEED: u64 = 1;

/// Which cases to run, and how.
#[derive(Debug, Clone)]
#[must_use = "a plan does nothing until it is run"]
pub struct Plan {
    suite: Suite,
    only: Vec<String>,
    tier: Tier,
    jobs: usize,
    settings: Settings,
}

/// What every case of a run is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// What random choices begin from.
    pub(crate) seed: u64,
    /// How many random operations each case of the model plays, where it was said.
    pub(crate) operations: Option<usize>,
}

impl Settings {
    /// Those of a test: what `CONFORMANCE_SEED` and `CONFORMANCE_OPERATIONS` say.
    ///
    /// # Panics
    /// When one is not a number.
    pub(crate) fn of_environment() -> Self {
        Self {
            seed: number("CONFORMANCE_SEED").unwrap_or(SEED),
            operations: number("CONFORMANCE_OPERATIONS"),
        }
    }
}

fn number<N: std::str::FromStr>(variable: &str) -> Option<N> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{variable} is {text:?}, which is not a number")))
}

impl Plan {
    /// Every smoke and standard case of the contract, four at a time, seed 1.
    pub const fn new() -> Self {
        // Four keep a slow server busy and leave a laptop usable.
        Self {
            suite: Suite::Adapter,
            only: Vec::new(),
            tier: Tier::Standard,
            jobs: 4,
            settings: Settings {
                seed: SEED,
                operations: None,
            },
        }
    }

    /// The cases of this suite; those of the contract by default.
    pub const fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// Only cases whose id is this, `*` standing for any text. Given several times, any of them.
    pub fn only(mut self, pattern: impl Into<String>) -> Self {
        self.only.push(pattern.into());
        self
    }

    /// Up to this tier; standard by default.
    pub const fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// So many cases at a time, at least 1; 4 by default.
    pub const fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = if jobs == 0 { 1 } else { jobs };
        self
    }

    /// What random choices begin from; 1 by default.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// So many random operations for each case of the model; by default a few hundred in Standard and tens of thousands in Deep.
    pub const fn operations(mut self, operations: usize) -> Self {
        self.settings.operations = Some(operations);
        self
    }

    /// The cases it runs.
    pub fn cases(&self) -> impl Iterator<Item = &'static Case> {
        self.suite.cases().filter(|case| self.has(case))
    }

    fn has(&self, case: &Case) -> bool {
        case.tier <= self.tier
            && (self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, case.id)))
    }

    pub(crate) const fn jobs_value(&self) -> usize {
        self.jobs
    }

    pub(crate) const fn settings(&self) -> Settings {
        self.settings
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

fn matches(pattern: &str, id: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == id;
    };
    let Some(mut left) = id.strip_prefix(first) else {
        return false;
    };
    // Where the pattern goes on after the star, any place where its rest matches will do.
    loop {
        if matches(rest, left) {
            return true;
        }
        let mut characters = left.chars();
        if characters.next().is_none() {
            return false;
        }
        left = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, id, expected) in [
            ("objects.*", "objects.copy", true),
            ("objects.*", "listing.empty", false),
            ("*race*", "conditional.create-race", true),
            ("*", "", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches(pattern, id), expected, "{pattern} {id}");
        }
    }
}
