//! [`Header`]: what stands before sealed content, and how strictly it is read.

use storage_core::{Error, ErrorKind, Result};

use super::key::KeyId;
use super::suite::Suite;
use crate::chunked::CHUNK_LOG2;

/// Not text, and not the beginning of any known format; the line feed shows what a text mode did to it.
const MAGIC: [u8; 4] = [0xB7, b'S', b'E', b'\n'];

/// The format this version writes, and the newest it reads.
const VERSION: u8 = 1;

/// How many bytes every header has: so the plain size of a value follows from its stored size alone.
pub const HEADER_BYTES: usize = 88;

/// What stands before sealed content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Which cipher.
    pub suite: Suite,
    /// The size of chunks, as a power of two.
    pub chunk_log2: u8,
    /// Which key.
    pub key: KeyId,
    /// What makes the key of this value unlike any other.
    pub salt: [u8; 32],
    /// What only the right key gives.
    pub commitment: [u8; 32],
}

/// Whether these bytes begin as sealed ones do.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

impl Header {
    /// Reads the header that stands at the beginning of these bytes.
    ///
    /// # Errors
    /// `Corrupt` for what is not sealed, or not whole; `FormatTooNew` for a version, cipher or flag of a later version.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if !is_sealed(bytes) {
            return Err(not_sealed());
        }
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "what is sealed here was cut short",
            ));
        };
        let [_, _, _, _, version, suite, flags, chunk_log2, ..] = *bytes;
        if version == 0 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the header of what is sealed here is damaged",
            ));
        }
        if version > VERSION {
            return Err(too_new(format!("format {version}")));
        }
        let suite = Suite::from_number(suite).ok_or_else(|| too_new(format!("cipher {suite}")))?;
        if flags != 0 {
            return Err(too_new(format!("flags {flags:#04x}")));
        }
        if !CHUNK_LOG2.contains(&chunk_log2) {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!("the header of what is sealed here names chunks of 2^{chunk_log2} bytes"),
            ));
        }
        Ok(Self {
            suite,
            chunk_log2,
            key: KeyId::from_bytes(part(bytes, 8)),
            salt: part(bytes, 24),
            commitment: part(bytes, 56),
        })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.suite.number();
        bytes[7] = self.chunk_log2;
        bytes[8..24].copy_from_slice(self.key.as_bytes());
        bytes[24..56].copy_from_slice(&self.salt);
        bytes[56..].copy_from_slice(&self.commitment);
        bytes
    }
}

fn part<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

/// What a reader with a key says of plain bytes.
pub(crate) fn not_sealed() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "it is plain where only sealed data is accepted: it was written without a key, or something else wrote here",
    )
}

fn too_new(what: String) -> Error {
    Error::new(
        ErrorKind::FormatTooNew,
        format!("what is sealed here has {what}, which this version does not know; upgrade the program"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            suite: Suite::Aes256Gcm,
            chunk_log2: 16,
            key: KeyId::from_bytes([1; 16]),
            salt: [2; 32],
            commitment: [3; 32],
        }
    }

    #[test]
    fn headers_round_trip() {
        assert_eq!(Header::read(&header().to_bytes()).unwrap(), header());
    }

    #[test]
    fn what_is_unknown_is_refused_and_says_which() {
        for (at, byte, kind) in [
            (0, b'{', ErrorKind::Corrupt),
            (4, 0, ErrorKind::Corrupt),
            (4, 2, ErrorKind::FormatTooNew),
            (5, 0, ErrorKind::FormatTooNew),
            (5, 9, ErrorKind::FormatTooNew),
            (6, 1, ErrorKind::FormatTooNew),
            (6, 0x80, ErrorKind::FormatTooNew),
            (7, 11, ErrorKind::Corrupt),
            (7, 25, ErrorKind::Corrupt),
        ] {
            let mut bytes = header().to_bytes();
            bytes[at] = byte;
            assert_eq!(
                Header::read(&bytes).unwrap_err().kind(),
                kind,
                "byte {at} = {byte}"
            );
        }
        for length in 0..HEADER_BYTES {
            assert_eq!(
                Header::read(&header().to_bytes()[..length]).unwrap_err().kind(),
                ErrorKind::Corrupt
            );
        }
    }
}
