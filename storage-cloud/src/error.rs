//! From what a vendor's client and the server say to what a caller can act on.

use object_store::client::{HttpError, HttpErrorKind};
use storage_core::{Applied, Error, ErrorKind, Retry};

use crate::wire::Reply;

/// What a failed call means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) kind: ErrorKind,
    pub(crate) retry: Retry,
    pub(crate) message: &'static str,
    /// Whether a request that changes something may have done so all the same.
    pub(crate) in_doubt: bool,
}

impl Class {
    const fn definite(kind: ErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            retry: Retry::Never,
            message,
            in_doubt: false,
        }
    }

    const fn later(kind: ErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            retry: Retry::Later,
            message,
            in_doubt: false,
        }
    }

    const fn doubtful(kind: ErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            retry: Retry::Later,
            message,
            in_doubt: true,
        }
    }
}

/// The one place where an answer, or the lack of one, gets its kind.
pub(crate) fn classify(error: &object_store::Error, reply: &Reply) -> Class {
    use ErrorKind as Kind;
    match error {
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            return Class::definite(Kind::Unsupported, "the vendor's interface has no such operation");
        }
        object_store::Error::InvalidPath { .. } => {
            return Class::definite(Kind::InvalidName, "the name cannot be sent to the server");
        }
        _ => {}
    }
    // A body that breaks off does so after the answer was noted.
    let transport = reply.transport.or_else(|| Some(http_error(error)?.kind()));
    if let Some(transport) = transport {
        return match transport {
            HttpErrorKind::Connect => Class::later(
                Kind::Unavailable,
                "the server cannot be reached; check the address and the network",
            ),
            HttpErrorKind::Timeout => Class::doubtful(Kind::Timeout, "the server did not answer in time"),
            _ => Class::doubtful(
                Kind::Unavailable,
                "the connection broke before the answer was complete",
            ),
        };
    }
    let Some(status) = reply.status else {
        return if reply.sent {
            Class::doubtful(Kind::Io, "the request failed on the way")
        } else {
            Class::definite(
                Kind::Unauthenticated,
                "no request could be made: there are no credentials to sign it with; set them, or open it as anonymous",
            )
        };
    };
    answered(status, reply.code.as_deref().unwrap_or_default())
}

fn answered(status: u16, code: &str) -> Class {
    use ErrorKind as Kind;
    match code {
        "NoSuchBucket" | "ContainerNotFound" => {
            return Class::definite(
                Kind::NotFound,
                "there is no such bucket; create it, or correct its name",
            );
        }
        "RequestTimeTooSkewed" => {
            return Class::definite(
                Kind::Unauthenticated,
                "the clock of this machine is wrong; set it",
            );
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" => {
            return Class::definite(
                Kind::Unauthenticated,
                "the server does not accept the credentials; check the key and that it has not expired",
            );
        }
        "EntityTooLarge" | "RequestBodyTooLarge" => {
            return Class::definite(
                Kind::LimitExceeded,
                "the server takes no object or request as large as this",
            );
        }
        "KeyTooLongError" => {
            return Class::definite(Kind::LimitExceeded, "the server takes no name as long as this");
        }
        "RequestTimeout" => {
            return Class::doubtful(Kind::Timeout, "the server waited for the request and gave up");
        }
        _ => {}
    }
    match status {
        401 => Class::definite(
            Kind::Unauthenticated,
            "the server does not know this identity; check the credentials",
        ),
        403 => Class::definite(
            Kind::PermissionDenied,
            "the server refuses this identity; check its permissions",
        ),
        404 => Class::definite(Kind::NotFound, "something that has to be there is not"),
        408 => Class::doubtful(Kind::Timeout, "the server waited for the request and gave up"),
        409 => Class::later(
            Kind::Conflict,
            "the server met another request on the same object; try again",
        ),
        412 => Class::definite(Kind::PreconditionFailed, "the condition does not hold"),
        413 => Class::definite(
            Kind::LimitExceeded,
            "the server takes no request as large as this",
        ),
        414 => Class::definite(Kind::LimitExceeded, "the server takes no name as long as this"),
        // It should mean that nothing was done; a gateway that answers for a server does not know.
        429 => Class::doubtful(Kind::RateLimited, "the server asks for fewer requests"),
        400..500 => Class::definite(Kind::Internal, "the server refuses the request as it was made"),
        501 => Class::definite(Kind::Unsupported, "the server does not have this operation"),
        503 => Class::doubtful(Kind::RateLimited, "the server is overloaded or restarting"),
        507 => Class::definite(Kind::NoSpace, "the server is full; make room"),
        500.. => Class::doubtful(Kind::Unavailable, "the server failed inside"),
        // An answer that says it succeeded and then does not read like one.
        _ => Class::doubtful(Kind::Io, "the server's answer cannot be read"),
    }
}

/// An error of a call that only reads.
pub(crate) fn failed(error: &object_store::Error, reply: &Reply) -> Error {
    describe(classify(error, reply), error, reply)
}

