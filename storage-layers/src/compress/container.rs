//! The form of an object: blocks that are compressed one by one, then a table that finds them.
//!
//! `header 16 | block | … | table, 4 for each block | footer 24`, numbers little-endian. The header: `magic 4 | version 1 | flags 1 |
//! log2 of the block size 1 | zero 9`. An entry of the table: the codec's number in the upper 4 bits, the stored length in the lower
//! 28. The footer: `plain length 8 | number of blocks 4 | zero 8 | magic 4`. Every block but the last is full; nothing at all has no
//! block.

use std::ops::Range;

use bytes::Bytes;
use storage_core::{Error, ErrorKind, Object, ObjectMeta, Result};

use crate::compression::{Codec, Compression, Limits, decode};

const MAGIC: [u8; 4] = [0xB7, b'S', b'C', b'\n'];
const VERSION: u8 = 1;
const BLOCK_LOG2: u8 = 18;

/// Plain bytes of a full block: 256 KiB, beyond which codecs gain little and ranges cost more.
pub(super) const BLOCK_BYTES: usize = 1 << BLOCK_LOG2;
pub(super) const HEADER_BYTES: usize = 16;
pub(super) const FOOTER_BYTES: usize = 24;
const LENGTH_BITS: u32 = 28;

/// The most plain bytes that surely fit into so many stored ones: when none shrink.
pub(super) const fn most_plain(stored: u64) -> u64 {
    let left = stored.saturating_sub((HEADER_BYTES + FOOTER_BYTES + 4) as u64);
    left - left / (BLOCK_BYTES as u64 + 4) * 4
}

pub(super) fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4] = VERSION;
    header[6] = BLOCK_LOG2;
    header
}

/// What is written behind the blocks: where they are.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<u8>,
    plain: u64,
}

impl Table {
    /// Appends a block in the form that is smallest.
    pub(super) fn block(&mut self, how: &Compression, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let codec = how.append(plain, out)?;
        let stored = u32::try_from(out.len() - start)
            .ok()
            .filter(|stored| stored >> LENGTH_BITS == 0)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a block of an object is too large"))?;
        let entry = u32::from(codec.number()) << LENGTH_BITS | stored;
        self.entries.extend_from_slice(&entry.to_le_bytes());
        self.plain += plain.len() as u64;
        Ok(())
    }

    pub(super) const fn plain(&self) -> u64 {
        self.plain
    }

    /// Appends the table and the footer.
    pub(super) fn finish(&self, out: &mut Vec<u8>) -> Result<()> {
        let blocks = u32::try_from(self.entries.len() / 4)
            .map_err(|_| Error::new(ErrorKind::LimitExceeded, "an object has at most 2^32 blocks"))?;
        out.extend_from_slice(&self.entries);
        out.extend_from_slice(&self.plain.to_le_bytes());
        out.extend_from_slice(&blocks.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&MAGIC);
        Ok(())
    }
}

/// A whole object in its stored form.
pub(super) fn encode(how: &Compression, plain: &[u8]) -> Result<Bytes> {
    let most = how.its_limits().max_plain_bytes;
    if plain.len() as u64 > most {
        return Err(Error::limit_exceeded(
            "the object in bytes",
            most,
            plain.len() as u64,
        ));
    }
    let mut out = Vec::with_capacity(plain.len() / 2 + 128);
    out.extend_from_slice(&header());
    let mut table = Table::default();
    for block in plain.chunks(BLOCK_BYTES) {
        table.block(how, block, &mut out)?;
    }
    table.finish(&mut out)?;
    Ok(out.into())
}

/// Checks the header.
pub(super) fn check_header(bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(&MAGIC) {
        return Err(not_compressed());
    }
    let Some(found) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(corrupt("it was cut short"));
    };
    if found[4] > VERSION || found[5] != 0 {
        return Err(Error::new(
            ErrorKind::FormatTooNew,
            "it is compressed in a format this version does not know; upgrade the program",
        ));
    }
    if *found != header() {
        return Err(corrupt("its header was changed"));
    }
    Ok(())
}

/// What the footer says: how many bytes were written, in how many blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) plain: u64,
    pub(super) blocks: u32,
}

