//! Deleting an execution whole: state, output, and the current pointer if it points there.
//!
//! 1. *Mark*: the state is replaced, atomically, by a mark. From here on nothing of the execution can be read.
//! 2. *Output* is deleted.
//! 3. *Current* is cleared if it points there.
//! 4. *The mark* is removed, last, because it is what tells the next call that there is something to finish.
//!
//! A crash before 1 leaves everything as it was; a crash after it leaves nothing that can be read. Deleting again, saving an
//! execution of this id, and [retention](super::RetentionPolicy) all finish what is left, and each step can be repeated.

use std::time::SystemTime;

use storage_core::bson::{DateTime, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use storage_core::{Condition, ErrorKind, PutOptions, Result, Version};

use super::store::Executions;
use crate::race;

/// Whether this is what stands in the place of an execution that is being deleted. The state of one that is not is a string, always.
pub(super) fn is_mark(document: &RawDocument) -> bool {
    matches!(document.get("state"), Ok(Some(RawBsonRef::Null)))
}

fn mark(id: &str) -> RawDocumentBuf {
    rawdoc! { "id": id, "state": RawBsonRef::Null, "deleting": DateTime::from_system_time(SystemTime::now()) }
}

impl Executions {
    /// Deletes an execution with its output, and clears the current execution if it is this one; `true` if there was anything to
    /// delete. After a crash or an error, call it again: what is half deleted cannot be read, and is finished then.
    ///
    /// Lines printed while it is being deleted go with it. An id that is used again while a delete of it may still be under way
    /// in another process can lose the lines printed since.
    ///
    /// # Errors
    /// `Corrupt` naming `metadata/current`, before anything is deleted; `Conflict` when others were faster many times in a row; those
    /// of the medium.
    pub async fn delete_execution(&self, id: &str) -> Result<bool> {
        for attempt in 0..race::MAX_ATTEMPTS {
            let current = self.executions().get(id).await?;
            let pointer = self.pointer().await?;
            let marked = match current {
                Some(current) if is_mark(&current.value) => Some(current.version),
                Some(current) => self.mark(id, Condition::IfVersion(current.version)).await?,
                None => {
                    let is_current = pointer.is_some_and(|(current, _)| current == id);
                    if !is_current && self.log(id).read(0, 1).await?.incarnation.is_none() {
                        return Ok(false);
                    }
                    self.mark(id, Condition::IfAbsent).await?
                }
            };
            if let Some(version) = marked {
                self.finish_deletion(id, &version).await?;
                return Ok(true);
            }
            race::pause(attempt).await;
        }
        Err(self.named(race::busy(), "delete execution", format!("executions/{id}")))
    }

    /// Deletes an execution unless it was changed since; `true` if it did.
    pub(super) async fn delete_version(&self, id: &str, version: Version) -> Result<bool> {
        let Some(marked) = self.mark(id, Condition::IfVersion(version)).await? else {
            return Ok(false);
        };
        self.finish_deletion(id, &marked).await?;
        Ok(true)
    }

    /// Step 1; `None` when somebody else was faster.
    async fn mark(&self, id: &str, condition: Condition) -> Result<Option<Version>> {
        let options = PutOptions::new().condition(condition);
        match self.executions().put_with(id, &mark(id), options).await {
            Ok(version) => Ok(Some(version)),
            Err(error) if race::is_lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Steps 2 to 4.
    pub(super) async fn finish_deletion(&self, id: &str, mark: &Version) -> Result<()> {
        self.log(id).delete().await?;
        self.clear_current(id).await?;
        match self.executions().delete_if(id, mark.clone()).await {
            // Nobody writes over a mark, so somebody else finished before us.
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(()),
            result => result,
        }
    }
}
