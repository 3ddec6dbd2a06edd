//! Versions: a generation on Google, the `ETag` elsewhere.

use object_store::{ObjectMeta as Found, UpdateVersion};
use storage_core::{Error, ErrorKind, ObjectMeta, Result, Timestamp, Version};

use crate::client::Dialect;

impl Dialect {
    /// The version that an answer tells.
    ///
    /// # Errors
    /// `Internal` where it tells none: nothing could be swapped on it.
    pub(crate) fn version(&self, e_tag: Option<&str>, generation: Option<&str>) -> Result<Version> {
        let token = if self.generations {
            generation.map(str::to_owned)
        } else {
            e_tag.map(quoted)
        };
        token.and_then(|token| token.parse().ok()).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "the server tells no version of what it keeps",
            )
        })
    }

    /// Facts about an object as the vendor's client gives them.
    pub(crate) fn meta(&self, found: &Found) -> Result<ObjectMeta> {
        Ok(ObjectMeta {
            size: found.size,
            version: self.version(found.e_tag.as_deref(), found.version.as_deref())?,
            modified: Some(Timestamp::from_millis(found.last_modified.timestamp_millis())),
        })
    }

    /// What a write on this version asks for; `None` for a version that no object here can have.
    pub(crate) fn update(&self, version: &Version) -> Option<UpdateVersion> {
        let token = self.token(version)?;
        Some(if self.generations {
            UpdateVersion {
                e_tag: None,
                version: Some(token),
            }
        } else {
            UpdateVersion {
                e_tag: Some(token),
                version: None,
            }
        })
    }

    /// The vendor's token, if this can be one.
    pub(crate) fn token(&self, version: &Version) -> Option<String> {
        let token = version.to_string();
        let native = if self.generations {
            // Generation 0 would ask for nothing to be there.
            token.bytes().all(|byte| byte.is_ascii_digit())
                && token.parse::<u64>().is_ok_and(|number| number > 0)
        } else {
            // `*` and lists of tags, which mean something else in a header, have no quotes around them or more of them.
            token.len() > 2 && token == quoted(&token) && token.matches('"').count() == 2
        };
        (version.as_u128().is_none() && native).then_some(token)
    }
}

/// With quotes, as headers have it. Azure's listings leave them out.
fn quoted(e_tag: &str) -> String {
    format!(
        "\"{}\"",
        e_tag.strip_prefix("W/").unwrap_or(e_tag).trim_matches('"')
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage_core::Versions;

    use super::*;

    fn dialect(generations: bool) -> Dialect {
        Dialect {
            backend: "test",
            at_home: false,
            place: String::new(),
            versions: Versions::Unique,
            generations,
            careful_names: false,
            suffix_ranges: true,
            server_copy: true,
            copies_onto_itself: true,
            presigns: false,
            max_presign: Duration::ZERO,
            bulk_delete: None,
        }
    }

    #[test]
    fn an_etag_is_the_same_with_and_without_quotes() {
        let dialect = dialect(false);
        let of = |e_tag| dialect.version(Some(e_tag), None).unwrap();
        assert_eq!(of("0x8DE"), of("\"0x8DE\""));
        assert_eq!(of("W/\"a\""), of("a"));
        assert_eq!(dialect.token(&of("a")).as_deref(), Some("\"a\""));
        assert!(dialect.version(None, Some("7")).is_err());
    }

    #[test]
    fn nothing_that_means_something_else_in_a_header_is_sent() {
        for (generations, texts) in [
            (
                false,
                &[
                    "*",
                    "\"a\",\"b\"",
                    "a",
                    "\"\"",
                    "0123456789abcdef0123456789abcdef",
                ][..],
            ),
            (
                true,
                &[
                    "0",
                    "00",
                    "*",
                    "7a",
                    "-1",
                    "\"7\"",
                    "01234567890123456789012345678901",
                ][..],
            ),
        ] {
            for text in texts {
                assert_eq!(dialect(generations).token(&text.parse().unwrap()), None, "{text}");
            }
        }
        assert_eq!(dialect(true).token(&"7".parse().unwrap()).as_deref(), Some("7"));
    }
}
