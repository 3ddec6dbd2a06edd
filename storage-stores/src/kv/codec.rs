//! Compressing bytes outside of any entry.

use storage_core::{Bytes, Result};
use storage_layers::compression::{self, Compression, Limits};

use super::store::Kv;
use super::value::{DEFAULT_CODEC, off_thread};

impl Kv {
    /// Compresses bytes as this store compresses values, by zstd where it compresses none, into a frame that says how it is to be read.
    ///
    /// # Errors
    /// `LimitExceeded` for more than 1 GiB.
    pub async fn compress(&self, bytes: impl Into<Bytes>) -> Result<Bytes> {
        let bytes = bytes.into();
        let options = self.options();
        let none = options.codec == compression::Codec::None;
        let mut compression = Compression::new(if none { DEFAULT_CODEC } else { options.codec }).threshold(0);
        if let (Some(level), false) = (options.level, none) {
            compression = compression.level(level)?;
        }
        off_thread(move || compression.compress(&bytes)).await
    }

    /// The bytes that [`compress`](Self::compress) was given, whichever codec it used. At most 1 GiB come out, whatever the frame claims.
    ///
    /// # Errors
    /// `Corrupt` for what is no such frame, or damaged; `FormatTooNew`; `LimitExceeded`.
    pub async fn decompress(&self, frame: impl Into<Bytes>) -> Result<Bytes> {
        let frame = frame.into();
        off_thread(move || compression::decompress(&frame, Limits::new())).await
    }
}
