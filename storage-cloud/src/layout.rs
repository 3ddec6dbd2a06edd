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
        let length = self.length(&name);
        if length > MAX_NAME {
            return Err(Error::limit_exceeded(
                "the length of the key as it has to be stored",
                MAX_NAME as u64,
                length as u64,
            ));
        }
        path(&name)
    }

    /// As the service counts.
    fn length(&self, name: &str) -> usize {
        if self.careful {
            name.encode_utf16().count()
        } else {
            name.len()
        }
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

    /// Whether names that begin as this text asks can be there at all.
    pub(crate) fn may_hold(&self, stream: Stream, prefix: &str) -> bool {
        let name = self.name(stream, prefix);
        let plain = !self.is_reserved(&name) && !prefix.chars().any(|character| self.is_odd(character));
        self.length(&name) <= MAX_NAME && (stream != Stream::Plain || plain)
    }

    /// Where a listing starts so that it misses nothing behind this text. It may start earlier, so that the server is only given what
    /// could be a name.
    pub(crate) fn offset(&self, stream: Stream, text: &str) -> String {
        let mut name = self.name(stream, text);
        let mut end = name.len().min(MAX_NAME);
        if stream == Stream::Plain
            && let Some(odd) = name.find(|character| self.is_odd(character))
        {
            end = end.min(odd);
        }
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAMS: [Stream; 2] = [Stream::Plain, Stream::Odd];

    fn layout(careful: bool) -> Layout {
        Layout::new("app/data/", careful).unwrap()
    }

    fn stored(layout: &Layout, key: &str) -> String {
        layout
            .path(Area::Objects, &Key::new(key).unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_table_holds() {
        for careful in [false, true] {
            let layout = layout(careful);
            for (key, name) in [
                ("notes/a.txt", "app/data/notes/a.txt"),
                ("é", "app/data/é"),
                ("_storage2", "app/data/_storage2"),
                ("a/_storage/b", "app/data/a/_storage/b"),
                ("..", "app/data/_storage/odd/k22"),
                ("a//b", "app/data/_storage/odd/kf33g"),
            ] {
                assert_eq!(stored(&layout, key), name, "{key:?}");
            }
            for odd in [
                "_storage",
                "_storage/x",
                "/a",
                "a/",
                "a//b",
                ".",
                "a/../b",
                "a\nb",
                "\u{FFFF}",
            ] {
                assert!(!layout.is_plain(odd), "{odd:?}");
            }
            for differs in ["a\\b", "a./b", "a.", "😀", "\u{E000}"] {
                assert_eq!(layout.is_plain(differs), !careful, "{differs:?}");
            }
        }
        assert_eq!(stored(&Layout::new("", false).unwrap(), "a"), "a");
    }

    #[test]
    fn a_prefix_that_would_have_to_be_escaped_is_refused() {
        for prefix in ["//", "/a", "a//b", "..", "_storage", "a\nb"] {
            assert!(Layout::new(prefix, false).is_err(), "{prefix:?}");
        }
        let long = "p".repeat(900);
        assert_eq!(
            Layout::new(&long, false).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
    }

    #[test]
    fn what_is_too_long_as_it_has_to_be_stored_is_refused() {
        let layout = layout(false);
        let longest = "/".repeat(layout.max_key_bytes());
        assert!(layout.path(Area::Objects, &Key::new(&longest).unwrap()).is_ok());
        let controls = Key::new("\u{1}".repeat(layout.max_key_bytes())).unwrap();
        let refused = layout.path(Area::Objects, &controls).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    }

    fn key() -> impl Strategy<Value = String> {
        let edge = proptest::sample::select(vec![
            "/",
            ".",
            "..",
            "_storage",
            "_storage/",
            "_storage/odd/k",
            "_storage/overlay/",
            "a",
            "~",
            "\\",
            "[",
            "é",
            "\u{1}",
            "\u{E000}",
            "😀",
            "0",
            " ",
            "%2F",
            "folder/",
        ]);
        proptest::collection::vec(
            prop_oneof![edge.prop_map(str::to_owned), ".{1,2}".prop_map(|text| text)],
            1..4,
        )
        .prop_map(|parts| parts.concat().replace('\0', "z"))
        .prop_filter("a key is not empty", |key| !key.is_empty())
    }

    proptest! {
        #[test]
        fn every_key_has_one_name_and_every_name_at_most_one_key(a in key(), b in key(), careful: bool) {
            let layout = layout(careful);
            let (name_a, name_b) = (stored(&layout, &a), stored(&layout, &b));
            prop_assert_eq!(name_a == name_b, a == b);
            let read: Vec<_> = STREAMS.iter().filter_map(|stream| layout.key(*stream, &name_a)).collect();
            prop_assert_eq!(read, std::slice::from_ref(&a));
        }

        #[test]
        fn each_stream_keeps_order_and_prefixes(a in key(), b in key(), careful: bool) {
            let layout = layout(careful);
            for stream in STREAMS {
                prop_assert_eq!(layout.name(stream, &a).cmp(&layout.name(stream, &b)), a.cmp(&b));
                prop_assert_eq!(layout.name(stream, &b).starts_with(&layout.name(stream, &a)), b.starts_with(&a));
            }
        }

        #[test]
        fn the_overlays_names_come_back_in_order(a in "[!-~]{1,8}", b in "[!-~]{1,8}", careful: bool) {
            let layout = layout(careful);
            let (name_a, name_b) = (layout.name(Stream::Overlay, &a), layout.name(Stream::Overlay, &b));
            prop_assert_eq!(name_a.cmp(&name_b), a.cmp(&b));
            let read = layout.key(Stream::Overlay, &name_a);
            prop_assert_eq!(read, Some(a));
        }
    }
}
