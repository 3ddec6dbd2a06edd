//! [`Suite`]: which cipher.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead;
use storage_core::{Error, Result};

/// Which cipher seals the chunks. HKDF-SHA-512 derives the keys in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Suite {
    /// AES-256-GCM: the fastest wherever the processor has instructions for it, which is nearly everywhere.
    #[default]
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
    /// ChaCha20-Poly1305: for processors without them.
    #[serde(rename = "chacha20-poly1305")]
    Chacha20Poly1305,
}

impl Suite {
    /// Every suite.
    pub const ALL: &[Self] = &[Self::Aes256Gcm, Self::Chacha20Poly1305];

    /// Its name in text, such as `aes-256-gcm`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::Chacha20Poly1305 => "chacha20-poly1305",
        }
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Aes256Gcm => 1,
            Self::Chacha20Poly1305 => 2,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|suite| suite.number() == number)
    }

    pub(super) fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::Chacha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Suite {
    type Err = Error;

    /// # Errors
    /// `InvalidArgument` naming the suites there are.
    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().copied().find(|suite| suite.as_str() == text);
        known.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|suite| suite.as_str()).collect();
            Error::invalid_argument(format!(
                "{text:?} is not a cipher; there are {}",
                names.join(", ")
            ))
        })
    }
}
