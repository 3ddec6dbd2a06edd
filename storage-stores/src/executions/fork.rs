//! Copying an execution.

use storage_core::{Error, Result};

use super::execution::Execution;
use super::store::Executions;

/// How many lines are copied at a time; every backend takes as many in one append.
const LINES_PER_APPEND: usize = 1000;
/// How many bytes of lines are copied at a time, unless one line alone is longer.
const BYTES_PER_APPEND: usize = 1024 * 1024;

impl Executions {
    /// Makes an execution that is a copy of another, with the first `up_to_sequence` lines of its output, and gives it. It is the
    /// same but for the id, times included; change it and save it as need be.
    ///
    /// The output is copied first, and the state last: until then the copy cannot be seen. After a crash, call it again with the same
    /// arguments, or delete the copy to remove lines that were copied already.
    ///
    /// # Errors
    /// `NotFound` when there is no execution `from`; `AlreadyExists` when there is one `to`; `InvalidArgument` when the output has
    /// fewer lines; `PreconditionFailed` when `to` has output of its own; as [`save_execution`](Self::save_execution).
    pub async fn fork_execution(&self, from: &str, to: &str, up_to_sequence: u64) -> Result<Execution> {
        let named = |error: Error| self.named(error, "fork execution", format!("executions/{to}"));
        self.check_id("the execution id in bytes", to).map_err(named)?;
        let Some(mut execution) = self.get_execution(from).await? else {
            return Err(self.not_there("fork execution", from));
        };
        if self.get_execution(to).await?.is_some() {
            return Err(named(Error::already_exists()));
        }
        // What a deletion that was cut short has left of `to` must not become output of the copy.
        self.finish_any_deletion(to).await?;
        let lines = self.output_up_to(from, up_to_sequence).await?;
        if (lines.len() as u64) < up_to_sequence {
            let message = format!("the output has {} lines, not {up_to_sequence}", lines.len());
            return Err(named(Error::invalid_argument(message)));
        }
        let mut copied = 0;
        while copied < lines.len() {
            let count = portion(&lines[copied..]);
            let next = copied + count;
            self.append(to, Some(copied as u64), lines[copied..next].to_vec())
                .await?;
            copied = next;
        }
        // A longer output than was copied is not this fork's, and would become part of the copy.
        let end = self.log(to).len().await?;
        if end != up_to_sequence {
            return Err(named(Error::log_moved(up_to_sequence, end)));
        }
        to.clone_into(&mut execution.id);
        self.create_execution(&execution).await?;
        Ok(execution)
    }
}

/// How many of these lines go into one append; at least one.
fn portion(lines: &[bytes::Bytes]) -> usize {
    let mut bytes = 0;
    let fitting = lines.iter().take(LINES_PER_APPEND).take_while(|line| {
        bytes += line.len();
        bytes <= BYTES_PER_APPEND
    });
    fitting.count().max(1)
}
