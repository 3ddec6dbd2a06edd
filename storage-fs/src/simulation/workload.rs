//! [`Workload`]: what is done before a crash; and what comes of looking at it.

use std::fmt;

use super::operation::Operation;

/// What a program does before the power goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Workload {
    /// What another process did before, and the call of its last operation at which it was killed.
    pub(crate) killed: Option<(Vec<Operation>, usize)>,
    /// One after the other; before the first the root is opened, and created.
    pub(crate) operations: Vec<Operation>,
}

impl Workload {
    pub(crate) const fn of(operations: Vec<Operation>) -> Self {
        Self {
            killed: None,
            operations,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((operations, call)) = &self.killed {
            write!(f, "open")?;
            for operation in operations {
                write!(f, ", {operation}")?;
            }
            write!(f, " killed at its call {call}; ")?;
        }
        write!(f, "open")?;
        for operation in &self.operations {
            write!(f, ", {operation}")?;
        }
        Ok(())
    }
}

/// A state that breaks a promise.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) workload: Workload,
    /// The last thing that happened before the crash.
    pub(crate) point: String,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; crash after {}: {}", self.workload, self.point, self.what)
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) workloads: usize,
    pub(crate) points: usize,
    /// Crash points with more states than are all looked at.
    pub(crate) sampled: usize,
    pub(crate) states: usize,
    /// Those no program of ours can tell from another.
    pub(crate) distinct: usize,
    /// Of the states, those after a second crash.
    pub(crate) again: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.workloads += other.workloads;
        self.points += other.points;
        self.sampled += other.sampled;
        self.states += other.states;
        self.distinct += other.distinct;
        self.again += other.again;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} workloads, {} crash points ({} sampled), {} states ({} after a second crash), {} of them distinct",
            self.workloads, self.points, self.sampled, self.states, self.again, self.distinct
        )
    }
}
