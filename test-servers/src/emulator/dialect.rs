//! Where the two dialects differ.

use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED,
};

use super::S3Mode;
use super::answer::Refusal;
use super::objects::{Condition, Headers, Object};

/// The longest key in bytes, at both vendors.
const MAX_KEY_BYTES: usize = 1024;

/// Whose XML is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    S3(S3Mode),
    Gcs,
}

impl Dialect {
    /// What the server calls itself.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::S3(S3Mode::Honest) => "in-repo S3 emulation",
            Self::S3(S3Mode::IgnoresConditions) => "in-repo S3 emulation that ignores conditions",
            Self::S3(S3Mode::Races) => "in-repo S3 emulation that races",
            Self::Gcs => "in-repo GCS emulation",
        }
    }

    /// How the conditions of writes are treated.
    pub(super) const fn care(self) -> S3Mode {
        match self {
            Self::S3(mode) => mode,
            Self::Gcs => S3Mode::Honest,
        }
    }

    /// What the headers of the user's own metadata begin with.
    pub(super) const fn metadata_prefix(self) -> &'static str {
        match self {
            Self::S3(_) => "x-amz-meta-",
            Self::Gcs => "x-goog-meta-",
        }
    }

    /// The header that names the object a copy is made of, as `bucket/key`.
    pub(super) const fn copy_source(self) -> &'static str {
        match self {
            Self::S3(_) => "x-amz-copy-source",
            Self::Gcs => "x-goog-copy-source",
        }
    }

    /// The header that says whether a copy has new metadata (`REPLACE`).
    pub(super) const fn metadata_directive(self) -> &'static str {
        match self {
            Self::S3(_) => "x-amz-metadata-directive",
            Self::Gcs => "x-goog-metadata-directive",
        }
    }

    /// What parameters of a query that belong to a signature begin with, in lower case.
    pub(super) const fn signature_prefix(self) -> &'static str {
        match self {
            Self::S3(_) => "x-amz-",
            Self::Gcs => "x-goog-",
        }
    }

    /// Refuses a key the vendor refuses.
    pub(super) fn check_key(self, key: &str) -> Result<(), Refusal> {
        if key.len() > MAX_KEY_BYTES {
            return Err(Refusal::KEY_TOO_LONG);
        }
        // https://cloud.google.com/storage/docs/objects#naming
        if self == Self::Gcs && (key.contains(['\r', '\n']) || matches!(key, "." | "..")) {
            return Err(Refusal::INVALID_ARGUMENT);
        }
        Ok(())
    }

    /// The condition of a write.
    pub(super) fn condition(self, headers: &HeaderMap) -> Result<Condition, Refusal> {
        match self {
            Self::S3(_) => {
                let absent = match header(headers, IF_NONE_MATCH.as_str())? {
                    None => false,
                    Some("*") => true,
                    // S3 knows no other value (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html).
                    Some(_) => return Err(Refusal::NOT_IMPLEMENTED),
                };
                let etag = header(headers, IF_MATCH.as_str())?.map(str::to_owned);
                Ok(Condition {
                    absent,
                    etag,
                    generation: None,
                })
            }
            Self::Gcs => {
                let generation = header(headers, "x-goog-if-generation-match")?
                    .map(|number| number.parse().map_err(|_| Refusal::INVALID_ARGUMENT))
                    .transpose()?;
                Ok(Condition {
                    generation,
                    ..Condition::default()
                })
            }
        }
    }

    /// The headers of a request that are kept with its object.
    pub(super) fn kept(self, headers: &HeaderMap) -> Headers {
        const KEPT: [HeaderName; 5] = [
            CACHE_CONTROL,
            CONTENT_DISPOSITION,
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_TYPE,
        ];
        headers
            .iter()
            .filter(|(name, _)| KEPT.contains(name) || name.as_str().starts_with(self.metadata_prefix()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The headers that tell an object's state.
    pub(super) fn state(self, object: &Object) -> Headers {
        let modified = object.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut headers: Headers = [(ETAG, object.etag.clone()), (LAST_MODIFIED, modified)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
            .collect();
        if self == Self::Gcs {
            headers.push((
                HeaderName::from_static("x-goog-generation"),
                HeaderValue::from(object.generation),
            ));
        }
        headers
    }
}

/// A header's text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    headers
        .get(name)
        .map(|value| value.to_str().map_err(|_| Refusal::INVALID_ARGUMENT))
        .transpose()
}
