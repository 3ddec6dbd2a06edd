//! [`Failure`]: why a command ended early, and how a person is told.

use std::error::Error as _;
use std::io;

use storage_core::{Applied, Error, ErrorKind};

use crate::exit::Exit;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The storage said no.
    Storage(Error),
    /// Something on this machine did: what was done, and why it failed.
    Local(String, io::Error),
    /// What was asked for is not there.
    NotFound(String),
    /// The arguments make no sense together.
    Usage(String),
    /// The command did its work, and the answer is no: everything was said already.
    Negative,
    /// A fact found to be wrong, such as a hash that does not match.
    Wrong(String),
    /// Whoever reads the output has gone.
    ReaderGone,
}

impl Failure {
    /// For `map_err`: what was being done.
    pub(crate) fn local(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Local(what, error)
    }

    /// Tells a person on standard error, and gives what the process ends with.
    pub(crate) fn report(self) -> Exit {
        match self {
            Self::Storage(error) => {
                say(&format!("failed to {error}"));
                let mut source = error.source();
                while let Some(cause) = source {
                    eprintln!("  because: {cause}");
                    source = cause.source();
                }
                for (name, value) in error.context() {
                    eprintln!("  {name}: {value}");
                }
                if let Some(advice) = advice(&error) {
                    eprintln!("  what to do: {advice}");
                }
                Exit::of(&error)
            }
            Self::Local(what, error) => {
                say(&format!("failed to {what}: {error}"));
                if error.kind() == io::ErrorKind::NotFound {
                    Exit::NotFound
                } else {
                    Exit::Failed
                }
            }
            Self::NotFound(what) => {
                say(&format!("there is no {what}"));
                Exit::NotFound
            }
            Self::Usage(message) => {
                say(&message);
                Exit::Usage
            }
            Self::Negative => Exit::Failed,
            Self::Wrong(message) => {
                say(&message);
                Exit::Failed
            }
            Self::ReaderGone => Exit::Done,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Storage(error)
    }
}

fn say(message: &str) {
    eprintln!("storage: {message}");
}

/// What to do, where the message does not say it already.
fn advice(error: &Error) -> Option<&'static str> {
    if error.applied() == Applied::Unknown {
        return Some("read what is there now before you repeat it");
    }
    match error.kind() {
        ErrorKind::AlreadyExists => Some("read it, or write without --if-absent"),
        ErrorKind::Conflict | ErrorKind::RateLimited | ErrorKind::Timeout | ErrorKind::Unavailable => {
            Some("try again later")
        }
        ErrorKind::Corrupt => Some("nothing was changed; look at the entry named above"),
        ErrorKind::FormatTooNew => Some("use a newer version of this program; nothing was changed"),
        ErrorKind::IndexRequired => {
            Some("create it with `storage doc index ensure`, or accept a scan with --allow-scan")
        }
        ErrorKind::PreconditionFailed => Some("read it again and decide anew"),
        ErrorKind::Unsupported if error.context_value("capability").is_some() => {
            Some("`storage backends` shows which backend can")
        }
        _ => None,
    }
}
