//! [`Change`]: what a watched collection tells, and from where on.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::{Error, ErrorKind, Result};
use crate::name::DocumentId;

/// Changes as they happen. It has no end of its own: see [`Collection::watch`](crate::Collection::watch) for what ends it.
pub type Changes = BoxStream<'static, Result<Change>>;

/// What happened to one document of a watched collection.
///
/// It names the document and does not carry it. Who wants to know what is there now reads it, and then has that state or a later one,
/// however late the change came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct Change {
    /// Which document.
    pub id: DocumentId,
    /// What was done to it.
    pub kind: ChangeKind,
    /// From where [`Collection::watch_after`](crate::Collection::watch_after) goes on behind this change.
    pub position: ChangePosition,
}

/// What was done to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a document is there after a change or it is not"
)]
pub enum ChangeKind {
    /// It was created or replaced.
    Written,
    /// It was deleted.
    Deleted,
}

/// A place in the changes of one collection: opaque, and carried through text by `Display` and `FromStr`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ChangePosition(Bytes);

/// The longest position taken from text, in bytes. MongoDB's hold a key of the document and stay under 2 KiB; the bound keeps hostile
/// text small.
const MAX_POSITION_BYTES: usize = 16 * 1024;

impl ChangePosition {
    /// The position that an adapter writes so.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// What the adapter wrote.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The refusal of a position behind which the changes are not known, or not any more.
    pub fn lost() -> Error {
        Error::new(
            ErrorKind::NotFound,
            "the changes after this position are not kept, or not any more; watch anew, then read the whole collection",
        )
    }
}

impl fmt::Display for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangePosition({self})")
    }
}

impl FromStr for ChangePosition {
    type Err = Error;

    /// Reads back what `Display` wrote.
    ///
    /// # Errors
    /// `InvalidArgument` for text that no position has.
    fn from_str(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes
            .filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_POSITION_BYTES)
            .map(Self::new)
            .ok_or_else(|| {
                Error::invalid_argument("this is not a position among the changes of a collection")
            })
    }
}

/// From where to watch.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WatchRequest {
    /// Behind this change; from now on when `None`.
    pub after: Option<ChangePosition>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_text_and_other_text_is_refused() {
        let position = ChangePosition::new(vec![0, 1, 255]);
        assert_eq!(position.to_string().parse::<ChangePosition>().unwrap(), position);
        let long = "A".repeat(2 * MAX_POSITION_BYTES);
        for text in ["", "not base64!", long.as_str()] {
            let error = text.parse::<ChangePosition>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text:?}");
        }
    }
}
