//! A request, read: bucket, key, query, body.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request};
use percent_encoding::percent_decode_str;

use super::answer::Refusal;

/// A request whose body has arrived.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) method: Method,
    pub(super) bucket: String,
    /// Empty for the bucket itself.
    pub(super) key: String,
    query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Read {
    /// Reads a request to its end.
    pub(super) async fn of(request: Request<Incoming>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|_| Refusal::INVALID_ARGUMENT)?
            .to_bytes();
        let (bucket, key) = split(parts.uri.path().trim_start_matches('/'))?;
        let query = parts.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self {
            method: parts.method,
            bucket,
            key,
            query,
            headers: parts.headers,
            body,
        })
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Refuses parameters other than these and those of signatures: what is not understood is not done.
    pub(super) fn only(&self, known: &[&str], signature_prefix: &str) -> Result<(), Refusal> {
        let understood = |name: &str| {
            known.contains(&name) || name.to_ascii_lowercase().starts_with(signature_prefix) || name == "x-id"
        };
        match self.query.iter().all(|(name, _)| understood(name)) {
            true => Ok(()),
            false => Err(Refusal::NOT_IMPLEMENTED),
        }
    }
}

/// Bucket and key of `bucket/key`, each percent-decoded: a slash within an encoded key is no separator.
pub(super) fn split(path: &str) -> Result<(String, String), Refusal> {
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decode = |part| {
        percent_decode_str(part)
            .decode_utf8()
            .map(Into::into)
            .map_err(|_| Refusal::INVALID_ARGUMENT)
    };
    Ok((decode(bucket)?, decode(key)?))
}
