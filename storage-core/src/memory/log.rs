//! One log in memory.

use bytes::Bytes;

use crate::adapter::{AppendRequest, Appended, LogEntry, LogPage};
use crate::error::{Error, ErrorKind, Result};
use crate::version::Version;

#[derive(Debug, Clone)]
pub(super) struct Log {
    incarnation: Version,
    entries: Vec<Bytes>,
    closed: bool,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            incarnation: Version::random(),
            entries: Vec::new(),
            closed: false,
        }
    }

    pub(super) fn append(&mut self, request: AppendRequest) -> Result<Appended> {
        let end = self.entries.len() as u64;
        if let Some(expected) = request.expected
            && expected != end
        {
            return self.appended_before(expected, &request.entries);
        }
        if self.closed {
            // An append of nothing at the end stands there already.
            return match request.expected {
                Some(first) if request.entries.is_empty() => Ok(Appended { first, next: first }),
                _ => Err(Error::new(ErrorKind::LogClosed, "the log is closed")),
            };
        }
        self.entries.extend(request.entries);
        Ok(Appended {
            first: end,
            next: self.entries.len() as u64,
        })
    }

    /// Whether exactly these entries already stand where they were expected.
    fn appended_before(&self, expected: u64, entries: &[Bytes]) -> Result<Appended> {
        let next = expected.saturating_add(entries.len() as u64);
        let standing = usize::try_from(expected)
            .ok()
            .and_then(|first| self.entries.get(first..)?.get(..entries.len()));
        if standing == Some(entries) {
            return Ok(Appended {
                first: expected,
                next,
            });
        }
        Err(Error::log_moved(expected, self.entries.len() as u64))
    }

    pub(super) fn read(&self, from: u64, limit: usize) -> LogPage {
        let first = usize::try_from(from).unwrap_or(usize::MAX);
        let entries = self.entries.iter().enumerate().skip(first).take(limit);
        LogPage {
            entries: entries
                .map(|(at, bytes)| LogEntry {
                    sequence: at as u64,
                    bytes: bytes.clone(),
                })
                .collect(),
            end: self.entries.len() as u64,
            closed: self.closed,
            incarnation: Some(self.incarnation.clone()),
            torn_bytes: 0,
        }
    }

    pub(super) const fn close(&mut self) {
        self.closed = true;
    }
}
