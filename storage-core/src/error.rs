//! The one error type of every crate in this workspace.

use std::borrow::Cow;
use std::fmt;

use crate::version::Version;

/// What every fallible operation returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, where, and whether anything may have been written.
///
/// `Display` is one line that completes the sentence "failed to …" and leaves out the [source](std::error::Error::source),
/// so a caller prints `failed to {error}` and walks the chain for the rest. Neither `Display` nor `Debug` shows a secret: adapters
/// redact addresses and keys before they put them here.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    applied: Applied,
    retry: Retry,
    operation: Cow<'static, str>,
    backend: Cow<'static, str>,
    key: Option<String>,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    source: Option<Source>,
}

/// The coarse class of an [`Error`]: what a caller branches on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A create-only write met something that is there. Read it, or write unconditionally.
    AlreadyExists,
    /// The storage was closed. Open it again.
    Closed,
    /// Two writers met and neither condition decides between them. Try the whole operation again.
    Conflict,
    /// Stored data cannot be read as what it must be. Nothing was changed; look at the named entry.
    Corrupt,
    /// Data on the medium was written by a newer version of this library. Upgrade the program; nothing was changed.
    FormatTooNew,
    /// No index answers the query. Create the one the message names, or allow a scan.
    IndexRequired,
    /// A defect of this library or an answer of the medium that nobody expected. Report it.
    Internal,
    /// An argument cannot be what was given. Correct the call.
    InvalidArgument,
    /// A key, id or name cannot be what was given. Correct the name.
    InvalidName,
    /// The medium failed (input/output). Check the disk or the service; look at [`Error::applied`].
    Io,
    /// The lease is no longer held, so the guarded work was refused. Stop, or acquire it again.
    LeaseLost,
    /// A declared limit was exceeded. The message says which, how much is allowed and how much was given.
    LimitExceeded,
    /// The log is closed and takes no more entries. Delete it to begin anew.
    LogClosed,
    /// The medium is full, or a quota is. Make room; nothing was changed.
    NoSpace,
    /// Something that has to be there is not. Missing objects and documents are `None`, never this.
    NotFound,
    /// A conditional read met the version the caller already has. Keep that one.
    NotModified,
    /// The medium refuses this identity. Check permissions.
    PermissionDenied,
    /// The version the caller named is not the current one. Read again and decide anew.
    PreconditionFailed,
    /// The service asks for fewer requests. Wait and try again.
    RateLimited,
    /// The deadline passed. Look at [`Error::applied`] before trying again.
    Timeout,
    /// The service does not know this identity. Check the credentials.
    Unauthenticated,
    /// The service cannot be reached now. Try later.
    Unavailable,
    /// Another document already has this value in a unique index. Choose another value.
    UniqueViolation,
    /// The backend does not have this capability; its declaration says so. Choose another backend or another way.
    Unsupported,
}

/// Whether a failed write may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Applied {
    /// It did not happen, and will not.
    No,
    /// It may have happened, or may still happen. Read before repeating anything that is not idempotent.
    Unknown,
}

/// Whether the same call can succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// The same call may succeed after a pause.
    Later,
    /// It was already repeated as often as the options allow.
    Exhausted,
}

