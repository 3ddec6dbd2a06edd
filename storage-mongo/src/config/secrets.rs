//! What of a connection string may be shown.

use mongodb::error::ErrorKind as Native;
use storage_core::{Error, ErrorKind, Retry};

/// What the driver says of the connection string, unless it would tell what is secret in it.
pub(super) fn refused(uri: &str, error: &mongodb::error::Error) -> Error {
    let (kind, retry, what) = match &*error.kind {
        Native::DnsResolve { .. } | Native::Io(_) => (
            ErrorKind::Unavailable,
            Retry::Later,
            "the hosts of the connection string could not be looked up",
        ),
        _ => (
            ErrorKind::InvalidArgument,
            Retry::Never,
            "the connection string cannot be used",
        ),
    };
    let said = match &*error.kind {
        Native::InvalidArgument { message, .. } | Native::DnsResolve { message, .. } => message.clone(),
        _ => String::new(),
    };
    let tells = secrets(uri).any(|secret| said.contains(secret));
    let message = if said.is_empty() || tells {
        what.to_owned()
    } else {
        format!("{what}: {said}")
    };
    Error::new(kind, message).with_retry(retry)
}

/// The parts of a connection string that nobody else may see: what stands before the host, its parts, and the options.
fn secrets(uri: &str) -> impl Iterator<Item = &str> {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let credentials = rest.rsplit_once('@').map_or("", |(credentials, _)| credentials);
    let values = options
        .split('&')
        .map(|option| option.split_once('=').map_or(option, |(_, value)| value));
    // A secret of a letter or two stands in every message by chance; the driver does not quote such a thing alone.
    std::iter::once(credentials)
        .chain(credentials.split(':'))
        .chain(values)
        .filter(|secret| secret.len() > 2)
}

/// The connection string without user, password and options.
pub(super) fn redacted(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://***@{place}"),
        None => format!("{scheme}://{rest}"),
    }
}
