//! [`Hash`]: what blocks and events are named by.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use storage_core::{Error, ErrorKind, Result};

/// Which hash names blocks and events. Chosen when a store is made, and stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256, which every tool can check: `sha256sum blocks/*.bin`.
    #[default]
    Sha256,
    /// BLAKE3, several times as fast.
    Blake3,
}

impl HashAlgorithm {
    /// Its name in text and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }

    /// The hash of these bytes.
    pub fn hash(self, bytes: &[u8]) -> Hash {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    pub(super) fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Blake3 => Hasher::Blake3(Box::new(blake3::Hasher::new())),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for HashAlgorithm {
    type Err = Error;

    /// # Errors
    /// `InvalidArgument` naming those there are.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "blake3" => Ok(Self::Blake3),
            _ => Err(Error::invalid_argument(format!(
                "{name:?} is no hash known here; there are sha256 and blake3"
            ))),
        }
    }
}

/// A hash under way, for what arrives in pieces.
pub(super) enum Hasher {
    Sha256(Sha256),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    pub(super) fn finish(self) -> Hash {
        Hash(match self {
            Self::Sha256(hasher) => hasher.finalize().into(),
            Self::Blake3(hasher) => hasher.finalize().into(),
        })
    }
}

/// The name of a block or an event: 32 bytes, as text 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, std::hash::Hash, PartialOrd, Ord)]
pub struct Hash([u8; Self::BYTES]);

impl Hash {
    /// How many bytes a hash has, with either algorithm.
    pub const BYTES: usize = 32;

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// # Errors
    /// `InvalidName` unless these are 64 hexadecimal digits in lower case: one hash has one text.
    fn from_str(text: &str) -> Result<Self> {
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidName,
                format!("{text:?} is no hash: that is 64 hexadecimal digits in lower case"),
            )
        })
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

/// The bytes of lower-case hexadecimal digits; `None` for anything else.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_text() {
        let hash = HashAlgorithm::Sha256.hash(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse::<Hash>().unwrap(), hash);
        for other in [
            &text.to_uppercase(),
            &text[1..],
            "",
            &format!("{text}0"),
            "conflicted copy",
        ] {
            assert_eq!(
                other.parse::<Hash>().unwrap_err().kind(),
                ErrorKind::InvalidName,
                "{other}"
            );
        }
    }

    #[test]
    fn both_algorithms_are_what_they_say() {
        assert_eq!(
            HashAlgorithm::Blake3.hash(b"abc").to_string(),
            blake3::hash(b"abc").to_hex().as_str()
        );
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
            assert_eq!(algorithm.as_str().parse::<HashAlgorithm>().unwrap(), algorithm);
            let mut hasher = algorithm.hasher();
            hasher.update(b"a");
            hasher.update(b"bc");
            assert_eq!(hasher.finish(), algorithm.hash(b"abc"));
        }
    }
}
