//! [`Codec`]: the ways to make bytes smaller.

use std::fmt;
use std::str::FromStr;

use storage_core::{Error, Result};

/// A way to make bytes smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Codec {
    /// Bytes as they are.
    None,
    /// Deflate with gzip's header and CRC: every tool reads it.
    Gzip,
    /// Deflate with zlib's header and checksum.
    Deflate,
    /// The fastest.
    Lz4,
    /// The best in most cases.
    Zstd,
}

impl Codec {
    /// Every codec.
    pub const ALL: &[Self] = &[Self::None, Self::Gzip, Self::Deflate, Self::Lz4, Self::Zstd];

    /// Its name in text, such as `zstd`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Its number in every format of this crate.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Deflate => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|codec| codec.number() == number)
    }

    /// How many bytes one stored byte can stand for, at most. Whoever claims more lies.
    ///
    /// Deflate: 258 bytes for two bits. LZ4: 255 for each byte of a length. Zstandard: a block of 128 KiB for 4 bytes.
    pub const fn most_ratio(self) -> u64 {
        match self {
            Self::None => 1,
            Self::Gzip | Self::Deflate => 1032,
            Self::Lz4 => 255,
            Self::Zstd => 32 * 1024,
        }
    }

    /// The level used where none is asked for; `None` where there are no levels.
    pub const fn default_level(self) -> Option<i32> {
        match self {
            Self::None | Self::Lz4 => None,
            Self::Gzip | Self::Deflate => Some(6),
            Self::Zstd => Some(3),
        }
    }

    /// Refuses a level the codec does not have.
    pub(crate) fn check_level(self, level: i32) -> Result<()> {
        let most = match self {
            Self::None | Self::Lz4 => {
                return Err(Error::invalid_argument(format!(
                    "{self} has no levels; leave the level out"
                )));
            }
            Self::Gzip | Self::Deflate => 9,
            Self::Zstd => 22,
        };
        if (1..=most).contains(&level) {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "{self} has the levels 1 to {most}, not {level}"
        )))
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Codec {
    type Err = Error;

    /// # Errors
    /// `InvalidArgument` naming the codecs there are.
    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().copied().find(|codec| codec.as_str() == text);
        known.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|codec| codec.as_str()).collect();
            Error::invalid_argument(format!("{text:?} is not a codec; there are {}", names.join(", ")))
        })
    }
}
