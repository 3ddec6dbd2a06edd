//! [`FieldPath`]: names a field, also one inside nested documents.

use std::fmt;
use std::sync::Arc;

use bson::{RawBsonRef, RawDocument};

use crate::error::{Error, ErrorKind, Result};

/// The way to a field through nested documents: a non-empty list of field names.
///
/// As text the names are joined by `.`; a dot inside a name is written `\.` and a backslash `\\`. A backslash before
/// anything else stands for itself. `Display` writes that text, `From` reads it, and serde carries it as a string.
///
/// ```
/// # use storage_core::value::FieldPath;
/// let path = FieldPath::from(r"address.street\.no");
/// assert_eq!(path.segments(), ["address", "street.no"]);
/// assert_eq!(path.to_string(), r"address.street\.no");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(Arc<[String]>);

impl FieldPath {
    /// The path of these names, taken literally.
    ///
    /// # Errors
    /// `InvalidArgument` when there are none.
    pub fn new(segments: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let segments: Arc<[String]> = segments.into_iter().map(Into::into).collect();
        if segments.is_empty() {
            return Err(Error::invalid_argument(
                "a field path needs at least one field name",
            ));
        }
        Ok(Self(segments))
    }

    /// The names, outermost first; never empty.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The value at this path, or `None` when there is none. A path that leads through anything but a document, an array included,
    /// leads nowhere.
    ///
    /// # Errors
    /// `Corrupt` when the bytes on the way are not BSON.
    pub fn lookup<'a>(&self, document: &'a RawDocument) -> Result<Option<RawBsonRef<'a>>> {
        match self.follow(document)? {
            Reached::End(value) => Ok(Some(value)),
            Reached::Array | Reached::Nothing => Ok(None),
        }
    }

    /// Whether an array, whose elements no path leads to, stands on the way.
    pub(crate) fn meets_array(&self, document: &RawDocument) -> Result<bool> {
        Ok(matches!(self.follow(document)?, Reached::Array))
    }

    fn follow<'a>(&self, document: &'a RawDocument) -> Result<Reached<'a>> {
        let mut value = RawBsonRef::Document(document);
        for segment in self.segments() {
            let document = match value {
                RawBsonRef::Document(document) => document,
                RawBsonRef::Array(_) => return Ok(Reached::Array),
                _ => return Ok(Reached::Nothing),
            };
            match document.get(segment) {
                Ok(Some(inner)) => value = inner,
                Ok(None) => return Ok(Reached::Nothing),
                Err(error) => {
                    let message = format!("the document is not valid BSON on the way to field \"{self}\"");
                    return Err(Error::new(ErrorKind::Corrupt, message).with_source(error));
                }
            }
        }
        Ok(Reached::End(value))
    }
}

/// Where following a path ends.
enum Reached<'a> {
    /// At its end, at this value.
    End(RawBsonRef<'a>),
    /// Before it, at an array.
    Array,
    /// Before it, at nothing.
    Nothing,
}

impl From<&str> for FieldPath {
    fn from(text: &str) -> Self {
        if !text.contains(['.', '\\']) {
            return Self(Arc::new([text.to_owned()]));
        }
        let mut segments = Vec::new();
        let mut segment = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '.' => segments.push(std::mem::take(&mut segment)),
                '\\' => segment.push(
                    characters
                        .next_if(|next| matches!(next, '.' | '\\'))
                        .unwrap_or('\\'),
                ),
                _ => segment.push(character),
            }
        }
        segments.push(segment);
        Self(segments.into())
    }
}

impl From<String> for FieldPath {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for FieldPath {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

/// Writes one name of a path with its dots and backslashes escaped.
pub(super) fn write_segment(f: &mut impl fmt::Write, segment: &str) -> fmt::Result {
    for character in segment.chars() {
        if matches!(character, '.' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    Ok(())
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write_segment(f, segment)?;
        }
        Ok(())
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldPath(\"{self}\")")
    }
}

impl serde::Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for FieldPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_splits_at_bare_dots() {
        for (text, segments) in [
            ("a", vec!["a"]),
            ("a.b", vec!["a", "b"]),
            (r"a\.b", vec!["a.b"]),
            (r"a\\.b", vec![r"a\", "b"]),
            (r"a\b\", vec![r"a\b\"]),
            ("", vec![""]),
            ("a..b.", vec!["a", "", "b", ""]),
        ] {
            assert_eq!(FieldPath::from(text).segments(), segments, "{text:?}");
        }
        assert_eq!(
            FieldPath::new(Vec::<String>::new()).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }

    #[test]
    fn lookup_goes_through_documents_only() {
        let document = rawdoc! { "a": { "b": { "c.d": 1_i64 } }, "list": [{ "b": 2_i64 }], "n": null };
        let found = |path: &str| FieldPath::from(path).lookup(&document).unwrap();
        assert_eq!(found(r"a.b.c\.d").and_then(RawBsonRef::as_i64), Some(1));
        assert_eq!(found("n"), Some(RawBsonRef::Null));
        for missing in ["b", "a.b.c.d", "n.x", "list.b", "list.0", "list.0.b", "a\0"] {
            assert_eq!(found(missing), None, "{missing:?}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(segments in proptest::collection::vec(r"(?s)[.\\a]{0,4}|.{0,4}", 1..5)) {
            let path = FieldPath::new(segments).unwrap();
            prop_assert_eq!(&FieldPath::from(path.to_string()), &path);
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<FieldPath>(&json).unwrap(), path);
        }
    }
}
