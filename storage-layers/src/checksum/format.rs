//! [`Blake3`]: chunks followed by their hashes.
//!
//! `header 16 | chunk, hash 32 | …`, the header `magic 4 | version 1 | algorithm 1 | flags 1 | log2 of the chunk size 1 | zero 8`. A hash
//! covers the number of its chunk, whether it is the last one, and the chunk.

use std::ops::Range;

use async_trait::async_trait;
use storage_core::{Error, ErrorKind, Result};

use crate::chunked::format::{ChunkReader, ChunkWriter, Format, Place};
use crate::chunked::{DEFAULT_CHUNK_LOG2, Geometry, addressable};

/// Not text, and not the beginning of any known format; the line feed shows what a text mode did to it.
const MAGIC: [u8; 4] = [0xB7, b'S', b'K', b'\n'];

/// The format this version writes, and the newest it reads.
const VERSION: u8 = 1;

/// BLAKE3; the only algorithm there is.
const ALGORITHM: u8 = 1;

const HEADER_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

const HEADER: [u8; HEADER_BYTES] = {
    let mut header = [0; HEADER_BYTES];
    [header[0], header[1], header[2], header[3]] = MAGIC;
    header[4] = VERSION;
    header[5] = ALGORITHM;
    header[7] = DEFAULT_CHUNK_LOG2;
    header
};

/// The format with BLAKE3 in chunks of 64 KiB.
#[derive(Debug)]
pub(super) struct Blake3 {
    geometry: Geometry,
}

impl Blake3 {
    pub(super) const fn new() -> Self {
        Self {
            geometry: Geometry::known(HEADER_BYTES as u64, DEFAULT_CHUNK_LOG2, HASH_BYTES as u64),
        }
    }
}

fn hash(number: u64, last: bool, plain: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&[u8::from(last)]);
    hasher.update(plain);
    hasher.finalize()
}

#[async_trait]
impl Format for Blake3 {
    type Writer = Writer;
    type Reader = Reader;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn begin(&self, _: &Place) -> Result<Writer> {
        Ok(Writer { next: 0 })
    }

    fn open(&self, _: &Place, bytes: &[u8]) -> Result<Reader> {
        if !bytes.starts_with(&MAGIC) {
            return Err(corrupt(
                "it has no checksum: it was written without this layer, or something else wrote here",
            ));
        }
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(corrupt("it was cut short"));
        };
        if header[4] > VERSION || header[5] > ALGORITHM || header[6] != 0 {
            return Err(Error::new(
                ErrorKind::FormatTooNew,
                "its checksums have a format this version does not know; upgrade the program",
            ));
        }
        if *header != HEADER {
            return Err(corrupt("its header was changed"));
        }
        Ok(Reader {
            geometry: self.geometry,
        })
    }

    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    async fn confirm(&self, _: &Self::Writer) -> Result<()> {
        Ok(())
    }

    async fn learns_from(&self, _: &Error) -> bool {
        false
    }
}

/// Writes chunks and their hashes.
#[derive(Debug)]
pub(super) struct Writer {
    next: u64,
}

impl ChunkWriter for Writer {
    fn header(&self) -> &[u8] {
        &HEADER
    }

    fn chunk(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(plain);
        out.extend_from_slice(hash(self.next, last, plain).as_bytes());
        self.next += 1;
        Ok(())
    }
}

/// Checks chunks against their hashes.
#[derive(Debug)]
pub(super) struct Reader {
    geometry: Geometry,
}

impl ChunkReader for Reader {
    fn chunks(&self, chunks: Range<u64>, plain: u64, stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let range = self.geometry.stored_range(&chunks, plain);
        if range.end - range.start != stored.len() as u64 {
            return Err(corrupt("it was cut short"));
        }
        let full = addressable(self.geometry.chunk_bytes())? + HASH_BYTES;
        let last = self.geometry.chunks(plain) - 1;
        for (number, piece) in chunks.zip(stored.chunks(full)) {
            let Some((chunk, expected)) = piece.split_last_chunk::<HASH_BYTES>() else {
                return Err(corrupt("it was cut short"));
            };
            if hash(number, number == last, chunk).as_bytes() != expected {
                return Err(corrupt(
                    "its bytes and its checksum do not fit together: the medium changed them",
                ));
            }
            out.extend_from_slice(chunk);
        }
        Ok(())
    }
}

fn corrupt(problem: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, problem)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use bytes::Bytes;
    use storage_core::{Area, Key};

    use super::*;
    use crate::chunked::format::{decode, encode};

    fn place() -> Place {
        Place::Object(Area::Objects, Key::new("a").unwrap())
    }

    fn stored(length: usize) -> (Vec<u8>, Bytes) {
        let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let stored = encode(&Blake3::new(), &place(), &plain).unwrap();
        (plain, stored)
    }

    #[test]
    fn every_flipped_bit_is_detected() {
        for length in [0, 1, 300] {
            let (_, stored) = stored(length);
            for bit in 0..stored.len() * 8 {
                let mut flipped = stored.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(&Blake3::new(), &place(), &flipped).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_in_any_chunk_and_in_any_hash_is_detected() {
        let (_, stored) = stored(3 * 65536 + 5);
        for at in (0..stored.len()).step_by(97) {
            let mut flipped = stored.to_vec();
            flipped[at] ^= 0x10;
            assert!(decode(&Blake3::new(), &place(), &flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_truncation_is_detected_and_chunks_keep_their_places() {
        let (plain, whole) = stored(2 * 65536 + 5);
        assert!(decode(&Blake3::new(), &place(), &whole).unwrap() == plain);
        for length in (0..whole.len()).rev().step_by(13) {
            assert!(
                decode(&Blake3::new(), &place(), &whole[..length]).is_err(),
                "{length}"
            );
        }
        let chunk = 65536 + HASH_BYTES;
        let mut swapped = whole.to_vec();
        swapped[HEADER_BYTES..HEADER_BYTES + 2 * chunk].rotate_left(chunk);
        assert!(decode(&Blake3::new(), &place(), &swapped).is_err());
        let cut = &whole[..HEADER_BYTES + chunk];
        assert!(
            decode(&Blake3::new(), &place(), cut).is_err(),
            "a chunk that is not the last ends it"
        );
    }

    #[test]
    fn newer_formats_and_plain_data_are_told_apart() {
        let (_, stored) = stored(1);
        for (at, byte, kind) in [
            (0, b'{', ErrorKind::Corrupt),
            (4, 2, ErrorKind::FormatTooNew),
            (5, 2, ErrorKind::FormatTooNew),
            (6, 1, ErrorKind::FormatTooNew),
            (7, 12, ErrorKind::Corrupt),
            (15, 1, ErrorKind::Corrupt),
        ] {
            let mut bytes = stored.to_vec();
            bytes[at] = byte;
            assert_eq!(decode(&Blake3::new(), &place(), &bytes).unwrap_err().kind(), kind);
        }
    }
}
