//! [`Place`]: where in a document a check is, spelled out only when something is wrong there.

use std::fmt;

use crate::error::Error;
use crate::value::path::write_segment;

/// The way down to a value, linked through the stack frames that took it.
pub(super) enum Place<'a> {
    Root,
    Field { parent: &'a Self, name: &'a str },
    Element { parent: &'a Self, index: usize },
}

impl Place<'_> {
    /// `InvalidArgument`: the value here `problem`, which also says what to do.
    pub(super) fn invalid(&self, problem: impl fmt::Display) -> Error {
        match self {
            Self::Root => Error::invalid_argument(format!("the value {problem}")),
            place => Error::invalid_argument(format!("field \"{place}\" {problem}")),
        }
    }

    /// `InvalidArgument`: the bytes at or after this place are not BSON.
    pub(super) fn malformed(&self, error: bson::error::Error) -> Error {
        self.invalid("is not valid BSON: encode the document again")
            .with_source(error)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Field { parent, .. } | Self::Element { parent, .. }) = self else {
            return Ok(());
        };
        if !matches!(parent, Self::Root) {
            write!(f, "{parent}.")?;
        }
        match self {
            // A message stays on one line whatever the name is.
            Self::Field { name, .. } => write_segment(f, &name.replace(char::is_control, "\u{FFFD}")),
            Self::Element { index, .. } => write!(f, "{index}"),
            Self::Root => Ok(()),
        }
    }
}
