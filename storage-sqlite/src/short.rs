//! [`Short`]: what a read on the calling thread came to. [`Budget`]: how much it may look at.

use storage_core::{Error, ErrorKind};

/// What a read on the calling thread came to.
#[derive(Debug)]
pub(crate) enum Short<T> {
    Done(T),
    /// It is more than the calling thread should bear.
    TooLong,
}

impl<T> Short<T> {
    /// What a read without bounds came to.
    pub(crate) fn unbounded(self) -> storage_core::Result<T> {
        match self {
            Self::Done(answer) => Ok(answer),
            Self::TooLong => Err(Error::new(
                ErrorKind::Internal,
                "a read without bounds was too long",
            )),
        }
    }
}

/// How much a read may look at before it is told to go where it keeps nobody waiting.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    entries: usize,
    bytes: usize,
}

impl Budget {
    /// For the calling thread: about a millisecond's work.
    pub(crate) const SHORT: Self = Self {
        entries: 256,
        bytes: 256 * 1024,
    };
    /// For a thread of its own.
    pub(crate) const LONG: Self = Self {
        entries: usize::MAX,
        bytes: usize::MAX,
    };

    /// Pays for a look at one entry, document or range; `false` when the budget is used up.
    pub(crate) fn pay(&mut self, bytes: usize) -> bool {
        if self.entries == 0 || self.bytes < bytes {
            return false;
        }
        self.entries -= 1;
        self.bytes -= bytes;
        true
    }

    /// Whether it is enough for so many entries, if they are short.
    pub(crate) const fn allows(&self, entries: u64) -> bool {
        entries <= self.entries as u64
    }

    /// The most bytes there are to pay with, as SQLite counts.
    pub(crate) fn bytes(&self) -> i64 {
        i64::try_from(self.bytes).unwrap_or(i64::MAX)
    }
}
