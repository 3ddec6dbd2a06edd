//! [`ExecutionState`]: where an execution stands.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Where an execution stands. As text, and at rest, it is in capitals: `AWAITING_COGNITIVE_RESULT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionState {
    /// Not begun.
    Ready,
    /// Under way.
    Running,
    /// Waiting for somebody's answer to its prompt.
    AwaitingCognitiveResult,
    /// Ended well; final.
    Completed,
    /// Ended with an error; final.
    Error,
    /// A state of the application's own, up to 64 bytes. It is not final.
    Other(String),
}

impl ExecutionState {
    /// Its text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::AwaitingCognitiveResult => "AWAITING_COGNITIVE_RESULT",
            Self::Completed => "COMPLETED",
            Self::Error => "ERROR",
            Self::Other(text) => text,
        }
    }

    /// Whether nothing comes after it.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Error)
    }

    /// Whether an execution may go from this state to the next, where transitions are
    /// [enforced](super::ExecutionOptions::enforce_transitions): never out of a final state, and never back to `READY`. Staying is
    /// always allowed, and so is skipping: a runner may save `COMPLETED` without ever having saved `RUNNING`.
    pub fn may_become(&self, next: &Self) -> bool {
        self == next || !(self.is_final() || *next == Self::Ready)
    }
}

impl From<&str> for ExecutionState {
    fn from(text: &str) -> Self {
        match text {
            "READY" => Self::Ready,
            "RUNNING" => Self::Running,
            "AWAITING_COGNITIVE_RESULT" => Self::AwaitingCognitiveResult,
            "COMPLETED" => Self::Completed,
            "ERROR" => Self::Error,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl FromStr for ExecutionState {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "READY",
            "RUNNING",
            "AWAITING_COGNITIVE_RESULT",
            "COMPLETED",
            "ERROR",
            "PAUSED",
            "running",
            "",
        ] {
            assert_eq!(ExecutionState::from(text).as_str(), text);
        }
    }

    #[test]
    fn final_states_lead_nowhere_and_nothing_leads_back_to_ready() {
        use ExecutionState::{AwaitingCognitiveResult, Completed, Error, Other, Ready, Running};
        let all = [
            Ready,
            Running,
            AwaitingCognitiveResult,
            Completed,
            Error,
            Other("PAUSED".into()),
        ];
        for from in &all {
            for to in &all {
                let expected = from == to || (*from != Completed && *from != Error && *to != Ready);
                assert_eq!(from.may_become(to), expected, "{from} to {to}");
            }
        }
    }
}