impl Footer {
    /// Reads the footer at the end of these bytes, in an object of `stored` bytes.
    pub(super) fn read(tail: &[u8], stored: u64) -> Result<Self> {
        let Some((_, footer)) = tail.split_last_chunk::<FOOTER_BYTES>() else {
            return Err(not_compressed());
        };
        if footer[20..] != MAGIC {
            return Err(not_compressed());
        }
        let plain = u64::from_le_bytes(part(footer, 0));
        let blocks = u32::from_le_bytes(part(footer, 8));
        let fits = plain.div_ceil(BLOCK_BYTES as u64) == u64::from(blocks)
            && stored >= (HEADER_BYTES + FOOTER_BYTES) as u64 + 5 * u64::from(blocks);
        if !fits || footer[12..20] != [0; 8] {
            return Err(corrupt("its last bytes contradict themselves"));
        }
        Ok(Self { plain, blocks })
    }

    /// How many bytes at the end of the object are table and footer.
    pub(super) const fn tail_bytes(self) -> u64 {
        4 * self.blocks as u64 + FOOTER_BYTES as u64
    }
}

fn part<const N: usize>(bytes: &[u8; FOOTER_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

/// The facts about what was written, from the end of what is stored.
pub(super) fn plain_meta(tail: &Object) -> Result<ObjectMeta> {
    let footer = Footer::read(&tail.bytes, tail.meta.size)?;
    Ok(ObjectMeta {
        size: footer.plain,
        ..tail.meta.clone()
    })
}

/// Where the blocks are, checked against the size of the object.
#[derive(Debug)]
pub(super) struct Layout {
    footer: Footer,
    /// Codec and place of every block.
    blocks: Vec<(Codec, Range<u64>)>,
}

impl Layout {
    /// Reads table and footer, which `tail` ends with, of an object of `stored` bytes.
    pub(super) fn read(tail: &[u8], stored: u64, limits: Limits) -> Result<Self> {
        let footer = Footer::read(tail, stored)?;
        let start = usize::try_from(footer.tail_bytes())
            .ok()
            .and_then(|bytes| tail.len().checked_sub(bytes))
            .ok_or_else(|| corrupt("its table was cut short"))?;
        let mut blocks = Vec::with_capacity(footer.blocks as usize);
        let mut at = HEADER_BYTES as u64;
        let table = &tail[start..tail.len() - FOOTER_BYTES];
        for (number, entry) in table.chunks_exact(4).enumerate() {
            let entry = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
            let length = u64::from(entry & ((1 << LENGTH_BITS) - 1));
            let codec = u8::try_from(entry >> LENGTH_BITS)
                .ok()
                .and_then(Codec::from_number)
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::FormatTooNew,
                        "it is compressed by a codec this version does not know; upgrade the program",
                    )
                })?;
            let plain = block_range(number as u64, footer.plain);
            let plain = plain.end - plain.start;
            if codec == Codec::None && length != plain {
                return Err(corrupt("its table contradicts itself"));
            }
            limits.check(codec, plain, length)?;
            blocks.push((codec, at..at + length));
            at += length;
        }
        if at + footer.tail_bytes() != stored {
            return Err(corrupt("its table and its size do not fit together"));
        }
        Ok(Self { footer, blocks })
    }

    pub(super) const fn plain(&self) -> u64 {
        self.footer.plain
    }

    /// The numbers of the blocks that hold a plain range.
    pub(super) const fn blocks_of(&self, range: &Range<u64>) -> Range<usize> {
        if range.start >= range.end {
            return 0..0;
        }
        #[allow(clippy::cast_possible_truncation, reason = "there are at most 2^32 blocks")]
        let blocks =
            (range.start / BLOCK_BYTES as u64) as usize..range.end.div_ceil(BLOCK_BYTES as u64) as usize;
        blocks
    }

    /// Where these blocks are stored, one after another.
    pub(super) fn stored_range(&self, blocks: &Range<usize>) -> Range<u64> {
        match (
            self.blocks.get(blocks.start),
            blocks.end.checked_sub(1).and_then(|last| self.blocks.get(last)),
        ) {
            (Some((_, first)), Some((_, last))) => first.start..last.end,
            _ => 0..0,
        }
    }

    /// What these blocks hold; `stored` is exactly they.
    pub(super) fn decode(&self, blocks: Range<usize>, stored: &[u8]) -> Result<Vec<u8>> {
        let place = self.stored_range(&blocks);
        if place.end - place.start != stored.len() as u64 {
            return Err(corrupt("it was cut short"));
        }
        let whole = usize::try_from(self.footer.plain).unwrap_or(usize::MAX);
        let mut out = Vec::with_capacity((blocks.end - blocks.start).saturating_mul(BLOCK_BYTES).min(whole));
        for number in blocks {
            let Some((codec, at)) = self.blocks.get(number) else {
                return Err(corrupt("its table was cut short"));
            };
            #[allow(clippy::cast_possible_truncation, reason = "within what is in memory")]
            let piece = &stored[(at.start - place.start) as usize..(at.end - place.start) as usize];
            let plain = block_range(number as u64, self.footer.plain);
            #[allow(clippy::cast_possible_truncation, reason = "at most one block")]
            decode(*codec, piece, (plain.end - plain.start) as usize, &mut out)?;
        }
        Ok(out)
    }
}

