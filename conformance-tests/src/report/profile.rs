//! [`Profile`]: what a user may rely on, all or nothing: a set of groups of cases, and what a run says of it.

use super::{CaseReport, Outcome, Report};

/// A set of groups of cases that stand or fall together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Its name in reports.
    pub name: &'static str,
    /// The groups of its cases; one that ends in `-` stands for all that begin so.
    groups: &'static [&'static str],
}

/// How far a run bears a profile out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// Every case of it that was run passed.
    Held,
    /// No case failed; some of it is not declared, and refused as it must be.
    Partly,
    /// None of it is declared; it is refused as it must be.
    Refused,
    /// Every failure has a waiver.
    Waived,
    /// A case is not as it should be.
    Failed,
    /// No case of it was run.
    NotRun,
}

impl Level {
    /// Its sign in a table.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Held => "✔",
            Self::Partly => "~",
            Self::Refused => "–",
            Self::Waived => "w",
            Self::Failed => "✖",
            Self::NotRun => "?",
        }
    }
}

impl Profile {
    /// Every profile, those of the contract first.
    pub const ALL: &[Self] = &[
        Self::new(
            "handle",
            &["harness", "declaration", "lifecycle", "errors", "model"],
        ),
        Self::new("objects", &["objects", "uploads", "listing", "names", "limits"]),
        Self::new("conditional writes", &["conditional"]),
        Self::new("concurrency", &["concurrency"]),
        Self::new("documents", &["documents", "document-", "bulk"]),
        Self::new("queries", &["query", "pages", "index", "index-build"]),
        Self::new("unique indexes", &["unique"]),
        Self::new("batches", &["batch"]),
        Self::new("expiry", &["expiry"]),
        Self::new("watching", &["watch"]),
        Self::new("leases and fences", &["lease", "fence"]),
        Self::new("logs", &["log", "log-follow"]),
        Self::new("crashes and failures", &["failures", "processes", "raw"]),
        Self::new("chunks", &["chunk-"]),
        Self::new("collections", &["entity-", "file-", "migration-", "backup-"]),
        Self::new("kv", &["kv-"]),
        Self::new("volumes", &["block-", "event-", "volume-"]),
    ];

    const fn new(name: &'static str, groups: &'static [&'static str]) -> Self {
        Self { name, groups }
    }

    /// Whether a case of this id is part of it.
    pub fn has(&self, id: &str) -> bool {
        let group = id.split_once('.').map_or(id, |(group, _)| group);
        self.groups
            .iter()
            .any(|own| group == *own || (own.ends_with('-') && group.starts_with(own)))
    }

    /// What a run says of it.
    pub fn level(&self, report: &Report) -> Level {
        // What the harness could not give was not run.
        let known = |case: &&CaseReport| !matches!(case.outcome, Outcome::Unavailable { .. });
        let mut cases = report
            .cases
            .iter()
            .filter(|case| self.has(&case.id))
            .filter(known)
            .peekable();
        if cases.peek().is_none() {
            return Level::NotRun;
        }
        let cases: Vec<&CaseReport> = cases.collect();
        let any = |has: fn(&Outcome) -> bool| cases.iter().any(|case| has(&case.outcome));
        if any(|outcome| !outcome.is_success()) {
            Level::Failed
        } else if any(|outcome| matches!(outcome, Outcome::Waived { .. })) {
            Level::Waived
        } else if !any(|outcome| matches!(outcome, Outcome::Refused { .. })) {
            Level::Held
        } else if any(|outcome| matches!(outcome, Outcome::Pass)) {
            Level::Partly
        } else {
            Level::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Tier;
    use crate::harness::Label;
    use crate::suite::Suite;

    fn report(cases: &[(&str, Outcome)]) -> Report {
        let mut report = Report::new(Label::new("fs", ""), 1);
        report.cases.extend(cases.iter().map(|(id, outcome)| CaseReport {
            id: (*id).to_owned(),
            tier: Tier::Smoke,
            outcome: outcome.clone(),
            milliseconds: 1,
            advisories: Vec::new(),
        }));
        report
    }

    #[test]
    fn every_case_is_part_of_exactly_one_profile() {
        for case in Suite::ALL.iter().flat_map(|suite| suite.cases()) {
            let of: Vec<&str> = Profile::ALL
                .iter()
                .filter(|profile| profile.has(case.id))
                .map(|profile| profile.name)
                .collect();
            assert_eq!(of.len(), 1, "{} is part of {of:?}", case.id);
        }
    }

    #[test]
    fn a_profile_is_all_or_nothing() {
        let refused = || Outcome::Refused {
            capabilities: vec!["atomic-batch".into()],
        };
        let failed = Outcome::Fail { message: "no".into() };
        let batches = Profile::ALL
            .iter()
            .find(|profile| profile.name == "batches")
            .unwrap();
        for (outcomes, level) in [
            (vec![Outcome::Pass, Outcome::Pass], Level::Held),
            (vec![Outcome::Pass, refused()], Level::Partly),
            (vec![refused(), refused()], Level::Refused),
            (vec![Outcome::Pass, failed], Level::Failed),
            (vec![], Level::NotRun),
        ] {
            let mut cases = vec![("objects.empty", Outcome::Pass)];
            cases.extend(outcomes.into_iter().map(|outcome| ("batch.x", outcome)));
            assert_eq!(batches.level(&report(&cases)), level, "{cases:?}");
        }
    }
}
