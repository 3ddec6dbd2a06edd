//! [`Report`]: how a run went, for people and for programs.

mod junit;
mod matrix;
mod profile;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use storage_core::{Capability, Declaration, Support};

use crate::case::Tier;
use crate::harness::Label;

pub use self::matrix::matrix;
pub use self::profile::{Level, Profile};

/// The schema of the JSON form. A program that reads reports refuses any other.
pub const SCHEMA: &str = "conformance-tests/1";

/// How a run went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of the suite.
    pub suite: String,
    /// What was tested.
    pub label: Label,
    /// What the adapter declares, as JSON.
    pub declaration: serde_json::Value,
    /// Each capability by its name: `native`, `emulated` or `absent`.
    #[serde(default)]
    pub capabilities: BTreeMap<String, String>,
    /// What random choices began from.
    pub seed: u64,
    /// Each case that was run, in the order of the catalogue.
    pub cases: Vec<CaseReport>,
    /// Why the run ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
}

/// How one case went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// The case's id.
    pub id: String,
    /// Its tier.
    pub tier: Tier,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// What is worth knowing and no fault, such as a capability that works and is not declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<String>,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// The law holds.
    Pass,
    /// Something the case needs is not declared, and is refused as it must be.
    Refused {
        /// What is not declared.
        capabilities: Vec<String>,
    },
    /// The harness does not offer what the case needs, so nothing is known. It is no pass.
    Unavailable {
        /// What it does not offer.
        facility: String,
    },
    /// The law does not hold.
    Fail {
        /// What was seen.
        message: String,
    },
    /// It failed, as its waiver says.
    Waived {
        /// Why.
        reason: String,
        /// Where that is followed up.
        issue: String,
        /// What was seen.
        message: String,
    },
    /// It passed against its waiver, which has to go.
    UnexpectedPass {
        /// Why it was to fail.
        reason: String,
    },
    /// The case could not tell, which is no pass.
    Inconclusive {
        /// Why.
        message: String,
    },
    /// It took too long.
    TimedOut {
        /// How long it was given.
        seconds: u64,
    },
    /// The harness could not open, close or wipe, so nothing is known.
    HarnessError {
        /// What was seen.
        message: String,
    },
}

impl Outcome {
    /// Whether it is as it should be, or cannot be known with this harness.
    pub const fn is_success(&self) -> bool {
        matches!(
            self,
            Self::Pass | Self::Refused { .. } | Self::Waived { .. } | Self::Unavailable { .. }
        )
    }

    /// Its name in reports.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::Fail { .. } => "fail",
            Self::Waived { .. } => "waived",
            Self::UnexpectedPass { .. } => "unexpected-pass",
            Self::Inconclusive { .. } => "inconclusive",
            Self::TimedOut { .. } => "timed-out",
            Self::HarnessError { .. } => "harness-error",
        }
    }

    /// What there is to say beside the name.
    pub fn detail(&self) -> String {
        match self {
            Self::Pass => String::new(),
            Self::Refused { capabilities } => format!("not declared: {}", capabilities.join(", ")),
            Self::Unavailable { facility } => format!("the harness does not offer {facility}"),
            Self::Fail { message } | Self::Inconclusive { message } | Self::HarnessError { message } => {
                message.clone()
            }
            Self::Waived {
                reason,
                issue,
                message,
            } => format!("{reason} ({issue}): {message}"),
            Self::UnexpectedPass { reason } => format!("it was to fail because {reason}; remove the waiver"),
            Self::TimedOut { seconds } => format!("after {seconds} s"),
        }
    }
}

impl Report {
    pub(crate) fn new(label: Label, seed: u64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            suite: env!("CARGO_PKG_VERSION").to_owned(),
            label,
            declaration: serde_json::Value::Null,
            capabilities: BTreeMap::new(),
            seed,
            cases: Vec::new(),
            aborted: None,
        }
    }

    /// Takes up what the adapter declares.
    pub(crate) fn declare(&mut self, declaration: &Declaration) {
        self.declaration = serde_json::to_value(declaration).unwrap_or_default();
        let word = |support| match support {
            Support::Native => "native",
            Support::Absent => "absent",
            // Correct at a cost, whatever new word says so.
            _ => "emulated",
        };
        let all = Capability::ALL.iter().map(|capability| {
            let support = declaration.support(*capability);
            (capability.as_str().to_owned(), word(support).to_owned())
        });
        self.capabilities = all.collect();
    }

    /// Reads the JSON form back.
    ///
    /// # Errors
    /// What is no report of [`SCHEMA`], with the reason.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let report: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if report.schema != SCHEMA {
            return Err(format!(
                "it is of the schema {:?}, and this program reads {SCHEMA:?}",
                report.schema
            ));
        }
        Ok(report)
    }

    /// Whether everything that was to run ran and is as it should be.
    pub fn is_success(&self) -> bool {
        self.aborted.is_none() && self.cases.iter().all(|case| case.outcome.is_success())
    }

    /// How many cases ended in each way, by its name.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for case in &self.cases {
            *counts.entry(case.outcome.as_str()).or_default() += 1;
        }
        counts
    }

    /// The report as JSON, of [`SCHEMA`].
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys: serializing them cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
