//! [`Compression`] and [`decompress`]: one value in one frame.

use bytes::Bytes;
use storage_core::{Error, ErrorKind, Result};

use super::{Codec, Limits, decode, encode};

/// Not text, and not the beginning of any known format; the line feed shows what a text mode did to it.
pub(crate) const MAGIC: [u8; 4] = [0xB7, b'S', b'Z', b'\n'];

/// The format this version writes, and the newest it reads.
const VERSION: u8 = 1;

/// What a frame adds to bytes that are kept as they are.
pub const FRAME_OVERHEAD: usize = 24;

/// How to compress.
///
/// ```
/// use storage_layers::compression::{Codec, Compression, Limits, decompress, inspect};
/// # fn main() -> storage_core::Result<()> {
/// let text = "the same again ".repeat(100);
/// let frame = Compression::new(Codec::Zstd).compress(text.as_bytes())?;
/// assert!(frame.len() < 100);
/// assert_eq!(decompress(&frame, Limits::new())?, text.as_bytes());
/// assert_eq!(inspect(&frame)?.codec, Codec::Zstd);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    codec: Codec,
    level: Option<i32>,
    threshold: usize,
    limits: Limits,
}

impl Compression {
    /// This codec at its usual level, for every value of at least 256 bytes: below that, headers eat what is gained.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            level: None,
            threshold: 256,
            limits: Limits::default(),
        }
    }

    /// How hard to try.
    ///
    /// # Errors
    /// `InvalidArgument` for a level the codec does not have.
    pub fn level(mut self, level: i32) -> Result<Self> {
        self.codec.check_level(level)?;
        self.level = Some(level);
        Ok(self)
    }

    /// From how many bytes on to compress; what is smaller is kept as it is.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How much a frame may grow when it is read; what would exceed the ratio is kept as it is.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The codec.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The limits.
    pub const fn its_limits(&self) -> Limits {
        self.limits
    }

    /// Puts bytes into a frame, compressed where that makes them smaller.
    ///
    /// # Errors
    /// `LimitExceeded` for more than the limits allow to read back.
    pub fn compress(&self, plain: &[u8]) -> Result<Bytes> {
        let length = plain.len() as u64;
        if length > self.limits.max_plain_bytes {
            return Err(Error::limit_exceeded(
                "the value in bytes",
                self.limits.max_plain_bytes,
                length,
            ));
        }
        let mut out = vec![0; FRAME_OVERHEAD];
        let codec = self.append(plain, &mut out)?;
        let stored = (out.len() - FRAME_OVERHEAD) as u64;
        FrameInfo {
            codec,
            plain_bytes: length,
            stored_bytes: stored,
        }
        .write(&mut out[..FRAME_OVERHEAD]);
        Ok(out.into())
    }

    /// Appends the bytes in the form that is smallest, and says which that is.
    pub(crate) fn append(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<Codec> {
        let start = out.len();
        if self.codec != Codec::None && plain.len() >= self.threshold && !plain.is_empty() {
            encode(self.codec, self.level, plain, out)?;
            let stored = out.len() - start;
            let readable = self
                .limits
                .allow_ratio(self.codec, plain.len() as u64, stored as u64);
            if stored < plain.len() && readable {
                return Ok(self.codec);
            }
            out.truncate(start);
        }
        out.extend_from_slice(plain);
        Ok(Codec::None)
    }
}

/// What a frame says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameInfo {
    /// How its bytes are stored; [`Codec::None`] where compressing did not help.
    pub codec: Codec,
    /// How many bytes it gives.
    pub plain_bytes: u64,
    /// How many bytes it takes, without the header.
    pub stored_bytes: u64,
}

impl FrameInfo {
    fn write(self, header: &mut [u8]) {
        header[..4].copy_from_slice(&MAGIC);
        header[4] = VERSION;
        header[5] = self.codec.number();
        header[6..8].fill(0);
        header[8..16].copy_from_slice(&self.plain_bytes.to_le_bytes());
        header[16..24].copy_from_slice(&self.stored_bytes.to_le_bytes());
    }
}

/// Whether these bytes begin as a frame does.
pub fn is_compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What a frame says about itself, without reading what is in it.
///
/// # Errors
/// `Corrupt` for what is no frame, or not a whole one; `FormatTooNew`.
pub fn inspect(frame: &[u8]) -> Result<FrameInfo> {
    let Some((header, stored)) = frame.split_at_checked(FRAME_OVERHEAD) else {
        return Err(corrupt("it is too short for a compressed value"));
    };
    if header[..4] != MAGIC {
        return Err(corrupt(
            "it is not a compressed value: the first bytes are others",
        ));
    }
    if header[4] > VERSION {
        return Err(Error::new(
            ErrorKind::FormatTooNew,
            format!(
                "the compressed value has format {}, this version knows {VERSION}; upgrade the program",
                header[4]
            ),
        ));
    }
    let codec = Codec::from_number(header[5]);
    let (Some(codec), VERSION, [0, 0]) = (codec, header[4], [header[6], header[7]]) else {
        return Err(corrupt("the header of the compressed value is damaged"));
    };
    let info = FrameInfo {
        codec,
        plain_bytes: number(&header[8..16]),
        stored_bytes: number(&header[16..24]),
    };
    if info.stored_bytes != stored.len() as u64 {
        return Err(corrupt(
            "the compressed value is cut short, or something stands behind it",
        ));
    }
    if info.codec == Codec::None && info.plain_bytes != info.stored_bytes {
        return Err(corrupt("the header of the compressed value contradicts itself"));
    }
    Ok(info)
}

/// The bytes that were put into a frame. Where they are kept as they are, nothing is copied.
///
/// # Errors
/// As [`inspect`]; `LimitExceeded` for a frame that would grow beyond the limits, before anything is allocated.
pub fn decompress(frame: &Bytes, limits: Limits) -> Result<Bytes> {
    let info = inspect(frame)?;
    limits.check(info.codec, info.plain_bytes, info.stored_bytes)?;
    if info.codec == Codec::None {
        return Ok(frame.slice(FRAME_OVERHEAD..));
    }
    let plain = usize::try_from(info.plain_bytes)
        .map_err(|_| corrupt("the compressed value is larger than this machine can address"))?;
    let mut out = Vec::new();
    decode(info.codec, &frame[FRAME_OVERHEAD..], plain, &mut out)?;
    Ok(out.into())
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn corrupt(problem: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, problem)
}

#[cfg(test)]
mod tests;
