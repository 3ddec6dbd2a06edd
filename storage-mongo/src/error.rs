//! [`classify`]: from the driver's errors to ours, in one place.

use bson::RawDocumentBuf;
use mongodb::error::{
    Error as Native, ErrorKind as NativeKind, RETRYABLE_ERROR, SYSTEM_OVERLOADED_ERROR,
    TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};
use storage_core::{Applied, Error, ErrorKind, Retry};

/// What the failed call was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is changed by it.
    Read,
    /// It may have been applied without our knowing.
    Write,
}

/// The label by which a server says that an attempt, and every one before it, changed nothing.
const NO_WRITES_PERFORMED: &str = "NoWritesPerformed";

/// A unique index, or `_id`, already has the key.
const DUPLICATE_KEY: i32 = 11000;
/// A collection to be created is there.
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
/// A collection or index is not there.
pub(crate) const NAMESPACE_NOT_FOUND: i32 = 26;
/// An index to be dropped is not there.
pub(crate) const INDEX_NOT_FOUND: i32 = 27;
/// Another index has the same keys.
pub(crate) const INDEX_OPTIONS_CONFLICT: i32 = 85;
/// Another index has the name.
pub(crate) const INDEX_KEY_SPECS_CONFLICT: i32 = 86;
/// A hint, or another argument, that the server cannot follow.
pub(crate) const BAD_VALUE: i32 = 2;

/// The kind, retry, message and effect of a native error. The numbers are those of MongoDB's
/// [`error_codes.yml`](https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml).
pub(crate) fn classify(error: Native, kind: Kind) -> Error {
    let (what, retry, applied, message) = describe(&error);
    let unknown =
        kind == Kind::Write && applied == Applied::Unknown && !error.contains_label(NO_WRITES_PERFORMED);
    let applied = if unknown { Applied::Unknown } else { Applied::No };
    Error::new(what, message)
        .with_retry(retry)
        .with_applied(applied)
        .with_source(error)
}

/// The same for one of several writes in one command.
pub(crate) fn of_write_error(code: i32, message: &str) -> Error {
    let (kind, retry, applied, text) = of_code(code);
    Error::new(kind, text)
        .with_retry(retry)
        .with_applied(applied)
        .with_source(message.to_owned())
}

/// The number the server gave, if it answered at all.
pub(crate) fn native_code(error: &Native) -> Option<i32> {
    match &*error.kind {
        NativeKind::Command(error) => Some(error.code),
        NativeKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        NativeKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        NativeKind::InsertMany(many) => many
            .write_errors
            .iter()
            .flatten()
            .map(|error| error.code)
            .next()
            .or_else(|| many.write_concern_error.as_ref().map(|error| error.code)),
        _ => None,
    }
}

/// The number the server gave for an error that was classified.
pub(crate) fn code(error: &Error) -> Option<i32> {
    native_code(native(error)?)
}

fn native(error: &Error) -> Option<&Native> {
    std::error::Error::source(error)?.downcast_ref::<Native>()
}

/// A write that met a key another document has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DuplicateKey {
    /// What the server says of it; it names the index in all versions.
    pub(crate) message: String,
    /// The server's whole answer, which from MongoDB 4.4 on has `keyPattern` and `keyValue`.
    pub(crate) answer: Option<RawDocumentBuf>,
}

impl DuplicateKey {
    /// What the error says, if it is of this sort.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        let native = native(error)?;
        let message = match &*native.kind {
            NativeKind::Command(error) if error.code == DUPLICATE_KEY => &error.message,
            NativeKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE_KEY => {
                &error.message
            }
            NativeKind::InsertMany(many) => {
                let mut errors = many.write_errors.iter().flatten();
                &errors.find(|error| error.code == DUPLICATE_KEY)?.message
            }
            _ => return None,
        };
        Some(Self {
            message: message.clone(),
            answer: native.server_response().cloned(),
        })
    }
}

/// Whether a transaction failed only because of what went on beside it, so that the whole of it can be tried again.
pub(crate) fn is_transient(error: &Error) -> bool {
    native(error).is_some_and(|native| native.contains_label(TRANSIENT_TRANSACTION_ERROR))
}

