//! What an execution printed: a log with one entry per line, byte for byte.

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use storage_core::{Appended, Error, Log, LogPage, Result};

use super::delete::is_mark;
use super::fields;
use super::store::Executions;

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputLine {
    /// Its number: 0, 1, 2, …
    pub sequence: u64,
    /// Its text: exactly what was appended, newlines included.
    pub text: String,
}

/// Some lines of output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OutputPage {
    /// The lines, with contiguous numbers.
    pub lines: Vec<OutputLine>,
    /// Where to read on.
    pub next: u64,
    /// How many lines there were when this was read; also the number the next line gets.
    pub end: u64,
    /// Whether the output is closed.
    pub closed: bool,
    /// Bytes of lines that a crash cut short while they were appended, and that were left out; they were never acknowledged.
    pub torn_bytes: u64,
}

/// Lines as they are printed, until the output is closed.
pub type FollowOutput = BoxStream<'static, Result<OutputLine>>;

/// How many lines are read at a time.
const LINES_PER_PAGE: usize = 1000;

impl Executions {
    /// Appends lines to the output of an execution, all or none, and gives their numbers. A line is any text: empty, or with
    /// newlines in it. No lines at all is `Ok` and changes nothing. The execution need not be there.
    ///
    /// # Errors
    /// `LogClosed` after [`close_output`](Self::close_output); `InvalidName` and `LimitExceeded` for the id; `LimitExceeded` for more
    /// than the backend takes at once; those of the medium. When the error says that it may have been applied, use
    /// [`append_output_at`](Self::append_output_at) to repeat it.
    pub async fn append_output<L: AsRef<str>>(
        &self,
        id: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Appended> {
        self.append(id, None, entries(lines)).await
    }

    /// Appends lines so that the first gets the number `expected`. Repeating it after a crash or a lost answer adds nothing: where
    /// exactly these lines stand there already it is `Ok`.
    ///
    /// # Errors
    /// `PreconditionFailed` when other lines stand there, or the output is not that long; as
    /// [`append_output`](Self::append_output).
    pub async fn append_output_at<L: AsRef<str>>(
        &self,
        id: &str,
        expected: u64,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Appended> {
        self.append(id, Some(expected), entries(lines)).await
    }

    pub(super) async fn append(
        &self,
        id: &str,
        expected: Option<u64>,
        lines: Vec<Bytes>,
    ) -> Result<Appended> {
        self.check_id("the execution id in bytes", id)
            .map_err(|error| self.named(error, "append output", id))?;
        match expected {
            Some(expected) => self.log(id).append_at(expected, lines).await,
            None => self.log(id).append_all(lines).await,
        }
    }

    /// Everything an execution printed, in memory; nothing when it printed nothing or is not there. See
    /// [`read_output`](Self::read_output) for the output of long runs.
    ///
    /// # Errors
    /// `Corrupt` naming the line; those of the medium.
    pub async fn get_output(&self, id: &str) -> Result<Vec<String>> {
        let lines = self.output_up_to(id, u64::MAX).await?;
        let texts = lines
            .iter()
            .zip(0..)
            .map(|(bytes, sequence)| fields::line(bytes, sequence));
        texts
            .collect::<Result<_>>()
            .map_err(|error| self.named(error, "get output", id))
    }

    /// Some lines from a number on, fewer than `limit` only at the end or where the backend keeps pages small.
    ///
    /// # Errors
    /// `InvalidArgument` for a limit of 0; as [`get_output`](Self::get_output).
    pub async fn read_output(&self, id: &str, from: u64, limit: usize) -> Result<OutputPage> {
        let page = self.log(id).read(from, limit).await?;
        if page.end > 0 && self.is_being_deleted(id).await? {
            return Ok(OutputPage::default());
        }
        let mut lines = Vec::with_capacity(page.entries.len());
        for entry in &page.entries {
            let text = fields::line(&entry.bytes, entry.sequence);
            let text = text.map_err(|error| self.named(error, "read output", id))?;
            lines.push(OutputLine {
                sequence: entry.sequence,
                text,
            });
        }
        let next = lines.last().map_or(from.min(page.end), |last| last.sequence + 1);
        let LogPage {
            end,
            closed,
            torn_bytes,
            ..
        } = page;
        Ok(OutputPage {
            lines,
            next,
            end,
            closed,
            torn_bytes,
        })
    }

    /// Every line from a number on, each once, waiting for more until the output is closed and read to its end. An execution that
    /// has not printed yet is waited for.
    ///
    /// The stream fails with `NotFound` when the execution is deleted meanwhile, and as [`get_output`](Self::get_output).
    pub fn follow_output(&self, id: &str, from: u64) -> FollowOutput {
        let log = self.log(id);
        let name = id.to_owned();
        let this = self.clone();
        log.follow(from)
            .and_then(move |entry| {
                let line = fields::line(&entry.bytes, entry.sequence)
                    .map(|text| OutputLine {
                        sequence: entry.sequence,
                        text,
                    })
                    .map_err(|error| this.named(error, "follow output", &name));
                std::future::ready(line)
            })
            .boxed()
    }

    /// Closes the output of an execution: nothing can be appended from now on, and who follows it comes to an end. Idempotent.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the id; those of the medium.
    pub async fn close_output(&self, id: &str) -> Result<()> {
        self.check_id("the execution id in bytes", id)
            .map_err(|error| self.named(error, "close output", id))?;
        self.log(id).close().await
    }

    /// The lines before a number, from one life of the log.
    pub(super) async fn output_up_to(&self, id: &str, end: u64) -> Result<Vec<Bytes>> {
        let log = self.log(id);
        let lines = loop {
            if let Some(lines) = lines_up_to(&log, end).await? {
                break lines;
            }
        };
        if !lines.is_empty() && self.is_being_deleted(id).await? {
            return Ok(Vec::new());
        }
        Ok(lines)
    }

    /// Whether a deletion has begun and is not finished: then nothing of the execution can be read, its output included.
    async fn is_being_deleted(&self, id: &str) -> Result<bool> {
        Ok(self
            .executions()
            .get(id)
            .await?
            .is_some_and(|document| is_mark(&document.value)))
    }

    pub(super) fn not_there(&self, operation: &'static str, id: &str) -> Error {
        let message = "there is no such execution";
        let error = Error::new(storage_core::ErrorKind::NotFound, message);
        self.named(error, operation, format!("executions/{id}"))
    }
}

/// The lines before a number; `None` when the log was deleted and begun anew meanwhile.
async fn lines_up_to(log: &Log, end: u64) -> Result<Option<Vec<Bytes>>> {
    let mut lines: Vec<Bytes> = Vec::new();
    let mut incarnation = None;
    loop {
        let from = lines.len() as u64;
        let wanted = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        if wanted == 0 {
            return Ok(Some(lines));
        }
        let page = log.read(from, wanted.min(LINES_PER_PAGE)).await?;
        if from > 0 && page.incarnation != incarnation {
            return Ok(None);
        }
        incarnation = page.incarnation;
        if page.entries.is_empty() {
            return Ok(Some(lines));
        }
        lines.extend(page.entries.into_iter().map(|entry| entry.bytes));
    }
}

pub(super) fn entries<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Vec<Bytes> {
    lines
        .into_iter()
        .map(|line| Bytes::copy_from_slice(line.as_ref().as_bytes()))
        .collect()
}