const fn block_range(number: u64, plain: u64) -> Range<u64> {
    let start = number * BLOCK_BYTES as u64;
    let end = start + BLOCK_BYTES as u64;
    start..if end < plain { end } else { plain }
}

fn not_compressed() -> Error {
    corrupt(
        "it is not compressed: it was written without this layer, cut short, or something else wrote here",
    )
}

fn corrupt(problem: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, problem)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn how(codec: Codec) -> Compression {
        Compression::new(codec).threshold(0)
    }

    fn whole(stored: &[u8]) -> Result<Vec<u8>> {
        check_header(stored)?;
        let layout = Layout::read(stored, stored.len() as u64, Limits::new())?;
        let blocks = 0..layout.blocks.len();
        let body = layout.stored_range(&blocks);
        layout.decode(blocks, &stored[body.start as usize..body.end as usize])
    }

    fn text(length: usize) -> Vec<u8> {
        (0..)
            .flat_map(|n: u32| format!("{n},").into_bytes())
            .take(length)
            .collect()
    }

    #[test]
    fn every_codec_and_length_comes_back() {
        for codec in Codec::ALL {
            for length in [
                0,
                1,
                1000,
                BLOCK_BYTES - 1,
                BLOCK_BYTES,
                BLOCK_BYTES + 1,
                3 * BLOCK_BYTES + 7,
            ] {
                let stored = encode(&how(*codec), &text(length)).unwrap();
                assert!(whole(&stored).unwrap() == text(length), "{codec} {length}");
                assert!(most_plain(stored.len() as u64) <= length as u64 || *codec != Codec::None);
            }
        }
    }

    #[test]
    fn what_does_not_shrink_takes_no_more_room_than_declared() {
        for length in [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 3] {
            let stored = encode(&how(Codec::None), &text(length)).unwrap().len() as u64;
            let most = most_plain(stored);
            assert!(encode(&how(Codec::None), &text(most as usize)).unwrap().len() as u64 <= stored);
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let stored = encode(&how(Codec::Zstd), &text(BLOCK_BYTES + 100)).unwrap();
        for length in (0..stored.len())
            .step_by(11)
            .chain(stored.len() - 60..stored.len())
        {
            assert!(whole(&stored[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn bombs_are_refused_by_their_table() {
        let stored = encode(&how(Codec::Zstd), &vec![0; 4 << 20]).unwrap();
        let small = Limits::new().max_ratio(20);
        let refused = Layout::read(&stored, stored.len() as u64, small).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    }

    proptest! {
        #[test]
        fn damaged_ends_are_errors_or_layouts(flips in proptest::collection::vec((0_usize..64, any::<u8>()), 1..8)) {
            let mut stored = encode(&how(Codec::Lz4), &text(BLOCK_BYTES + 5)).unwrap().to_vec();
            let length = stored.len();
            for (back, byte) in flips {
                stored[length - 1 - back] = byte;
            }
            let _ = whole(&stored);
        }

        #[test]
        fn any_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(whole(&bytes).is_err());
        }
    }
}
