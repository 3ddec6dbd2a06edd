//! [`classify`]: from SQLite's errors to ours, in one place.

use rusqlite::ffi;
use storage_core::{Error, ErrorKind, Retry};

/// The kind, retry and message of a native error. Whether a write was applied is for whoever knows the step to say; here it is `No`,
/// which holds for everything but a commit.
pub(crate) fn classify(error: rusqlite::Error) -> Error {
    use rusqlite::Error as Native;
    let (kind, retry, message) = match &error {
        Native::SqliteFailure(failure, _) | Native::SqlInputError { error: failure, .. } => {
            of_code(failure.extended_code)
        }
        Native::FromSqlConversionFailure(..)
        | Native::InvalidColumnType(..)
        | Native::IntegralValueOutOfRange(..)
        | Native::Utf8Error(..) => (
            ErrorKind::Corrupt,
            Retry::Never,
            "a stored value is not of the type it must be",
        ),
        Native::InvalidPath(_) | Native::NulError(_) => (
            ErrorKind::InvalidArgument,
            Retry::Never,
            "the path cannot be given to SQLite; choose another",
        ),
        _ => (
            ErrorKind::Internal,
            Retry::Never,
            "SQLite was used in a way it refuses",
        ),
    };
    Error::new(kind, message).with_retry(retry).with_source(error)
}

/// Whether another connection's lock was in the way.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|failure| failure.extended_code & 0xFF),
        Some(ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED)
    )
}

const fn of_code(extended: i32) -> (ErrorKind, Retry, &'static str) {
    // The low byte is the class; the rest says where in SQLite, which the source keeps.
    match extended & 0xFF {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => (
            ErrorKind::Conflict,
            Retry::Later,
            "another connection holds a lock; try again",
        ),
        ffi::SQLITE_PROTOCOL | ffi::SQLITE_SCHEMA => (
            ErrorKind::Conflict,
            Retry::Later,
            "another process changed the database meanwhile; try again",
        ),
        ffi::SQLITE_FULL => (
            ErrorKind::NoSpace,
            Retry::Never,
            "the disk or the database is full; make room",
        ),
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => (
            ErrorKind::Corrupt,
            Retry::Never,
            "the file is not a sound SQLite database; restore it or recover it with `sqlite3 .recover`",
        ),
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => (
            ErrorKind::PermissionDenied,
            Retry::Never,
            "the database cannot be written; check the permissions of the file and of its directory",
        ),
        ffi::SQLITE_CANTOPEN => (
            ErrorKind::Io,
            Retry::Never,
            "the database file cannot be opened; check its path, its permissions and the limit of open files",
        ),
        ffi::SQLITE_IOERR | ffi::SQLITE_NOLFS => (
            ErrorKind::Io,
            Retry::Never,
            "the disk failed to read or write the database; check it",
        ),
        ffi::SQLITE_TOOBIG => (
            ErrorKind::LimitExceeded,
            Retry::Never,
            "a value is larger than SQLite holds, one billion bytes",
        ),
        ffi::SQLITE_NOMEM => (ErrorKind::Internal, Retry::Never, "SQLite got no memory"),
        _ => (
            ErrorKind::Internal,
            Retry::Never,
            "SQLite gave an answer nobody expected",
        ),
    }
}

#[cfg(test)]
mod tests {
    use storage_core::Applied;

    use super::*;

    fn native(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn each_native_error_has_its_kind() {
        for (code, kind, retry) in [
            (ffi::SQLITE_BUSY, ErrorKind::Conflict, Retry::Later),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Conflict, Retry::Later),
            (ffi::SQLITE_LOCKED, ErrorKind::Conflict, Retry::Later),
            (ffi::SQLITE_PROTOCOL, ErrorKind::Conflict, Retry::Later),
            (ffi::SQLITE_FULL, ErrorKind::NoSpace, Retry::Never),
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt, Retry::Never),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt, Retry::Never),
            (ffi::SQLITE_NOTADB, ErrorKind::Corrupt, Retry::Never),
            (ffi::SQLITE_READONLY, ErrorKind::PermissionDenied, Retry::Never),
            (
                ffi::SQLITE_READONLY_DBMOVED,
                ErrorKind::PermissionDenied,
                Retry::Never,
            ),
            (ffi::SQLITE_PERM, ErrorKind::PermissionDenied, Retry::Never),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Io, Retry::Never),
            (ffi::SQLITE_IOERR, ErrorKind::Io, Retry::Never),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Io, Retry::Never),
            (ffi::SQLITE_TOOBIG, ErrorKind::LimitExceeded, Retry::Never),
            (ffi::SQLITE_NOMEM, ErrorKind::Internal, Retry::Never),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, ErrorKind::Internal, Retry::Never),
            (ffi::SQLITE_ERROR, ErrorKind::Internal, Retry::Never),
            (ffi::SQLITE_MISUSE, ErrorKind::Internal, Retry::Never),
            (200, ErrorKind::Internal, Retry::Never),
        ] {
            let error = classify(native(code));
            assert_eq!(
                (error.kind(), error.retry(), error.applied()),
                (kind, retry, Applied::No),
                "code {code}"
            );
            assert!(std::error::Error::source(&error).is_some(), "code {code}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_corruption() {
        let error = rusqlite::Error::InvalidColumnType(0, "size".into(), rusqlite::types::Type::Text);
        assert_eq!(classify(error).kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn only_locks_are_busy() {
        assert!(is_busy(&native(ffi::SQLITE_BUSY)) && is_busy(&native(ffi::SQLITE_BUSY_RECOVERY)));
        assert!(!is_busy(&native(ffi::SQLITE_FULL)) && !is_busy(&rusqlite::Error::QueryReturnedNoRows));
    }
}
