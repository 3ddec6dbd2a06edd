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
    seed: u64,
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
            seed: SEED,
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
        self.seed = seed;
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

    pub(crate) const fn seed_value(&self) -> u64 {
        self.seed
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
