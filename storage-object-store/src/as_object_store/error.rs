//! From our errors to those of `object_store`.

use object_store::Error as Theirs;
use object_store::path::Path;
use storage_core::{Error, ErrorKind};

pub(super) const STORE: &str = "AsObjectStore";

/// The one place where an error of ours becomes one of theirs.
pub(super) fn failed(path: &str, error: Error) -> Theirs {
    let path = error.key().unwrap_or(path).to_owned();
    match error.kind() {
        ErrorKind::AlreadyExists => Theirs::AlreadyExists {
            path,
            source: Box::new(error),
        },
        ErrorKind::NotFound => Theirs::NotFound {
            path,
            source: Box::new(error),
        },
        ErrorKind::NotModified => Theirs::NotModified {
            path,
            source: Box::new(error),
        },
        ErrorKind::PermissionDenied => Theirs::PermissionDenied {
            path,
            source: Box::new(error),
        },
        ErrorKind::PreconditionFailed => Theirs::Precondition {
            path,
            source: Box::new(error),
        },
        ErrorKind::Unauthenticated => Theirs::Unauthenticated {
            path,
            source: Box::new(error),
        },
        ErrorKind::Unsupported => Theirs::NotSupported {
            source: Box::new(error),
        },
        _ => Theirs::Generic {
            store: STORE,
            source: Box::new(error),
        },
    }
}

pub(super) fn missing(path: &Path) -> Theirs {
    failed(
        path.as_ref(),
        Error::new(ErrorKind::NotFound, "there is no such object").with_key(path.as_ref()),
    )
}

pub(super) fn invalid(message: &'static str) -> Theirs {
    failed("", Error::invalid_argument(message))
}

pub(super) fn not_implemented(operation: &str) -> Theirs {
    Theirs::NotImplemented {
        operation: operation.to_owned(),
        implementer: STORE.to_owned(),
    }
}
