//! Saving and reading executions: each save replaces exactly the state it looked at.

use storage_core::bson::RawDocumentBuf;
use storage_core::{Condition, Document, Error, ErrorKind, Fence, PutOptions, Result, Version};

use super::delete::is_mark;
use super::execution::Execution;
use super::fields;
use super::state::ExecutionState;
use super::store::Executions;
use crate::race;

/// The longest state of the application's own, in bytes: with it and a program's id an index key stays under every backend's limit.
const MAX_STATE_BYTES: usize = 64;

/// What has to be there for a save to happen.
enum Expected {
    Anything,
    Nothing,
    Version(Version),
}

impl Executions {
    /// Saves an execution whole, replacing what was there, and gives its version. The last of several at once wins, whole.
    ///
    /// If a deletion of this execution was cut short by a crash, it is finished first.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for its id, the program's id or the state; `InvalidArgument` for what a document cannot
    /// hold, or, where [enforced](super::ExecutionOptions::enforce_transitions), for a state it cannot go to, naming both;
    /// `LimitExceeded` for its size; `Conflict` when others were faster many times in a row; those of the medium.
    pub async fn save_execution(&self, execution: &Execution) -> Result<Version> {
        self.save(execution, Expected::Anything, None).await
    }

    /// Saves a new execution.
    ///
    /// # Errors
    /// `AlreadyExists`; as [`save_execution`](Self::save_execution).
    pub async fn create_execution(&self, execution: &Execution) -> Result<Version> {
        self.save(execution, Expected::Nothing, None).await
    }

    /// Saves an execution if what is stored still has this version, so that two runners cannot overwrite each other.
    ///
    /// # Errors
    /// `PreconditionFailed` when another version is there, or nothing; as [`save_execution`](Self::save_execution).
    pub async fn save_execution_if(&self, execution: &Execution, version: Version) -> Result<Version> {
        self.save(execution, Expected::Version(version), None).await
    }

    /// Saves an execution while the lease is still the one this fence is from, decided atomically with the save.
    ///
    /// # Errors
    /// `LeaseLost`; `Unsupported` unless `guarded-write` is declared; as [`save_execution`](Self::save_execution).
    pub async fn save_execution_fenced(&self, execution: &Execution, fence: Fence) -> Result<Version> {
        self.save(execution, Expected::Anything, Some(fence)).await
    }

    /// An execution; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is not an execution; those of the medium.
    pub async fn get_execution(&self, id: &str) -> Result<Option<Execution>> {
        Ok(self
            .get_execution_with_version(id)
            .await?
            .map(|(execution, _)| execution))
    }

    /// An execution and its version, for [`save_execution_if`](Self::save_execution_if).
    ///
    /// # Errors
    /// As [`get_execution`](Self::get_execution).
    pub async fn get_execution_with_version(&self, id: &str) -> Result<Option<(Execution, Version)>> {
        let Some(Document { value, version, .. }) = self.executions().get(id).await? else {
            return Ok(None);
        };
        if is_mark(&value) {
            return Ok(None);
        }
        match Execution::from_stored(id, &value) {
            Ok(execution) => Ok(Some((execution, version))),
            Err(error) => Err(self.named(error, "get execution", "")),
        }
    }

    async fn save(&self, execution: &Execution, expected: Expected, fence: Option<Fence>) -> Result<Version> {
        let id = execution.id.as_str();
        let named = |error: Error| self.named(error, "save execution", format!("executions/{id}"));
        let document = self.checked(execution).map_err(named)?;
        for attempt in 0..race::MAX_ATTEMPTS {
            let condition = match &expected {
                // The version says all there is to know: neither a mark nor another state has it.
                Expected::Version(version) if !self.options.enforce_transitions => {
                    Condition::IfVersion(version.clone())
                }
                _ => {
                    let current = self.executions().get(id).await?;
                    if let Some(mark) = current.as_ref().filter(|current| is_mark(&current.value))
                        && !matches!(expected, Expected::Version(_))
                    {
                        self.finish_deletion(id, &mark.version).await?;
                        continue;
                    }
                    self.condition(execution, &expected, current.as_ref())
                        .map_err(named)?
                }
            };
            let mut options = PutOptions::new().condition(condition);
            if let Some(fence) = &fence {
                options = options.fence(fence.clone());
            }
            match self.executions().put_with(id, &document, options).await {
                Err(error) if race::is_lost(&error) && !matches!(expected, Expected::Version(_)) => {
                    race::pause(attempt).await;
                }
                result => return result,
            }
        }
        Err(named(race::busy()))
    }

    fn checked(&self, execution: &Execution) -> Result<RawDocumentBuf> {
        self.check_id("the execution id in bytes", &execution.id)?;
        self.check_id("the program id in bytes", &execution.program_id)?;
        let state = execution.state.as_str().len();
        if state > MAX_STATE_BYTES {
            return Err(Error::limit_exceeded(
                "the state in bytes",
                MAX_STATE_BYTES as u64,
                state as u64,
            ));
        }
        fields::raw(&execution.to_document()?)
    }

    /// The condition under which this save may replace what was just read.
    fn condition(
        &self,
        execution: &Execution,
        expected: &Expected,
        current: Option<&Document<RawDocumentBuf>>,
    ) -> Result<Condition> {
        let current = current.filter(|current| !is_mark(&current.value));
        match (expected, current) {
            (Expected::Version(version), current)
                if current.map(|current| &current.version) != Some(version) =>
            {
                Err(Error::precondition_failed(
                    current.map(|current| &current.version),
                ))
            }
            (Expected::Nothing, Some(_)) => Err(Error::already_exists()),
            (_, None) => Ok(Condition::IfAbsent),
            (_, Some(current)) => {
                self.check_transition(&current.value, &execution.state)?;
                Ok(Condition::IfVersion(current.version.clone()))
            }
        }
    }

    fn check_transition(&self, current: &RawDocumentBuf, next: &ExecutionState) -> Result<()> {
        if !self.options.enforce_transitions {
            return Ok(());
        }
        let Ok(state) = current.get_str("state") else {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "field state is not a string, so no state can follow it",
            ));
        };
        let state = ExecutionState::from(state);
        if state.may_become(next) {
            return Ok(());
        }
        Err(
            Error::invalid_argument(format!("an execution in state {state} cannot become {next}"))
                .with_context("from", state.as_str())
                .with_context("to", next.as_str()),
        )
    }
}
