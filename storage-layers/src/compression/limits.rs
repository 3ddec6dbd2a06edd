//! [`Limits`]: how much a frame may grow when it is read.

use storage_core::{Error, Result};

use super::Codec;

/// How large a frame may become when it is read. Written frames keep within them too, so that they can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most plain bytes of one frame; 1 GiB by default.
    pub max_plain_bytes: u64,
    /// The most plain bytes for one stored byte; by default what the codec can reach, so that nothing real is refused.
    pub max_ratio: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_plain_bytes: 1024 * 1024 * 1024,
            max_ratio: None,
        }
    }
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most plain bytes of one frame.
    #[must_use]
    pub const fn max_plain_bytes(mut self, bytes: u64) -> Self {
        self.max_plain_bytes = bytes;
        self
    }

    /// The most plain bytes for one stored byte, at least 1.
    #[must_use]
    pub const fn max_ratio(mut self, ratio: u64) -> Self {
        self.max_ratio = Some(ratio);
        self
    }

    /// The most plain bytes that so many stored bytes may stand for.
    const fn most_plain(self, codec: Codec, stored: u64) -> u64 {
        let natural = codec.most_ratio();
        let ratio = match self.max_ratio {
            Some(ratio) if ratio < natural => ratio,
            _ => natural,
        };
        stored.saturating_mul(ratio)
    }

    /// Whether a writer may store `plain` bytes as `stored`.
    pub(crate) const fn allow_ratio(self, codec: Codec, plain: u64, stored: u64) -> bool {
        plain <= self.most_plain(codec, stored)
    }

    /// Refuses what would grow too large, before anything is allocated.
    pub(crate) fn check(self, codec: Codec, plain: u64, stored: u64) -> Result<()> {
        if plain > self.max_plain_bytes {
            return Err(Error::limit_exceeded(
                "what it decompresses to in bytes",
                self.max_plain_bytes,
                plain,
            ));
        }
        let most = self.most_plain(codec, stored);
        if plain > most {
            return Err(Error::limit_exceeded(
                "what it decompresses to, for its stored size,",
                most,
                plain,
            ));
        }
        Ok(())
    }
}