/// An error of a call that changes something.
pub(crate) fn write_failed(error: &object_store::Error, reply: &Reply) -> Error {
    let class = classify(error, reply);
    let in_doubt = class.in_doubt && reply.sent;
    let described = describe(class, error, reply);
    if in_doubt {
        // A blind retry would be a second write.
        described.with_applied(Applied::Unknown).with_retry(Retry::Never)
    } else {
        described
    }
}

/// The vendor's error is not kept: it quotes answers, which may quote what was signed and with which key.
fn describe(class: Class, error: &object_store::Error, reply: &Reply) -> Error {
    let mut described = Error::new(class.kind, class.message).with_retry(class.retry);
    if let Some(status) = reply.status {
        described = described.with_context("status", status.to_string());
    }
    if let Some(code) = &reply.code {
        described = described.with_context("code", code.clone());
    }
    match transport_error(error) {
        Some(cause) => described.with_source(cause),
        None if reply.status.is_none() && !reply.sent => described.with_source(error.to_string()),
        None => described,
    }
}

fn http_error(error: &object_store::Error) -> Option<&HttpError> {
    let mut cause = std::error::Error::source(error);
    let mut found = None;
    while let Some(error) = cause {
        found = error.downcast_ref::<HttpError>().or(found);
        cause = error.source();
    }
    found
}

/// What went wrong on the way, in the words of the network: addresses and errno, no query.
fn transport_error(error: &object_store::Error) -> Option<String> {
    let mut text = Vec::new();
    let mut cause = std::error::Error::source(http_error(error)?);
    while let Some(error) = cause {
        text.push(error.to_string());
        cause = error.source();
    }
    text.dedup();
    Some(text.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic() -> object_store::Error {
        object_store::Error::Generic {
            store: "test",
            source: "secret".into(),
        }
    }

    fn answer(status: u16, code: &str) -> Reply {
        Reply {
            sent: true,
            status: Some(status),
            code: (!code.is_empty()).then(|| code.to_owned()),
            ..Reply::default()
        }
    }

    #[test]
    fn every_answer_has_its_kind() {
        use ErrorKind as Kind;
        let table = [
            (400, "", Kind::Internal, false),
            (400, "EntityTooLarge", Kind::LimitExceeded, false),
            (400, "RequestTimeout", Kind::Timeout, true),
            (401, "", Kind::Unauthenticated, false),
            (403, "", Kind::PermissionDenied, false),
            (403, "InvalidAccessKeyId", Kind::Unauthenticated, false),
            (403, "SignatureDoesNotMatch", Kind::Unauthenticated, false),
            (404, "", Kind::NotFound, false),
            (404, "NoSuchBucket", Kind::NotFound, false),
            (408, "", Kind::Timeout, true),
            (409, "", Kind::Conflict, false),
            (412, "", Kind::PreconditionFailed, false),
            (413, "", Kind::LimitExceeded, false),
            (429, "", Kind::RateLimited, true),
            (500, "InternalError", Kind::Unavailable, true),
            (501, "NotImplemented", Kind::Unsupported, false),
            (502, "", Kind::Unavailable, true),
            (503, "SlowDown", Kind::RateLimited, true),
            (504, "", Kind::Unavailable, true),
            (507, "", Kind::NoSpace, false),
            (200, "InternalError", Kind::Io, true),
        ];
        for (status, code, kind, in_doubt) in table {
            let error = write_failed(&generic(), &answer(status, code));
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert_eq!(error.applied() == Applied::Unknown, in_doubt, "{status} {code}");
            assert!(!format!("{error:?}").contains("secret"), "{status} {code}");
            assert_eq!(failed(&generic(), &answer(status, code)).applied(), Applied::No);
        }
    }

    #[test]
    fn what_was_not_sent_did_not_happen() {
        let broken = |transport, sent| Reply {
            sent,
            transport: Some(transport),
            ..Reply::default()
        };
        for (reply, kind, applied) in [
            (
                broken(HttpErrorKind::Connect, false),
                ErrorKind::Unavailable,
                Applied::No,
            ),
            (
                broken(HttpErrorKind::Timeout, true),
                ErrorKind::Timeout,
                Applied::Unknown,
            ),
            (
                broken(HttpErrorKind::Request, true),
                ErrorKind::Unavailable,
                Applied::Unknown,
            ),
            (
                broken(HttpErrorKind::Unknown, true),
                ErrorKind::Unavailable,
                Applied::Unknown,
            ),
            (Reply::default(), ErrorKind::Unauthenticated, Applied::No),
        ] {
            let error = write_failed(&generic(), &reply);
            assert_eq!((error.kind(), error.applied()), (kind, applied), "{reply:?}");
        }
    }

    #[test]
    fn what_may_have_happened_is_never_worth_a_blind_retry() {
        for status in 100..600 {
            let error = write_failed(&generic(), &answer(status, ""));
            assert!(
                error.applied() == Applied::No || error.retry() == Retry::Never,
                "{status}"
            );
        }
    }
}
