//! From what OpenDAL says to what a caller can act on.

use std::error::Error as _;
use std::io;

use storage_core::{Applied, Error, ErrorKind, Retry};

/// The one place where an error of OpenDAL gets its kind.
fn classify(error: &opendal::Error) -> (ErrorKind, &'static str) {
    if is_out_of_room(error) {
        return (
            ErrorKind::NoSpace,
            "the service is full or a quota is used up; make room",
        );
    }
    match error.kind() {
        opendal::ErrorKind::ConditionNotMatch | opendal::ErrorKind::AlreadyExists => {
            (ErrorKind::AlreadyExists, "it already exists")
        }
        opendal::ErrorKind::ConfigInvalid => (
            ErrorKind::InvalidArgument,
            "the operator's configuration cannot be",
        ),
        opendal::ErrorKind::IsADirectory | opendal::ErrorKind::NotADirectory => (
            ErrorKind::Corrupt,
            "something foreign stands in the way; remove it",
        ),
        opendal::ErrorKind::NotFound => (ErrorKind::NotFound, "something that has to be there is gone"),
        opendal::ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            "the service refuses access; check the credentials and what they allow",
        ),
        opendal::ErrorKind::RateLimited => (ErrorKind::RateLimited, "the service asks for fewer requests"),
        opendal::ErrorKind::Unsupported => (ErrorKind::Unsupported, "the service cannot do what is needed"),
        _ if error.is_temporary() => (ErrorKind::Unavailable, "the service cannot be reached now"),
        _ => (ErrorKind::Io, "the service failed"),
    }
}

fn is_out_of_room(error: &opendal::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// An error of a call that changes nothing.
pub(crate) fn failed(error: opendal::Error) -> Error {
    let (kind, message) = classify(&error);
    let later = error.is_temporary() || kind == ErrorKind::RateLimited;
    Error::new(kind, message)
        .with_retry(if later { Retry::Later } else { Retry::Never })
        .with_source(error)
}

/// An error of a write or a deletion: whether it happened is known only where the service said no.
pub(crate) fn write_failed(error: opendal::Error) -> Error {
    let applied = match error.kind() {
        opendal::ErrorKind::ConditionNotMatch
        | opendal::ErrorKind::AlreadyExists
        | opendal::ErrorKind::ConfigInvalid
        | opendal::ErrorKind::IsADirectory
        | opendal::ErrorKind::NotADirectory
        | opendal::ErrorKind::PermissionDenied
        | opendal::ErrorKind::RateLimited
        | opendal::ErrorKind::Unsupported => Applied::No,
        _ => Applied::Unknown,
    };
    failed(error).with_applied(applied)
}

pub(crate) fn is_missing(error: &opendal::Error) -> bool {
    matches!(
        error.kind(),
        opendal::ErrorKind::NotFound | opendal::ErrorKind::NotADirectory | opendal::ErrorKind::IsADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_to_act_on() {
        use opendal::ErrorKind as Theirs;
        for (theirs, ours, applied) in [
            (Theirs::ConditionNotMatch, ErrorKind::AlreadyExists, Applied::No),
            (Theirs::PermissionDenied, ErrorKind::PermissionDenied, Applied::No),
            (Theirs::RateLimited, ErrorKind::RateLimited, Applied::No),
            (Theirs::Unsupported, ErrorKind::Unsupported, Applied::No),
            (Theirs::Unexpected, ErrorKind::Io, Applied::Unknown),
        ] {
            let error = write_failed(opendal::Error::new(theirs, "as they say"));
            assert_eq!((error.kind(), error.applied()), (ours, applied));
        }
        let temporary = opendal::Error::new(Theirs::Unexpected, "later").set_temporary();
        let error = failed(temporary);
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unavailable, Retry::Later)
        );
        let full = opendal::Error::new(Theirs::Unexpected, "write")
            .set_source(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(write_failed(full).kind(), ErrorKind::NoSpace);
    }
}
