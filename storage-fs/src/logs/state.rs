//! What is known about a log: how far it is whole, and where to begin reading for a number.

use bytes::Bytes;
use rustix::fd::BorrowedFd;
use storage_core::{Error, LogEntry, Name, Result};

use super::line::Header;
use super::scan::{Appends, Found};

/// How many bytes of entries one page holds at most, unless a single entry is larger.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// How far apart the places are that are remembered, in bytes: what is read in vain before a page.
const CHECKPOINT_BYTES: u64 = 256 * 1024;

/// The whole part of one incarnation, as far as it was read. It only grows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) incarnation: u128,
    /// The number the next entry gets.
    pub(super) next: u64,
    /// Where it goes.
    pub(super) end: u64,
    /// Up to where this handle knows that it is durable: what others appended it did not see synced.
    pub(super) durable: u64,
    pub(super) closed: bool,
    /// Numbers and places of the first lines of some appends, ascending.
    checkpoints: Vec<(u64, u64)>,
}

/// What stands behind the whole part.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Bytes of an append that was cut short.
    pub(super) torn_bytes: u64,
    damage: Option<Error>,
}

impl Tail {
    /// Refuses where it is damage; an append that was cut short is none.
    pub(super) fn sound(self) -> Result<()> {
        self.damage.map_or(Ok(()), Err)
    }
}

impl Known {
    pub(super) fn new(header: &Header) -> Self {
        Self {
            incarnation: header.incarnation,
            next: 0,
            end: header.end,
            durable: header.end,
            closed: false,
            checkpoints: vec![(0, header.end)],
        }
    }

    /// Reads on from where the last reading ended. The file is at least that long.
    pub(super) fn extend(&mut self, file: BorrowedFd<'_>, log: &Name, length: u64) -> Result<Tail> {
        let mut tail = Tail::default();
        if length <= self.end {
            return Ok(tail);
        }
        let mut appends = Appends::new(file, log, self.incarnation, self.end, self.next);
        loop {
            match appends.next()? {
                Found::Append(_) if self.closed => {
                    tail.damage = Some(appends.behind_the_end());
                    return Ok(tail);
                }
                Found::Append(append) => {
                    let next = append.first + u64::try_from(append.entries.len()).unwrap_or(0);
                    self.grow(next, append.end, append.closes);
                }
                Found::End => return Ok(tail),
                Found::Torn => {
                    tail.torn_bytes = length.saturating_sub(self.end);
                    return Ok(tail);
                }
                Found::Damaged(error) => {
                    tail.damage = Some(error);
                    return Ok(tail);
                }
            }
        }
    }

    /// A whole append stands at the end.
    pub(super) fn grow(&mut self, next: u64, end: u64, closes: bool) {
        let far = self
            .checkpoints
            .last()
            .is_none_or(|(_, at)| self.end - at >= CHECKPOINT_BYTES);
        if far {
            self.checkpoints.push((self.next, self.end));
        }
        self.next = next;
        self.end = end;
        self.closed = closes;
    }

    /// Entries from a number on, no more than a page takes.
    pub(super) fn page(
        &self,
        file: BorrowedFd<'_>,
        log: &Name,
        from: u64,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        self.each(file, log, from, |sequence, entry| {
            let full = page.len() >= limit || (!page.is_empty() && bytes + entry.len() > MAX_PAGE_BYTES);
            if !full {
                bytes += entry.len();
                page.push(LogEntry {
                    sequence,
                    bytes: entry,
                });
            }
            !full
        })?;
        Ok(page)
    }

    /// Whether exactly these entries stand at a number.
    pub(super) fn stand(
        &self,
        file: BorrowedFd<'_>,
        log: &Name,
        expected: u64,
        entries: &[Bytes],
    ) -> Result<()> {
        let mut wanted = entries.iter();
        let mut equal = expected <= self.next;
        self.each(file, log, expected, |_, entry| match wanted.next() {
            Some(wanted) => {
                equal &= *wanted == entry;
                equal
            }
            None => false,
        })?;
        if equal && wanted.next().is_none() {
            Ok(())
        } else {
            Err(Error::log_moved(expected, self.next))
        }
    }

    /// Visits entries from a number on until told to stop.
    fn each(
        &self,
        file: BorrowedFd<'_>,
        log: &Name,
        from: u64,
        mut visit: impl FnMut(u64, Bytes) -> bool,
    ) -> Result<()> {
        if from >= self.next {
            return Ok(());
        }
        let at = self
            .checkpoints
            .partition_point(|(first, _)| *first <= from)
            .saturating_sub(1);
        let Some(&(first, offset)) = self.checkpoints.get(at) else {
            return Ok(());
        };
        let mut appends = Appends::new(file, log, self.incarnation, offset, first);
        let mut next = first;
        // What is behind the whole part is not looked at: it may be damage, or an append that begins meanwhile.
        while next < self.next {
            let append = match appends.next()? {
                Found::Append(append) => append,
                Found::Damaged(error) => return Err(error),
                Found::End | Found::Torn => return Ok(()),
            };
            for (sequence, entry) in (append.first..).zip(append.entries) {
                if sequence >= from && !visit(sequence, entry) {
                    return Ok(());
                }
                next = sequence + 1;
            }
        }
        Ok(())
    }
}
