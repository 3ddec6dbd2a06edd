//! Compressed values that say themselves how they are to be read.
//!
//! [`Compression::compress`] gives a frame: a header of 24 bytes, then what the codec made of the bytes, or the bytes themselves where
//! the codec did not make them smaller. [`decompress`] needs nothing but the frame, and never gives more than its [`Limits`] allow.
//!
//! # Format
//! `magic 4 | version 1 | codec 1 | reserved 2 | plain length 8 | stored length 8 | stored bytes`, numbers little-endian. An unknown
//! version is `FormatTooNew`; anything else that does not add up is `Corrupt`.
//!
//! | codec | number | stored bytes | most it can shrink | level |
//! |---|---|---|---|---|
//! | [`None`](Codec::None) | 0 | as they are | 1:1 | – |
//! | [`Gzip`](Codec::Gzip) | 1 | one member of RFC 1952 | 1032:1 | 1 to 9, 6 |
//! | [`Deflate`](Codec::Deflate) | 2 | one stream of RFC 1950 (zlib) | 1032:1 | 1 to 9, 6 |
//! | [`Lz4`](Codec::Lz4) | 3 | one LZ4 frame with a checksum of its content | 255:1 | – |
//! | [`Zstd`](Codec::Zstd) | 4 | one frame of RFC 8878 with a checksum of its content | 32768:1 | 1 to 22, 3 |
//!
//! # What it is not
//! A checksum: bytes that are kept as they are have none. An attacker who can put text beside a secret that is compressed with it, and
//! sees the size, learns about the secret; do not compress the two together.

mod codec;
mod engine;
mod frame;
mod limits;

pub use self::codec::Codec;
pub use self::frame::{Compression, FRAME_OVERHEAD, FrameInfo, decompress, inspect, is_compressed};
pub use self::limits::Limits;

pub(crate) use self::engine::{decode, encode};