/// Whether nobody knows if the transaction was committed, so that the commit can be sent again.
pub(crate) fn is_commit_unknown(error: &Error) -> bool {
    native(error).is_some_and(|native| native.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT))
}

/// Whether something was sent, or may have been, and its answer did not come.
pub(crate) fn is_lost(error: &Error) -> bool {
    match native(error) {
        Some(native) => matches!(*native.kind, NativeKind::Io(_)),
        None => error.kind() == ErrorKind::Timeout,
    }
}

/// The server did not answer within the time of an operation.
pub(crate) fn timed_out(kind: Kind) -> Error {
    let applied = match kind {
        Kind::Read => Applied::No,
        Kind::Write => Applied::Unknown,
    };
    Error::new(ErrorKind::Timeout, "the server did not answer in time")
        .with_applied(applied)
        .with_retry(Retry::Later)
}

type Description = (ErrorKind, Retry, Applied, &'static str);

fn describe(error: &Native) -> Description {
    use Applied::{No, Unknown};
    use Retry::{Later, Never};
    if error.contains_label(SYSTEM_OVERLOADED_ERROR) && error.contains_label(RETRYABLE_ERROR) {
        return (
            ErrorKind::RateLimited,
            Later,
            Unknown,
            "the server is overloaded; wait and try again",
        );
    }
    match &*error.kind {
        NativeKind::Command(error) => of_code(error.code),
        NativeKind::Write(WriteFailure::WriteError(error)) => of_code(error.code),
        NativeKind::Write(WriteFailure::WriteConcernError(error)) => of_write_concern(error.code),
        NativeKind::InsertMany(many) => match (
            many.write_errors.iter().flatten().next(),
            &many.write_concern_error,
        ) {
            // Others of the same call may have been applied.
            (Some(error), _) => {
                let (kind, retry, _, message) = of_code(error.code);
                (kind, retry, Unknown, message)
            }
            (None, Some(error)) => of_write_concern(error.code),
            (None, None) => unexpected(),
        },
        NativeKind::ServerSelection { .. } => (
            ErrorKind::Unavailable,
            Later,
            No,
            "no server that can take the operation was reached in time; check that it runs and that the address is right",
        ),
        NativeKind::ConnectionPoolCleared { .. } => (
            ErrorKind::Unavailable,
            Later,
            No,
            "the connections to the server were just given up; try again",
        ),
        NativeKind::Io(_) => (
            ErrorKind::Unavailable,
            Later,
            Unknown,
            "the connection to the server failed",
        ),
        NativeKind::DnsResolve { .. } => (
            ErrorKind::Unavailable,
            Later,
            No,
            "the name of the server could not be looked up",
        ),
        NativeKind::Authentication { .. } => unauthenticated(),
        NativeKind::InvalidArgument { .. } | NativeKind::InvalidTlsConfig { .. } => (
            ErrorKind::InvalidArgument,
            Never,
            No,
            "the driver refuses the operation or an option of the connection",
        ),
        NativeKind::IncompatibleServer { .. } | NativeKind::SessionsNotSupported => (
            ErrorKind::Unsupported,
            Never,
            No,
            "the server is not one the driver can do this with",
        ),
        NativeKind::Shutdown => (
            ErrorKind::Closed,
            Never,
            No,
            "the storage is closed; open it again",
        ),
        _ => unexpected(),
    }
}

const fn unauthenticated() -> Description {
    (
        ErrorKind::Unauthenticated,
        Retry::Never,
        Applied::No,
        "the server does not take these credentials; check user, password and authSource",
    )
}

const fn unexpected() -> Description {
    (
        ErrorKind::Internal,
        Retry::Never,
        Applied::Unknown,
        "the server or the driver gave an answer nobody expected",
    )
}

/// A write that the primary applied, and that too few others confirmed in time.
const fn of_write_concern(code: i32) -> Description {
    let (kind, message) = match code {
        // UnknownReplWriteConcern, UnsatisfiableWriteConcern
        79 | 100 => (
            ErrorKind::Unavailable,
            "the deployment has too few members for the write concern asked for",
        ),
        _ => (
            ErrorKind::Timeout,
            "the write was not confirmed by a majority in time",
        ),
    };
    (kind, Retry::Later, Applied::Unknown, message)
}

const fn of_code(code: i32) -> Description {
    use Applied::{No, Unknown};
    use Retry::{Later, Never};
    match code {
        // Unauthorized
        13 => (
            ErrorKind::PermissionDenied,
            Never,
            No,
            "the user may not do this in the database; it needs the role readWrite",
        ),
        // AuthenticationFailed, ReauthenticationRequired
        18 | 391 => unauthenticated(),
        // LockTimeout, LockBusy, WriteConflict, ConflictingOperationInProgress, PreparedTransactionInProgress
        24 | 46 | 112 | 117 | 267 => (
            ErrorKind::Conflict,
            Later,
            No,
            "another operation was in the way; try again",
        ),
        // CursorNotFound, QueryPlanKilled, TransactionTooOld, CursorKilled, SnapshotTooOld, SnapshotUnavailable, NoSuchTransaction
        43 | 175 | 225 | 237 | 239 | 246 | 251 => (
            ErrorKind::Conflict,
            Later,
            Unknown,
            "what the server kept for the operation is gone; try again",
        ),
        // MaxTimeMSExpired, NetworkInterfaceExceededTimeLimit, ExceededTimeLimit
        50 | 202 | 262 => (
            ErrorKind::Timeout,
            Later,
            Unknown,
            "the server did not finish in time",
        ),
        // WriteConcernTimeout
        64 => of_write_concern(code),
        // HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, FailedToSatisfyReadPreference,
        // ReadConcernMajorityNotAvailableYet, PrimarySteppedDown, SocketException, NotPrimaryOrSecondary, InterruptedAtShutdown,
        // InterruptedDueToReplStateChange, and the three of a server that is no primary. With these the driver may have sent the
        // write twice, and the first may have been applied; a server that knows better adds the label NoWritesPerformed.
        6 | 7 | 89 | 91 | 133 | 134 | 189 | 9001 | 10058 | 10107 | 11600 | 11602 | 13435 | 13436 => (
            ErrorKind::Unavailable,
            Later,
            Unknown,
            "the server cannot take the operation now; another becomes primary, or it shuts down",
        ),
        // BSONObjectTooLarge, and the two by which updates say it
        10334 | 17419 | 17420 => (
            ErrorKind::LimitExceeded,
            Never,
            No,
            "the document is larger than the server takes, which is 16 MiB as stored",
        ),
        // OutOfDiskSpace
        14031 => (
            ErrorKind::NoSpace,
            Never,
            No,
            "the server's disk is full; make room",
        ),
        // IngressRequestRateLimitExceeded
        462 => (
            ErrorKind::RateLimited,
            Later,
            No,
            "the server asks for fewer requests; wait and try again",
        ),
        // CommandNotFound, CommandNotSupported, CommandNotSupportedOnView, NotImplemented
        59 | 115 | 166 | 238 => (ErrorKind::Unsupported, Never, No, "the server cannot do this"),
        // InvalidNamespace
        73 => (
            ErrorKind::InvalidName,
            Never,
            No,
            "the server does not take the name of the collection",
        ),
        // DocumentValidationFailure
        121 => (
            ErrorKind::InvalidArgument,
            Never,
            No,
            "a validation rule of the collection refuses the document",
        ),
        // Of these every caller that can meet one knows the sense; whoever did not expect one has met a defect. They change nothing.
        DUPLICATE_KEY
        | NAMESPACE_EXISTS
        | NAMESPACE_NOT_FOUND
        | INDEX_NOT_FOUND
        | INDEX_OPTIONS_CONFLICT
        | INDEX_KEY_SPECS_CONFLICT
        | BAD_VALUE => (
            ErrorKind::Internal,
            Never,
            No,
            "the server refuses what should never have been sent",
        ),
        _ => unexpected(),
    }
}

#[cfg(test)]
mod tests;
