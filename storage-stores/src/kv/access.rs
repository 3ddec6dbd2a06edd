//! [`Access`]: what a handle may do.

use storage_core::{Error, ErrorKind, Result};

/// What a handle may do. It can be taken away, never given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Everything.
    ReadWrite,
    /// Everything that changes nothing.
    ReadOnly,
    /// Storing and deleting; nothing about what is there is told.
    WriteOnly,
    /// Nothing: what is left of a read-only handle that is made write-only.
    Nothing,
}

impl Access {
    pub(super) const fn reads(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ReadOnly)
    }

    pub(super) const fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::WriteOnly)
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self.reads() && other.reads(), self.writes() && other.writes()) {
            (true, true) => Self::ReadWrite,
            (true, false) => Self::ReadOnly,
            (false, true) => Self::WriteOnly,
            (false, false) => Self::Nothing,
        }
    }

    pub(super) fn require_reads(self) -> Result<()> {
        allowed(self.reads(), "this handle may not read")
    }

    pub(super) fn require_writes(self) -> Result<()> {
        allowed(self.writes(), "this handle may not write")
    }

    pub(super) fn require_all(self) -> Result<()> {
        self.require_reads()?;
        self.require_writes()
    }
}

fn allowed(allowed: bool, message: &'static str) -> Result<()> {
    if allowed {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests {
    use super::Access::{Nothing, ReadOnly, ReadWrite, WriteOnly};

    #[test]
    fn access_is_narrowed_and_never_widened() {
        let all = [ReadWrite, ReadOnly, WriteOnly, Nothing];
        for one in all {
            for other in all {
                let both = one.and(other);
                assert!(both.reads() <= one.reads() && both.reads() <= other.reads());
                assert!(both.writes() <= one.writes() && both.writes() <= other.writes());
            }
        }
        assert_eq!(ReadOnly.and(WriteOnly), Nothing);
    }
}
