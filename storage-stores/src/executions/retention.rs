//! Retention: removing finished executions whole.

use std::cmp::Reverse;

use storage_core::bson::Bson;
use storage_core::{Error, Result, Timestamp, Version};

use super::delete::is_mark;
use super::execution::Execution;
use super::state::ExecutionState;
use super::store::Executions;

/// Which finished executions [`Executions::retain_executions`] keeps. One that is not in a final state is always kept.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RetentionPolicy {
    keep_newest: Option<usize>,
    keep_since: Option<Timestamp>,
}

impl RetentionPolicy {
    /// No rule yet; at least one is needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keep the newest so many by creation.
    #[must_use]
    pub const fn keep_newest(mut self, executions: usize) -> Self {
        self.keep_newest = Some(executions);
        self
    }

    /// Keep those that were updated, or created where they have no such time, at this time or later.
    #[must_use]
    pub const fn keep_since(mut self, time: Timestamp) -> Self {
        self.keep_since = Some(time);
        self
    }
}

/// What retention did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RetentionReport {
    /// The ids of the executions that were removed with everything they had, newest first.
    pub removed: Vec<String>,
    /// How many deletions were finished that a crash had cut short.
    pub finished: u64,
    /// What could not be read, and was therefore kept.
    pub unreadable: Vec<Error>,
}

struct Finished {
    id: String,
    created: Timestamp,
    changed: Timestamp,
    version: Version,
}

impl Executions {
    /// Removes the finished executions that no rule of the policy keeps: state, output and, where it points there, the current
    /// pointer. One that is changed meanwhile is kept. Also finishes deletions that a crash cut short.
    ///
    /// # Errors
    /// `InvalidArgument` for a policy without a rule, which would remove everything; those of the medium: what was removed
    /// stays removed, call it again.
    pub async fn retain_executions(&self, policy: RetentionPolicy) -> Result<RetentionReport> {
        if policy.keep_newest.is_none() && policy.keep_since.is_none() {
            let error =
                Error::invalid_argument("the retention policy has no rule, and would remove everything");
            return Err(self.named(error, "retain executions", ""));
        }
        let mut report = RetentionReport {
            finished: self.finish_deletions().await?,
            ..Default::default()
        };
        let mut finished = Vec::new();
        for state in [ExecutionState::Completed, ExecutionState::Error] {
            let mut found = self.find_by_state(state.as_str()).await?;
            while let Some(document) = found.next(&mut report.unreadable).await? {
                match Execution::from_stored(document.id.as_str(), &document.value) {
                    Ok(Execution {
                        id, created, updated, ..
                    }) => finished.push(Finished {
                        id,
                        created,
                        changed: updated.unwrap_or(created),
                        version: document.version,
                    }),
                    Err(error) => report.unreadable.push(self.named(error, "retain executions", "")),
                }
            }
        }
        finished.sort_by(|a, b| (Reverse(a.created), &a.id).cmp(&(Reverse(b.created), &b.id)));
        for execution in finished.into_iter().skip(policy.keep_newest.unwrap_or(0)) {
            if policy.keep_since.is_some_and(|since| execution.changed >= since) {
                continue;
            }
            if self.delete_version(&execution.id, execution.version).await? {
                report.removed.push(execution.id);
            }
        }
        Ok(report)
    }

    /// Finishes the deletions that a crash cut short.
    async fn finish_deletions(&self) -> Result<u64> {
        let mut finished = 0;
        let mut marks = self.find_by_state(Bson::Null).await?;
        while let Some(mark) = marks.next(&mut Vec::new()).await? {
            self.finish_deletion(mark.id.as_str(), &mark.version).await?;
            finished += 1;
        }
        Ok(finished)
    }

    /// Finishes the deletion of this execution, if one was cut short.
    pub(super) async fn finish_any_deletion(&self, id: &str) -> Result<()> {
        match self.executions().get(id).await? {
            Some(document) if is_mark(&document.value) => self.finish_deletion(id, &document.version).await,
            _ => Ok(()),
        }
    }
}
