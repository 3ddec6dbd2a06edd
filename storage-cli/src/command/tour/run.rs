//! The tour as a program that runs: its state is an execution, what it says goes to a log and to the execution's output.

use std::path::Path;
use std::time::SystemTime;

use futures::stream::{StreamExt, TryStreamExt};
use storage_core::Storage;
use storage_core::bson::{Bson, doc};
use storage_stores::executions::{Execution, ExecutionState, ExecutionStorage, Program};

use super::keep::Kept;
use crate::failure::{Failure, Result};
use crate::text;

/// The log, which goes on from tour to tour.
pub(super) const LOG: &str = "tour";

/// The program and its one execution, which every tour begins anew.
pub(super) const ID: &str = "storage-tour";

/// A tour under way.
#[derive(Debug)]
pub(super) struct Run {
    storage: Storage,
    execution: Execution,
    printed: Vec<String>,
    /// The first entry of this tour in the log.
    first: Option<u64>,
}

impl Run {
    pub(super) async fn begin(storage: &Storage, root: &Path) -> Result<Self> {
        let program = Program::new(ID, "Tour", "storage tour", Bson::Null);
        storage.save_program(&program).await?;
        storage.delete_execution(ID).await?;
        let mut execution = Execution::new(ID, ID);
        execution.state = ExecutionState::Running;
        execution.variables = doc! { "directory": root.to_string_lossy().into_owned() };
        storage.save_execution(&execution).await?;
        let mut run = Self {
            storage: storage.clone(),
            execution,
            printed: Vec::new(),
            first: None,
        };
        run.print("began").await?;
        Ok(run)
    }

    /// Says something, in the log and in the execution's output.
    pub(super) async fn print(&mut self, line: &str) -> Result<()> {
        let time = text::time(SystemTime::now().into());
        let appended = self.storage.log(LOG).append(format!("{time} {line}")).await?;
        self.first.get_or_insert(appended.first);
        self.storage.append_output(ID, [line]).await?;
        self.printed.push(line.to_owned());
        self.execution.pc += 1;
        Ok(())
    }

    /// Ends the execution, reads back all that was said, and gives the log's lines.
    pub(super) async fn end(mut self, kept: &Kept) -> Result<Vec<String>> {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.execution.state = ExecutionState::Completed;
        self.execution.return_value =
            Some(doc! { "files": count(kept.files), "bytes": count(kept.bytes) }.into());
        self.execution.updated = Some(SystemTime::now().into());
        self.storage.save_execution(&self.execution).await?;
        self.storage.close_output(ID).await?;

        if self.storage.get_execution(ID).await?.as_ref() != Some(&self.execution) {
            return Err(Failure::Wrong(
                "the execution does not read back as it was saved".into(),
            ));
        }
        if self.storage.get_output(ID).await? != self.printed {
            return Err(Failure::Wrong(
                "the execution's output does not read back as it was appended".into(),
            ));
        }
        let followed = self
            .storage
            .log(LOG)
            .follow(self.first.unwrap_or(0))
            .take(self.printed.len());
        let entries: Vec<_> = followed.try_collect().await?;
        let lines: Vec<String> = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned())
            .collect();
        let same = lines
            .iter()
            .zip(&self.printed)
            .all(|(line, printed)| line.ends_with(printed));
        if !same || lines.len() != self.printed.len() {
            return Err(Failure::Wrong(
                "the log does not read back as it was appended".into(),
            ));
        }
        Ok(lines.iter().map(|line| text::name(line)).collect())
    }
}
