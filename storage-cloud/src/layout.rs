//! [`Layout`]: what a key is called in the bucket.
//!
//! | in the bucket, after the prefix | is |
//! |---|---|
//! | `notes/a.txt` | the object `notes/a.txt` |
//! | `_storage/odd/<text>` | an object whose key the vendor, or the way there, would not carry as it is: see [`odd`] |
//! | `_storage/overlay/<key>` | what documents, indexes and logs are made of |
//! | `_storage/probe/…` | short-lived scratch objects |
//!
//! A key is plain, and stored as it is, if every program reads it as the same key: no empty segment, `.` or `..`, no control
//! character, not `_storage/…`. Azure is not sent `\` or a segment that ends in a dot, which its documentation warns of (naming and
//! referencing containers, blobs and metadata), nor characters from U+D7FF on, which UTF-8 and UTF-16 order differently.

use object_store::path::Path;
use storage_core::{Area, Error, ErrorKind, Key, Result};

use crate::odd;

/// The first segment of everything of ours but plain objects.
const RESERVED: &str = "_storage";
const OVERLAY: &str = "_storage/overlay/";
const ODD: &str = "_storage/odd/";
const PROBE: &str = "_storage/probe/";

/// The longest name S3 and Google take, in bytes of UTF-8, and Azure, in characters of UTF-16.
const MAX_NAME: usize = 1024;

/// Azure takes 254 segments; some are left for the prefix.
const MAX_AZURE_SEGMENTS: usize = 200;

/// Where keys are in the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Empty, or ending in `/`.
    prefix: String,
    careful: bool,
}

/// One of the ordered streams of names a listing is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Keys as they are.
    Plain,
    /// Keys that had to be escaped.
    Odd,
    /// The overlay's.
    Overlay,
}

impl Layout {
    /// # Errors
    /// `InvalidArgument` for a prefix that would itself have to be escaped.
    pub(crate) fn new(prefix: &str, careful: bool) -> Result<Self> {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if prefix.is_empty() {
            return Ok(Self {
                prefix: String::new(),
                careful,
            });
        }
        let layout = Self {
            prefix: format!("{prefix}/"),
            careful,
        };
        if !layout.is_plain(prefix) {
            return Err(Error::invalid_argument(format!(
                "the prefix {prefix:?} cannot be used: no segment may be empty, `.` or `..`, the first not `_storage`, and it holds no control characters{}",
                if careful {
                    ", no backslash, and no dot before a slash"
                } else {
                    ""
                }
            )));
        }
        if layout.max_key_bytes() < 256 {
            return Err(Error::limit_exceeded(
                "the prefix in bytes",
                512,
                prefix.len() as u64,
            ));
        }
        Ok(layout)
    }

    /// The longest key that is sure to fit, in either area, when it is stored as it is.
    pub(crate) const fn max_key_bytes(&self) -> usize {
        MAX_NAME.saturating_sub(self.prefix.len() + OVERLAY.len())
    }

    /// What a key is called in the bucket.
    ///
    /// # Errors
    /// `LimitExceeded` for a key whose name would be too long.
    pub(crate) fn path(&self, area: Area, key: &Key) -> Result<Path> {
        let stream = match area {
            Area::Overlay => Stream::Overlay,
            Area::Objects if self.is_plain(key.as_str()) => Stream::Plain,
            Area::Objects => Stream::Odd,
        };
        let name = self.name(stream, key.as_str());
        let length = if self.careful {
            name.encode_utf16().count()
        } else {
            name.len()
        };
        if length > MAX_NAME {
            return Err(Error::limit_exceeded(
                "the length of the key as it has to be stored",
                MAX_NAME as u64,
                length as u64,
            ));
        }
        path(&name)
    }

    /// Scratch space for what the server is tried with.
    pub(crate) fn probe(&self, name: &str) -> Result<Path> {
        path(&format!("{}{PROBE}{name}", self.prefix))
    }

    /// Where every name of a stream begins.
    pub(crate) fn base(&self, stream: Stream) -> String {
        let inner = match stream {
            Stream::Plain => "",
            Stream::Odd => ODD,
            Stream::Overlay => OVERLAY,
        };
        format!("{}{inner}", self.prefix)
    }

    /// The name of a text, be it a key or the beginning of one. Order is kept.
    pub(crate) fn name(&self, stream: Stream, text: &str) -> String {
        let base = self.base(stream);
        match stream {
            Stream::Plain => base + text,
            Stream::Odd => base + &odd::encode(text),
            Stream::Overlay => base + &self.carried(text),
        }
    }

    /// The key a name stands for; `None` for a name that is not ours.
    pub(crate) fn key(&self, stream: Stream, name: &str) -> Option<String> {
        let text = name.strip_prefix(&self.base(stream))?;
        let key = match stream {
            Stream::Plain => text.to_owned(),
            Stream::Odd => odd::decode(text)?,
            Stream::Overlay => self.uncarried(text)?,
        };
        let ours = match stream {
            Stream::Plain => self.is_plain(&key),
            Stream::Odd => !self.is_plain(&key),
            Stream::Overlay => true,
        };
        (ours && Key::new(&key).is_ok()).then_some(key)
    }

    /// Where a listing of plain names goes on behind everything of ours.
    pub(crate) fn behind_reserved(&self) -> String {
        // All names of ours go on in a letter.
        format!("{}{RESERVED}/~", self.prefix)
    }

    /// Whether a name is in the space of ours.
    pub(crate) fn is_reserved(&self, name: &str) -> bool {
        name.strip_prefix(&self.prefix)
            .and_then(|text| text.strip_prefix(RESERVED))
            .is_some_and(|text| text.is_empty() || text.starts_with('/'))
    }

    /// Whether a key can be stored as it is.
    pub(crate) fn is_plain(&self, key: &str) -> bool {
        let reserved = key
            .strip_prefix(RESERVED)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // Google keeps this for the certificates of its domains.
        let reserved = reserved || key.starts_with(".well-known/acme-challenge/");
        !reserved
            && !key.chars().any(|character| self.is_odd(character))
            && !key.split('/').any(|segment| self.is_odd_segment(segment))
            && (!self.careful || key.split('/').count() <= MAX_AZURE_SEGMENTS)
    }

    fn is_odd(&self, character: char) -> bool {
        // XML, which listings are written in, has no U+FFFE and U+FFFF.
        character.is_control()
            || matches!(character, '\u{FFFE}' | '\u{FFFF}')
            || (self.careful && (character >= '\u{D7FF}' || character == '\\'))
    }

    fn is_odd_segment(&self, segment: &str) -> bool {
        matches!(segment, "" | "." | "..") || (self.careful && segment.ends_with('.'))
    }

    /// The overlay's text, which is ASCII, for a service that may take `\` for `/`: `[` is followed by `0`, and `\` becomes `[1`, which keeps the order.
    fn carried(&self, text: &str) -> String {
        if self.careful {
            text.replace('[', "[0").replace('\\', "[1")
        } else {
            text.to_owned()
        }
    }

    fn uncarried(&self, text: &str) -> Option<String> {
        if !self.careful {
            return Some(text.to_owned());
        }
        let mut original = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            original.push(match character {
                '[' => match rest.next()? {
                    '0' => '[',
                    '1' => '\\',
                    _ => return None,
                },
                '\\' => return None,
                other => other,
            });
        }
        Some(original)
    }
}

fn path(name: &str) -> Result<Path> {
    Path::parse(name).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "a name that was meant to be carried as it is was refused",
        )
        .with_source(error)
    })
}
