//! [`Frame`]: what one append leaves in one object.
//!
//! | bytes | |
//! |---|---|
//! | 4 | `SLOG` |
//! | 1 | format, 1 |
//! | 1 | 1 where the log ends here, else 0 |
//! | 16 | random: tells one's own append from an equal one |
//! | 8 | sequence number of the first entry |
//! | 4 | number of entries |
//! | per entry | length in 4 bytes, the bytes |
//! | 8 | the first 8 bytes of the SHA-256 of all before |
//!
//! Integers are little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::overlay::layout;

const MAGIC: &[u8; 4] = b"SLOG";
const FORMAT: u8 = 1;
const CHECKSUM: usize = 8;
const HEAD: usize = 4 + 1 + 1 + 16 + 8 + 4;

/// The bytes a frame adds to its entries at most, per entry and once.
pub(in crate::overlay) const FRAME_OVERHEAD: u64 = (HEAD + CHECKSUM) as u64;

/// One append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) first: u64,
    pub(super) entries: Vec<Bytes>,
    /// Nothing follows.
    pub(super) closes: bool,
    pub(super) nonce: u128,
}

impl Frame {
    pub(super) fn new(first: u64, entries: Vec<Bytes>, closes: bool) -> Self {
        Self {
            first,
            entries,
            closes,
            nonce: crate::random::random_u128(),
        }
    }

    /// The sequence number after the last entry.
    pub(super) fn next(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }

    pub(super) fn encode(&self) -> Result<Bytes> {
        let length = |length: usize| {
            u32::try_from(length)
                .map_err(|_| Error::limit_exceeded("a log entry in bytes", u32::MAX.into(), length as u64))
        };
        let entries: usize = self.entries.iter().map(|entry| entry.len() + 4).sum();
        let mut bytes = BytesMut::with_capacity(HEAD + entries + CHECKSUM);
        bytes.put_slice(MAGIC);
        bytes.put_u8(FORMAT);
        bytes.put_u8(self.closes.into());
        bytes.put_u128_le(self.nonce);
        bytes.put_u64_le(self.first);
        bytes.put_u32_le(length(self.entries.len())?);
        for entry in &self.entries {
            bytes.put_u32_le(length(entry.len())?);
            bytes.put_slice(entry);
        }
        let checksum = Sha256::digest(&bytes);
        bytes.put_slice(&checksum[..CHECKSUM]);
        Ok(bytes.freeze())
    }

    /// Reads what [`encode`](Self::encode) wrote. The entries share the bytes.
    ///
    /// # Errors
    /// `FormatTooNew`; `Corrupt` for everything else. Both name the object.
    pub(super) fn decode(place: &str, bytes: &Bytes) -> Result<Self> {
        let corrupt =
            || Error::new(ErrorKind::Corrupt, "the entries of the log cannot be read").with_key(place);
        if bytes.len() < HEAD + CHECKSUM || !bytes.starts_with(MAGIC) {
            return Err(corrupt());
        }
        layout::check_format(place, Some(bytes[MAGIC.len()].into()), FORMAT.into())?;
        let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if Sha256::digest(body)[..CHECKSUM] != *checksum {
            return Err(corrupt());
        }
        let mut rest = bytes.slice(MAGIC.len() + 1..body.len());
        let closes = rest.get_u8() == 1;
        let nonce = rest.get_u128_le();
        let first = rest.get_u64_le();
        let count = rest.get_u32_le();
        let mut entries = Vec::new();
        for _ in 0..count {
            let length = rest.try_get_u32_le().map_err(|_| corrupt())?;
            let length = usize::try_from(length).map_err(|_| corrupt())?;
            if length > rest.len() {
                return Err(corrupt());
            }
            entries.push(rest.split_to(length));
        }
        if !rest.is_empty() {
            return Err(corrupt());
        }
        Ok(Self {
            first,
            entries,
            closes,
            nonce,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_every_flipped_bit_shows() {
        let frame = Frame::new(7, vec![Bytes::new(), Bytes::from_static(b"\0a\xFF")], false);
        let bytes = frame.encode().unwrap();
        assert_eq!(Frame::decode("l", &bytes).unwrap(), frame);
        assert_eq!(frame.next(), 9);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let kind = Frame::decode("l", &damaged.into()).unwrap_err().kind();
            let format = (MAGIC.len() * 8..MAGIC.len() * 8 + 8).contains(&bit);
            assert!(
                kind == ErrorKind::Corrupt || format && kind == ErrorKind::FormatTooNew,
                "bit {bit}: {kind}"
            );
        }
        for length in 0..bytes.len() {
            assert_eq!(
                Frame::decode("l", &bytes.slice(..length)).unwrap_err().kind(),
                ErrorKind::Corrupt
            );
        }
    }
}
