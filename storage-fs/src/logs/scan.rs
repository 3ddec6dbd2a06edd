//! From lines to appends: which are whole, what a crash cut short, and what is damage.

use bytes::Bytes;
use rustix::fd::BorrowedFd;
use storage_core::{Error, Name, Result};

use super::line::Line;
use super::lines::Lines;
use crate::error::failed;

/// Appends, one after the other, from the beginning of one on.
#[derive(Debug)]
pub(super) struct Appends<'a> {
    log: &'a Name,
    incarnation: u128,
    lines: Lines<'a>,
    next: u64,
}

/// What comes next in the file.
#[derive(Debug)]
pub(super) enum Found {
    /// A whole append.
    Append(Append),
    /// The end.
    End,
    /// An append that was cut short, and nothing after it.
    Torn,
    /// Lines that are not what was written.
    Damaged(Error),
}

/// A whole append.
#[derive(Debug)]
pub(super) struct Append {
    /// The number of its first entry.
    pub(super) first: u64,
    /// None in the one that closes the log.
    pub(super) entries: Vec<Bytes>,
    pub(super) closes: bool,
    /// Where the next begins.
    pub(super) end: u64,
}

impl<'a> Appends<'a> {
    pub(super) const fn new(
        file: BorrowedFd<'a>,
        log: &'a Name,
        incarnation: u128,
        offset: u64,
        next: u64,
    ) -> Self {
        Self {
            log,
            incarnation,
            lines: Lines::new(file, offset),
            next,
        }
    }

    /// Reads on. After anything but an append there is nothing more to ask.
    pub(super) fn next(&mut self) -> Result<Found> {
        let first = self.next;
        let mut entries = Vec::new();
        let mut left = None;
        loop {
            let seq = first + u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let Some(raw) = self.lines.next().map_err(failed)? else {
                return Ok(if entries.is_empty() {
                    Found::End
                } else {
                    Found::Torn
                });
            };
            if !raw.whole {
                return Ok(Found::Torn);
            }
            let line = Line::parse(&raw.bytes).filter(|line| {
                line.seq == seq
                    && left.is_none_or(|left: u64| left.checked_sub(1) == Some(line.left))
                    && line.is_of(self.incarnation, first)
            });
            let Some(line) = line else {
                // Where the machine stopped, the system leaves NUL in place of pages it had not written yet; and it may have written
                // later pages of the same append. Nothing else is explained by that.
                return Ok(if raw.bytes.contains(&0) && self.rest_is_of(first)? {
                    Found::Torn
                } else {
                    Found::Damaged(self.damaged(seq))
                });
            };
            left = Some(line.left);
            let closes = line.entry.is_none();
            entries.extend(line.entry);
            if line.left == 0 {
                self.next = first + u64::try_from(entries.len()).unwrap_or(u64::MAX);
                return Ok(Found::Append(Append {
                    first,
                    entries,
                    closes,
                    end: self.lines.position(),
                }));
            }
        }
    }

    /// Whether all that follows can be of the append that begins at `first`.
    fn rest_is_of(&mut self, first: u64) -> Result<bool> {
        while let Some(raw) = self.lines.next().map_err(failed)? {
            let explained = !raw.whole
                || raw.bytes.contains(&0)
                || Line::parse(&raw.bytes).is_some_and(|line| line.is_of(self.incarnation, first));
            if !explained {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn damaged(&self, seq: u64) -> Error {
        // The header is line 1, and every entry has one line.
        let line = seq.saturating_add(2);
        Error::corrupt(
            self.log.as_str(),
            format!("line {line} is not what was written there; restore the file from a backup"),
        )
        .with_context("line", line.to_string())
    }

    /// What is said about lines behind the one that closed the log.
    pub(super) fn behind_the_end(&self) -> Error {
        Error::corrupt(
            self.log.as_str(),
            "there are lines behind the one that closed it; restore the file from a backup",
        )
    }
}