impl Error {
    /// An error of the given kind. `message` says what is wrong and what to do, in lower case, without a full stop.
    ///
    /// It starts as not applied and never worth a retry; operation, backend and key are stamped by whoever knows them.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            applied: Applied::No,
            retry: Retry::Never,
            operation: Cow::Borrowed(""),
            backend: Cow::Borrowed(""),
            key: None,
            message: message.into(),
            context: Vec::new(),
            source: None,
        }))
    }

    /// [`ErrorKind::Unsupported`]: `what` names the capability that is missing.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Unsupported,
            format!("{what} is not supported by this backend"),
        )
    }

    /// [`ErrorKind::InvalidArgument`].
    pub fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// [`ErrorKind::Corrupt`]: `entry` names what cannot be read.
    pub fn corrupt(entry: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt, message).with_key(entry)
    }

    /// [`ErrorKind::LimitExceeded`]: `what` names the limit, `limit` is the most that is allowed, `got` what was given.
    pub fn limit_exceeded(what: &'static str, limit: u64, got: u64) -> Self {
        Self::new(
            ErrorKind::LimitExceeded,
            format!("{what} is {got}, the limit is {limit}"),
        )
        .with_context("limit", limit.to_string())
        .with_context("got", got.to_string())
    }

    /// [`ErrorKind::AlreadyExists`]: a create-only write met something.
    pub fn already_exists() -> Self {
        Self::new(ErrorKind::AlreadyExists, "it already exists")
    }

    /// [`ErrorKind::PreconditionFailed`]: another version than asked for is there, or nothing.
    pub fn precondition_failed(current: Option<&Version>) -> Self {
        match current {
            Some(version) => Self::new(
                ErrorKind::PreconditionFailed,
                "it was changed since: another version is there now",
            )
            .with_context("current", version.to_string()),
            None => Self::new(
                ErrorKind::PreconditionFailed,
                "the version asked for is gone: nothing is there now",
            ),
        }
    }

    /// [`ErrorKind::UniqueViolation`]: `holder` is the document that already has the key in this index.
    pub fn unique_violation(index: impl Into<String>, holder: impl Into<String>) -> Self {
        let (index, holder) = (index.into(), holder.into());
        Self::new(
            ErrorKind::UniqueViolation,
            format!("document {holder:?} already has this value in the unique index {index:?}"),
        )
        .with_context("index", index)
        .with_context("holder", holder)
    }

    /// [`ErrorKind::PreconditionFailed`] of a log whose next sequence number is not the one expected.
    pub fn log_moved(expected: u64, end: u64) -> Self {
        Self::new(
            ErrorKind::PreconditionFailed,
            format!("the log's next sequence number is {end}, not {expected}, and other entries stand there"),
        )
        .with_context("expected", expected.to_string())
        .with_context("end", end.to_string())
    }

    /// [`ErrorKind::NotModified`]: the version the caller has is the current one.
    pub fn not_modified() -> Self {
        Self::new(ErrorKind::NotModified, "it was not changed since that version")
    }

    /// [`ErrorKind::PreconditionFailed`] of a guard, told apart from the write's own condition by [`Error::is_guard_failed`].
    pub fn guard_failed(guard: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::PreconditionFailed,
            "what the write is guarded by was changed since",
        )
        .with_context("guard", guard)
    }

    /// Whether it was the guard, not the write's own condition, that did not hold.
    pub fn is_guard_failed(&self) -> bool {
        self.kind() == ErrorKind::PreconditionFailed && self.context_value("guard").is_some()
    }

    /// The coarse class.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the failed write may have happened.
    pub fn applied(&self) -> Applied {
        self.0.applied
    }

    /// Whether the same call can succeed later.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What was being done, such as `write object`; empty where nobody said.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The backend that was asked, such as `fs`; empty where nobody said.
    pub fn backend(&self) -> &str {
        &self.0.backend
    }

    /// The key, id or name concerned.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// What is wrong and what to do, without operation, backend and key.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Further facts by name, such as `limit` and `got`, in the order they were added.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// One further fact by name.
    pub fn context_value(&self, name: &str) -> Option<&str> {
        self.context()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Says whether the write may have happened.
    #[must_use]
    pub fn with_applied(mut self, applied: Applied) -> Self {
        self.0.applied = applied;
        self
    }

    /// Says whether a retry makes sense.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Names the operation, unless somebody nearer to the cause already did.
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation.into();
        }
        self
    }

    /// Names the backend, unless somebody nearer to the cause already did.
    #[must_use]
    pub fn with_backend(mut self, backend: impl Into<Cow<'static, str>>) -> Self {
        if self.0.backend.is_empty() {
            self.0.backend = backend.into();
        }
        self
    }

    /// Names the key, id or name concerned, unless somebody nearer to the cause already did.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        if self.0.key.is_none() {
            self.0.key = Some(key.into());
        }
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((name, value.into()));
        self
    }

    /// Keeps the native error as [`source`](std::error::Error::source).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.write_str(if inner.operation.is_empty() {
            "use storage"
        } else {
            &inner.operation
        })?;
        if let Some(key) = &inner.key {
            write!(f, " {key:?}")?;
        }
        if !inner.backend.is_empty() {
            write!(f, " on {}", inner.backend)?;
        }
        write!(f, ": {}", inner.message)?;
        if inner.applied == Applied::Unknown {
            f.write_str(" (it may or may not have been applied)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("applied", &inner.applied)
            .field("retry", &inner.retry)
            .field("operation", &inner.operation)
            .field("backend", &inner.backend)
            .field("key", &inner.key)
            .field("message", &inner.message)
            .field("context", &inner.context)
            .field("source", &inner.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_completes_failed_to_and_hides_the_source() {
        let error = Error::new(ErrorKind::NoSpace, "the disk is full")
            .with_operation("write object")
            .with_backend("fs")
            .with_key("notes/a.txt")
            .with_source(std::io::Error::other("os error 28"));
        assert_eq!(
            error.to_string(),
            "write object \"notes/a.txt\" on fs: the disk is full"
        );
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            "os error 28"
        );
    }

    #[test]
    fn the_first_to_name_a_thing_wins() {
        let error = Error::invalid_argument("x")
            .with_key("inner")
            .with_key("outer")
            .with_operation("a")
            .with_operation("b");
        assert_eq!((error.key(), error.operation()), (Some("inner"), "a"));
    }
}
