//! Validated names: objects' [`Key`]s, [`DocumentId`]s, and the names of collections, logs, indexes and leases.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// Says what is wrong with a name, if anything.
fn check(what: &'static str, name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "must not be empty"
    } else if name.contains('\0') {
        "must not contain NUL"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidName,
        format!("{what} {name:?} {problem}"),
    ))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes the name as it is.
            ///
            /// # Errors
            /// `InvalidName` when it is empty or contains NUL. Length is checked against the backend's limits when it is used.
            pub fn new(name: impl AsRef<str>) -> Result<Self> {
                let name = name.as_ref();
                check($what, name)?;
                Ok(Self(name.into()))
            }

            /// The name as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:?})"), &*self.0)
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                Self::new(name)
            }
        }
    };
}

name! {
    /// The name of an object: any non-empty UTF-8 without NUL. `..`, drive letters and reserved names are data, not navigation;
    /// `/` separates what [listing](crate::ListRequest) can roll up. Keys order by their UTF-8 bytes.
    Key, "key"
}
name! {
    /// The id of a document within its collection: any non-empty UTF-8 without NUL. Ids order by their UTF-8 bytes.
    DocumentId, "document id"
}
name! {
    /// The name of a collection, log, index or lease: any non-empty UTF-8 without NUL.
    Name, "name"
}

impl DocumentId {
    /// Less than every id.
    pub(crate) fn least() -> Self {
        Self(Arc::from(""))
    }

    /// A fresh id: 128 random bits in lower-case hex.
    pub fn random() -> Self {
        Self(format!("{:032x}", crate::random::random_u128()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_data() {
        for name in ["..", "a//b", "C:\\x", " ", "CON", "é"] {
            assert_eq!(Key::new(name).unwrap().as_str(), name);
        }
        for name in ["", "a\0b"] {
            assert_eq!(Key::new(name).unwrap_err().kind(), ErrorKind::InvalidName);
        }
    }
}
