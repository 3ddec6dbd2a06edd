//! [`Version`]: the token of one state of one object or document.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};

/// Opaque token of one state of one object or document.
///
/// Two states never share one, unless the backend declares [`Versions::ContentHash`](crate::Versions::ContentHash).
/// It survives a reopen, and `Display` and `FromStr` carry it through text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(Token);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Token {
    Nonce(u128),
    Native(Arc<str>),
}

/// The longest native token taken, in bytes. Known stores stay under 100; the bound keeps hostile text small.
const MAX_NATIVE_BYTES: usize = 256;

impl Version {
    /// A fresh version: 128 bits from the operating system's generator.
    pub fn random() -> Self {
        Self(Token::Nonce(crate::random::random_u128()))
    }

    /// The version with these 128 bits.
    pub const fn from_u128(bits: u128) -> Self {
        Self(Token::Nonce(bits))
    }

    /// The 128 bits, unless this is a token of the medium's own (an ETag).
    pub const fn as_u128(&self) -> Option<u128> {
        match self.0 {
            Token::Nonce(bits) => Some(bits),
            Token::Native(_) => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Token::Nonce(bits) => f.write_str(hex(*bits, &mut [0; 32])),
            Token::Native(token) => f.write_str(token),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

impl FromStr for Version {
    type Err = Error;

    /// Reads back what `Display` wrote.
    ///
    /// # Errors
    /// `InvalidArgument` for text that no version has: empty, over 256 bytes, or with anything but visible ASCII.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(bits) = from_hex(text) {
            return Ok(Self(Token::Nonce(bits)));
        }
        if text.is_empty()
            || text.len() > MAX_NATIVE_BYTES
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Error::invalid_argument(format!("{text:?} is not a version")));
        }
        Ok(Self(Token::Native(text.into())))
    }
}

/// The 32 digits of a nonce. Every document read or written has one, and the standard library's way takes ten times as long.
fn hex(bits: u128, digits: &mut [u8; 32]) -> &str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xF)];
    }
    std::str::from_utf8(digits).unwrap_or_default()
}

/// The nonce with exactly these 32 lower-case digits.
fn from_hex(text: &str) -> Option<u128> {
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut halves = [0_u64; 2];
    for (half, digits) in halves.iter_mut().zip(digits.chunks_exact(16)) {
        for digit in digits {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *half = *half << 4 | u64::from(value);
        }
    }
    Some(u128::from(halves[0]) << 64 | u128::from(halves[1]))
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_rubbish_is_refused() {
        for version in [
            Version::random(),
            Version::from_u128(0),
            Version::from_u128(u128::MAX - 0xF0),
            "\"abc-1\"".parse().unwrap(),
        ] {
            assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
        }
        let version = Version::from_u128(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978);
        assert_eq!(version.to_string(), "0123456789abcdef0f1e2d3c4b5a6978");
        let upper: Version = "0123456789ABCDEF0f1e2d3c4b5a6978".parse().unwrap();
        assert_eq!(upper.as_u128(), None);
        for rubbish in ["", "a b", "é", &"x".repeat(257)] {
            assert!(rubbish.parse::<Version>().is_err(), "{rubbish:?}");
        }
    }
}
