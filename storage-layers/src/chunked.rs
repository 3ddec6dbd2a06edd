//! Content cut into chunks that are checked one by one: where each lies, and how long the plain bytes are.

pub(crate) mod format;
pub(crate) mod objects;
mod upload;

use std::ops::Range;

use storage_core::{Error, ErrorKind, Result};

/// The chunk size used where none is asked for, as a power of two: 64 KiB.
pub const DEFAULT_CHUNK_LOG2: u8 = 16;

/// The chunk sizes a header may name: 4 KiB to 16 MiB. A reader holds one chunk in memory at least.
pub const CHUNK_LOG2: std::ops::RangeInclusive<u8> = 12..=24;

/// The layout `header | chunk, proof | chunk, proof | …`: every chunk but the last is full, and nothing at all is one empty chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    header: u64,
    chunk: u64,
    proof: u64,
}

impl Geometry {
    /// A header of so many bytes, chunks of `2^chunk_log2` bytes, each followed by a proof of so many.
    ///
    /// # Errors
    /// `Corrupt` for a chunk size outside of [`CHUNK_LOG2`]: it was read from a medium.
    pub fn new(header: u64, chunk_log2: u8, proof: u64) -> Result<Self> {
        if !CHUNK_LOG2.contains(&chunk_log2) {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!(
                    "the header names chunks of 2^{chunk_log2} bytes, and there are only 2^{} to 2^{}",
                    CHUNK_LOG2.start(),
                    CHUNK_LOG2.end()
                ),
            ));
        }
        Ok(Self::known(header, chunk_log2, proof))
    }

    /// The layout with a chunk size this crate chose.
    pub(crate) const fn known(header: u64, chunk_log2: u8, proof: u64) -> Self {
        Self {
            header,
            chunk: 1 << chunk_log2,
            proof,
        }
    }

    /// Bytes in the header.
    pub const fn header_bytes(&self) -> u64 {
        self.header
    }

    /// Plain bytes in a full chunk.
    pub const fn chunk_bytes(&self) -> u64 {
        self.chunk
    }

    /// How many chunks so many plain bytes take; at least one.
    pub const fn chunks(&self, plain: u64) -> u64 {
        if plain == 0 { 1 } else { plain.div_ceil(self.chunk) }
    }

    /// How many bytes are stored for so many plain ones.
    pub const fn stored(&self, plain: u64) -> u64 {
        self.header
            .saturating_add(plain)
            .saturating_add(self.chunks(plain).saturating_mul(self.proof))
    }

    /// The most plain bytes that fit into so many stored ones.
    pub const fn most_plain(&self, stored: u64) -> u64 {
        let body = stored.saturating_sub(self.header);
        let full = body / (self.chunk + self.proof);
        let rest = (body % (self.chunk + self.proof)).saturating_sub(self.proof);
        full * self.chunk + rest
    }

    /// How many plain bytes lie in so many stored ones.
    ///
    /// # Errors
    /// `Corrupt` for a size nothing has: it was cut short.
    pub fn plain(&self, stored: u64) -> Result<u64> {
        let plain = self.most_plain(stored);
        if self.stored(plain) == stored {
            return Ok(plain);
        }
        Err(Error::new(
            ErrorKind::Corrupt,
            format!("it was cut short or added to: nothing stored here is {stored} bytes long"),
        ))
    }

    /// The numbers of the chunks that hold a plain range, in content of `plain` bytes. An empty range needs none.
    pub const fn chunks_of(&self, range: &Range<u64>, plain: u64) -> Range<u64> {
        if range.start >= range.end || range.start >= plain {
            return 0..0;
        }
        range.start / self.chunk..self.chunks(if range.end < plain { range.end } else { plain })
    }

    /// Where these chunks are stored, with their proofs, in content of `plain` bytes.
    pub fn stored_range(&self, chunks: &Range<u64>, plain: u64) -> Range<u64> {
        let at = |number: u64| self.header + number * (self.chunk + self.proof);
        at(chunks.start)..at(chunks.end).min(self.stored(plain))
    }
}

/// A length this machine can hold in memory.
pub(crate) fn addressable(length: u64) -> Result<usize> {
    usize::try_from(length).map_err(|_| {
        Error::new(
            ErrorKind::LimitExceeded,
            "it is larger than this machine can hold in memory",
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn geometry() -> Geometry {
        Geometry::new(88, 12, 16).unwrap()
    }

    #[test]
    fn every_size_around_a_chunk_is_told_apart_from_the_others() {
        let geometry = geometry();
        assert_eq!(geometry.stored(0), 88 + 16);
        let mut sizes = std::collections::HashMap::new();
        for plain in 0..3 * 4096 + 2 {
            assert_eq!(geometry.plain(geometry.stored(plain)).unwrap(), plain);
            assert_eq!(sizes.insert(geometry.stored(plain), plain), None);
        }
        for stored in 0..3 * (4096 + 16) {
            match (geometry.plain(stored), sizes.get(&stored)) {
                (Ok(plain), Some(known)) => assert_eq!(plain, *known),
                (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Corrupt),
                (got, known) => panic!("{stored}: {got:?}, {known:?}"),
            }
        }
    }

    #[test]
    fn chunk_sizes_out_of_bounds_are_refused() {
        for log2 in [0, 11, 25, 255] {
            assert_eq!(Geometry::new(0, log2, 16).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    proptest! {
        #[test]
        fn the_chunks_of_a_range_hold_it(plain in 0_u64..50_000, start in 0_u64..60_000, length in 0_u64..60_000) {
            let geometry = geometry();
            let range = start.min(plain)..(start + length).min(plain);
            let chunks = geometry.chunks_of(&range, plain);
            let stored = geometry.stored_range(&chunks, plain);
            if range.is_empty() {
                prop_assert!(chunks.is_empty());
            } else {
                prop_assert!(chunks.start * 4096 <= range.start && range.end <= chunks.end * 4096);
                prop_assert!(chunks.end <= geometry.chunks(plain));
                let held = (plain.min(chunks.end * 4096) - chunks.start * 4096) + 16 * (chunks.end - chunks.start);
                prop_assert_eq!(stored.end - stored.start, held);
            }
        }

        #[test]
        fn no_size_overflows(stored in any::<u64>()) {
            let _ = geometry().plain(stored);
            let _ = geometry().stored(stored);
        }
    }
}
