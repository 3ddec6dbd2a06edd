//! What became of a call, in a word: for labels, spans and records.

use storage_core::{ErrorKind, Result};

/// It succeeded.
pub(crate) const OK: &str = "ok";
/// The caller went away before there was an answer.
#[cfg(feature = "metrics")]
pub(crate) const CANCELLED: &str = "cancelled";

pub(crate) fn outcome<R>(answer: &Result<R>) -> &'static str {
    match answer {
        Ok(_) => OK,
        Err(error) => kind(error.kind()),
    }
}

/// The kind of an error as a word. Words are kept once they are in use: dashboards and audits depend on them.
pub(crate) const fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AlreadyExists => "already-exists",
        ErrorKind::Closed => "closed",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::FormatTooNew => "format-too-new",
        ErrorKind::IndexRequired => "index-required",
        ErrorKind::Internal => "internal",
        ErrorKind::InvalidArgument => "invalid-argument",
        ErrorKind::InvalidName => "invalid-name",
        ErrorKind::Io => "io",
        ErrorKind::LeaseLost => "lease-lost",
        ErrorKind::LimitExceeded => "limit-exceeded",
        ErrorKind::LogClosed => "log-closed",
        ErrorKind::NoSpace => "no-space",
        ErrorKind::NotFound => "not-found",
        ErrorKind::NotModified => "not-modified",
        ErrorKind::PermissionDenied => "permission-denied",
        ErrorKind::PreconditionFailed => "precondition-failed",
        ErrorKind::RateLimited => "rate-limited",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Unauthenticated => "unauthenticated",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::UniqueViolation => "unique-violation",
        ErrorKind::Unsupported => "unsupported",
        // The enum may grow; what this version does not know is told as such.
        _ => "other",
    }
}
