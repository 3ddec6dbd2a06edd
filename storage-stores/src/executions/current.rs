//! Which execution is the current one.

use storage_core::bson::{RawBsonRef, rawdoc};
use storage_core::{Error, Result, Version};

use super::delete::is_mark;
use super::store::Executions;
use crate::race;

const CURRENT: &str = "current";

impl Executions {
    /// The id of the current execution; `None` when none was set, or when it was deleted since.
    ///
    /// # Errors
    /// `Corrupt` naming `metadata/current`; those of the medium.
    pub async fn current_execution_id(&self) -> Result<Option<String>> {
        let Some((id, _)) = self.pointer().await? else {
            return Ok(None);
        };
        let execution = self.executions().get(&id).await?;
        let deleted = execution.is_some_and(|execution| is_mark(&execution.value));
        Ok((!deleted).then_some(id))
    }

    /// Sets or clears the current execution. Whether it exists is not checked.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the id; those of the medium.
    pub async fn set_current_execution_id(&self, id: Option<&str>) -> Result<()> {
        match id {
            Some(id) => {
                self.check_id("the execution id in bytes", id)
                    .map_err(|error| self.named(error, "set current execution", id))?;
                self.metadata()
                    .put(CURRENT, &rawdoc! { "currentExecutionId": id })
                    .await?;
            }
            None => {
                self.metadata().delete(CURRENT).await?;
            }
        }
        Ok(())
    }

    /// What is stored, whether or not that execution is still there.
    pub(super) async fn pointer(&self) -> Result<Option<(String, Version)>> {
        let Some(document) = self.metadata().get(CURRENT).await? else {
            return Ok(None);
        };
        match document.value.get("currentExecutionId") {
            Ok(Some(RawBsonRef::String(id))) => Ok(Some((id.to_owned(), document.version))),
            Ok(Some(RawBsonRef::Null)) => Ok(None),
            _ => {
                let message =
                    "field currentExecutionId is neither an id nor null; set the current execution anew";
                let error = Error::corrupt("metadata/current", message);
                Err(self.named(error, "get current execution", ""))
            }
        }
    }

    /// Clears the current execution if it is this one.
    pub(super) async fn clear_current(&self, id: &str) -> Result<()> {
        for attempt in 0..race::MAX_ATTEMPTS {
            match self.pointer().await? {
                Some((current, version)) if current == id => {
                    match self.metadata().delete_if(CURRENT, version).await {
                        Err(error) if race::is_lost(&error) => race::pause(attempt).await,
                        result => return result,
                    }
                }
                _ => return Ok(()),
            }
        }
        Err(self.named(race::busy(), "clear current execution", id))
    }
}
