//! [`ExecutionOptions`].

/// How [`Executions`](super::Executions) behaves.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ExecutionOptions {
    pub(super) enforce_transitions: bool,
}

impl ExecutionOptions {
    /// What [`ExecutionStorage`](super::ExecutionStorage) does: saves are taken as they come.
    pub const fn new() -> Self {
        Self {
            enforce_transitions: false,
        }
    }

    /// Refuse a save that takes an execution where [it cannot go](super::ExecutionState::may_become), such as from `COMPLETED` back to
    /// `RUNNING`. The state it is judged by is the one the save replaces, atomically, so two runners cannot slip past each other.
    /// The first save of an execution may have any state. Off by default.
    #[must_use]
    pub const fn enforce_transitions(mut self, enforce: bool) -> Self {
        self.enforce_transitions = enforce;
        self
    }
}
