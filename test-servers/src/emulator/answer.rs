//! Answers: statuses, XML and refusals.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// What is sent.
pub(super) type Answer = Response<Full<Bytes>>;

/// A request that is not done: status, code and sentence, as both vendors name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl Refusal {
    pub(super) const NO_SUCH_BUCKET: Self = Self::new(
        StatusCode::NOT_FOUND,
        "NoSuchBucket",
        "The specified bucket does not exist.",
    );
    pub(super) const NO_SUCH_KEY: Self = Self::new(
        StatusCode::NOT_FOUND,
        "NoSuchKey",
        "The specified key does not exist.",
    );
    pub(super) const NO_SUCH_UPLOAD: Self = Self::new(
        StatusCode::NOT_FOUND,
        "NoSuchUpload",
        "The specified upload does not exist.",
    );
    pub(super) const PRECONDITION_FAILED: Self = Self::new(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "A precondition did not hold.",
    );
    pub(super) const NOT_MODIFIED: Self = Self::new(
        StatusCode::NOT_MODIFIED,
        "NotModified",
        "The object has not changed.",
    );
    pub(super) const INVALID_RANGE: Self = Self::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "InvalidRange",
        "The range cannot be satisfied.",
    );
    pub(super) const INVALID_ARGUMENT: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "InvalidArgument",
        "An argument has a value that cannot be.",
    );
    pub(super) const INVALID_COPY: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "InvalidRequest",
        "An object is copied onto itself only with new metadata.",
    );
    pub(super) const INVALID_PART: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "InvalidPart",
        "A part is not there or has another tag.",
    );
    pub(super) const INVALID_PART_ORDER: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "InvalidPartOrder",
        "The parts are not in ascending order.",
    );
    pub(super) const ENTITY_TOO_SMALL: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "EntityTooSmall",
        "A part but the last is under 5 MiB.",
    );
    pub(super) const KEY_TOO_LONG: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "KeyTooLongError",
        "The key is longer than 1,024 bytes.",
    );
    pub(super) const MALFORMED: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "MalformedXML",
        "The body is not the XML expected.",
    );
    pub(super) const NOT_IMPLEMENTED: Self = Self::new(
        StatusCode::NOT_IMPLEMENTED,
        "NotImplemented",
        "This emulation does not do that.",
    );

    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
        }
    }

    /// The answer that says so.
    pub(super) fn answer(self) -> Answer {
        let body = format!(
            "<Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code,
            text(self.message)
        );
        let body = if self.status == StatusCode::NOT_MODIFIED {
            String::new()
        } else {
            body
        };
        with(
            self.status,
            xml_body(&body),
            [(CONTENT_TYPE, HeaderValue::from_static("application/xml"))],
        )
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    with(status, Bytes::new(), [])
}

/// An XML document.
pub(super) fn xml(body: &str) -> Answer {
    with(
        StatusCode::OK,
        xml_body(body),
        [(CONTENT_TYPE, HeaderValue::from_static("application/xml"))],
    )
}

/// An answer of these parts.
pub(super) fn with(
    status: StatusCode,
    body: Bytes,
    headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().extend(headers);
    answer
}

fn xml_body(body: &str) -> Bytes {
    if body.is_empty() {
        return Bytes::new();
    }
    Bytes::from(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}

/// Text for XML, control characters by their numbers: a parser would take them for white space or refuse them.
pub(super) fn text(plain: &str) -> String {
    use std::fmt::Write as _;

    quick_xml::escape::escape(plain)
        .chars()
        .fold(String::new(), |mut text, character| {
            if character.is_control() {
                let _ = write!(text, "&#{};", u32::from(character));
            } else {
                text.push(character);
            }
            text
        })
}
