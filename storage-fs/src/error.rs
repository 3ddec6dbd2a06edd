//! From what the system says to what a caller can act on.

use rustix::io::Errno;
use storage_core::{Applied, Error, ErrorKind, Retry};

/// The one place where an error of the system gets its kind.
pub(crate) fn classify(errno: Errno) -> (ErrorKind, Retry, &'static str) {
    use ErrorKind as Kind;
    match errno {
        Errno::NOSPC | Errno::DQUOT => (
            Kind::NoSpace,
            Retry::Never,
            "the disk is full or the quota is used up; make room",
        ),
        Errno::ACCESS | Errno::PERM => (
            Kind::PermissionDenied,
            Retry::Never,
            "the system refuses access; check who owns the files",
        ),
        Errno::ROFS => (Kind::PermissionDenied, Retry::Never, "the disk is read-only"),
        Errno::MFILE | Errno::NFILE => (
            Kind::Unavailable,
            Retry::Later,
            "too many files are open; raise the limit or do less at once",
        ),
        Errno::NOMEM | Errno::NOBUFS => (Kind::Unavailable, Retry::Later, "the system has no memory left"),
        Errno::AGAIN | Errno::BUSY | Errno::INTR | Errno::NOLCK => (
            Kind::Unavailable,
            Retry::Later,
            "the system is busy with the file",
        ),
        Errno::NOENT => (
            Kind::NotFound,
            Retry::Never,
            "a directory or file that has to be there is gone",
        ),
        Errno::STALE | Errno::NODEV | Errno::NXIO | Errno::NOTCONN => {
            (Kind::Unavailable, Retry::Never, "the disk is gone")
        }
        Errno::LOOP => (
            Kind::Corrupt,
            Retry::Never,
            "a symbolic link stands in the way and links are not followed; remove it",
        ),
        Errno::NOTDIR => (
            Kind::Corrupt,
            Retry::Never,
            "a foreign file stands where a directory must be; remove it",
        ),
        Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST => (
            Kind::Corrupt,
            Retry::Never,
            "something foreign stands where the file must be; remove it",
        ),
        Errno::NAMETOOLONG => (
            Kind::InvalidName,
            Retry::Never,
            "the name is too long for this disk",
        ),
        Errno::FBIG | Errno::OVERFLOW | Errno::MLINK => (
            Kind::LimitExceeded,
            Retry::Never,
            "the file would be larger than the system allows",
        ),
        Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV => (
            Kind::Unsupported,
            Retry::Never,
            "this disk cannot do what is needed",
        ),
        Errno::TIMEDOUT => (Kind::Timeout, Retry::Never, "the disk did not answer in time"),
        _ => (Kind::Io, Retry::Never, "the disk failed"),
    }
}

/// An error of the system while nothing was changed yet.
pub(crate) fn failed(errno: Errno) -> Error {
    let (kind, retry, message) = classify(errno);
    Error::new(kind, message)
        .with_retry(retry)
        .with_source(std::io::Error::from(errno))
}

/// An error of the system when what was asked may have happened.
pub(crate) fn doubtful(errno: Errno) -> Error {
    failed(errno)
        .with_applied(Applied::Unknown)
        .with_retry(Retry::Never)
}

/// Something that is no regular file, where one must be.
pub(crate) fn foreign(path: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "what stands there is neither a file of ours nor one to take over; remove it",
    )
    .with_context("path", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_has_the_kind_a_caller_can_act_on() {
        let table = [
            (Errno::NOSPC, ErrorKind::NoSpace, Retry::Never),
            (Errno::DQUOT, ErrorKind::NoSpace, Retry::Never),
            (Errno::ACCESS, ErrorKind::PermissionDenied, Retry::Never),
            (Errno::PERM, ErrorKind::PermissionDenied, Retry::Never),
            (Errno::ROFS, ErrorKind::PermissionDenied, Retry::Never),
            (Errno::MFILE, ErrorKind::Unavailable, Retry::Later),
            (Errno::NFILE, ErrorKind::Unavailable, Retry::Later),
            (Errno::NOMEM, ErrorKind::Unavailable, Retry::Later),
            (Errno::NOENT, ErrorKind::NotFound, Retry::Never),
            (Errno::STALE, ErrorKind::Unavailable, Retry::Never),
            (Errno::LOOP, ErrorKind::Corrupt, Retry::Never),
            (Errno::NOTDIR, ErrorKind::Corrupt, Retry::Never),
            (Errno::ISDIR, ErrorKind::Corrupt, Retry::Never),
            (Errno::NAMETOOLONG, ErrorKind::InvalidName, Retry::Never),
            (Errno::FBIG, ErrorKind::LimitExceeded, Retry::Never),
            (Errno::OPNOTSUPP, ErrorKind::Unsupported, Retry::Never),
            (Errno::IO, ErrorKind::Io, Retry::Never),
            (Errno::BADF, ErrorKind::Io, Retry::Never),
        ];
        for (errno, kind, retry) in table {
            let error = failed(errno);
            assert_eq!(
                (error.kind(), error.retry(), error.applied()),
                (kind, retry, Applied::No),
                "{errno:?}"
            );
            assert_eq!(
                doubtful(errno).retry(),
                Retry::Never,
                "what may have happened is never worth a blind retry"
            );
        }
    }

    #[test]
    fn an_errno_nobody_knows_is_never_retried() {
        for raw in 1..=133 {
            let (kind, retry, _) = classify(Errno::from_raw_os_error(raw));
            assert!(kind != ErrorKind::Io || retry == Retry::Never);
        }
    }
}
