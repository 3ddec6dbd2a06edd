//! What the process ends with.

use std::process::ExitCode;

use storage_core::{Error, ErrorKind};

/// What the process ends with, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Exit {
    /// 0: done; also when whoever reads the output has gone.
    Done = 0,
    /// 1: failed, for a reason no other number stands for.
    Failed = 1,
    /// 2: the arguments, a name or a URL cannot be what was given.
    Usage = 2,
    /// 3: what was asked for is not there.
    NotFound = 3,
    /// 4: a condition was lost, and nothing changed.
    ConditionLost = 4,
    /// 5: the same call may succeed later.
    TryLater = 5,
}

impl Exit {
    /// Every one, with what it means.
    pub(crate) const TABLE: [(Self, &str); 6] = [
        (Self::Done, "done; also when whoever reads the output has gone"),
        (Self::Failed, "failed, for a reason no other number stands for"),
        (
            Self::Usage,
            "the arguments, a name or a URL cannot be what was given",
        ),
        (Self::NotFound, "what was asked for is not there"),
        (
            Self::ConditionLost,
            "a condition was lost (it exists, it changed, the log is closed); nothing changed",
        ),
        (
            Self::TryLater,
            "busy, unreachable or too slow: the same call may succeed later",
        ),
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidArgument | ErrorKind::InvalidName => Self::Usage,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::LeaseLost
            | ErrorKind::LogClosed
            | ErrorKind::NotModified
            | ErrorKind::PreconditionFailed
            | ErrorKind::UniqueViolation => Self::ConditionLost,
            ErrorKind::RateLimited | ErrorKind::Timeout | ErrorKind::Unavailable => Self::TryLater,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The end of `storage --help`.
pub(crate) fn help() -> String {
    let mut help = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::TABLE {
        help.push_str(&format!("  {}  {meaning}\n", exit.code()));
    }
    help.push_str(
        "\nWhere the data is: --url, else the environment (`storage reference variables`), else files in ./data.\n\
         Data goes to standard output, everything said to a person to standard error.",
    );
    help
}
