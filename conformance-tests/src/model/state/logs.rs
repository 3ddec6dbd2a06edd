//! What the contract says of logs.

use storage_core::{Appended, ErrorKind, Version};

/// One log.
#[derive(Debug, Clone, Default)]
pub(in crate::model) struct Log {
    pub(in crate::model) entries: Vec<String>,
    pub(in crate::model) closed: bool,
    /// Which life of the name this is, once it was seen.
    pub(in crate::model) incarnation: Option<Version>,
    /// Whether something may be left of an append that was cut short, which readers may be told until the next one.
    pub(in crate::model) torn: bool,
}

impl Log {
    /// Adds entries at the end.
    pub(in crate::model) fn append_all(&mut self, entries: &[String]) {
        self.entries.extend(entries.iter().cloned());
        self.torn = false;
    }

    pub(in crate::model) const fn close(&mut self) {
        self.closed = true;
        self.torn = false;
    }

    /// What an append gives: where it landed and whether it adds anything.
    pub(in crate::model) fn append(
        &self,
        entries: &[String],
        expected: Option<u64>,
    ) -> Result<(Appended, bool), ErrorKind> {
        let end = self.entries.len() as u64;
        let landed = |first: u64| Appended {
            first,
            next: first + entries.len() as u64,
        };
        if let Some(first) = expected {
            let rest = usize::try_from(first).ok().and_then(|at| self.entries.get(at..));
            let stands = rest.and_then(|rest| rest.get(..entries.len())) == Some(entries);
            if stands {
                return Ok((landed(first), false));
            }
            if first != end {
                return Err(ErrorKind::PreconditionFailed);
            }
        }
        if self.closed {
            return Err(ErrorKind::LogClosed);
        }
        Ok((landed(end), !entries.is_empty()))
    }
}
