//! [`Format`]: a way to keep content in chunks that are checked one by one.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{Area, Error, Key, Name, Result};

use super::Geometry;
use crate::entries::Entries;

/// Where a value lies.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "encryption"),
    allow(dead_code, reason = "only seals are bound to a place")
)]
pub(crate) enum Place {
    Object(Area, Key),
    Log(Name),
}

/// A way to keep content in chunks.
#[async_trait]
pub(crate) trait Format: fmt::Debug + Send + Sync + 'static {
    type Writer: ChunkWriter;
    type Reader: ChunkReader;

    /// Where chunks lie, for every value of this layer.
    fn geometry(&self) -> Geometry;

    /// Begins a new value.
    fn begin(&self, place: &Place) -> Result<Self::Writer>;

    /// Reads the header a value begins with; `bytes` may go on behind it, or be too short.
    fn open(&self, place: &Place, bytes: &[u8]) -> Result<Self::Reader>;

    /// Makes ready to write.
    async fn prepare(&self) -> Result<()>;

    /// Makes sure that what this writer wrote may still be published, however long it took.
    async fn confirm(&self, writer: &Self::Writer) -> Result<()>;

    /// Whether something was learned since this error, so that another look makes sense.
    async fn learns_from(&self, error: &Error) -> bool;
}

/// Writes one value, chunk by chunk.
pub(crate) trait ChunkWriter: fmt::Debug + Send + 'static {
    /// What the value begins with.
    fn header(&self) -> &[u8];

    /// Appends a chunk and its proof.
    fn chunk(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()>;
}

/// Reads one value.
pub(crate) trait ChunkReader: Send + 'static {
    /// Appends what these chunks hold, in content of `plain` bytes; `stored` is exactly them and their proofs. What was not verified is
    /// not appended.
    fn chunks(&self, chunks: Range<u64>, plain: u64, stored: &[u8], out: &mut Vec<u8>) -> Result<()>;
}

/// A whole value in this format.
pub(crate) fn encode<F: Format>(format: &F, place: &Place, plain: &[u8]) -> Result<Bytes> {
    let geometry = format.geometry();
    let mut writer = format.begin(place)?;
    let mut out = Vec::with_capacity(super::addressable(geometry.stored(plain.len() as u64))?);
    out.extend_from_slice(writer.header());
    let full = super::addressable(geometry.chunk_bytes())?;
    let mut rest = plain;
    loop {
        let (chunk, more) = rest.split_at(rest.len().min(full));
        writer.chunk(chunk, more.is_empty(), &mut out)?;
        rest = more;
        if rest.is_empty() {
            return Ok(out.into());
        }
    }
}

/// The value that is kept so.
pub(crate) fn decode<F: Format>(format: &F, place: &Place, stored: &[u8]) -> Result<Bytes> {
    let geometry = format.geometry();
    let reader = format.open(place, stored)?;
    let plain = geometry.plain(stored.len() as u64)?;
    let mut out = Vec::with_capacity(super::addressable(plain)?);
    let body = &stored[super::addressable(geometry.header_bytes())?..];
    reader.chunks(0..geometry.chunks(plain), plain, body, &mut out)?;
    Ok(out.into())
}

#[async_trait]
impl<F: Format> Entries for F {
    async fn prepare(&self) -> Result<()> {
        Format::prepare(self).await
    }

    async fn learns_from(&self, error: &Error) -> bool {
        Format::learns_from(self, error).await
    }

    fn encode(&self, log: &Name, plain: &Bytes) -> Result<Bytes> {
        encode(self, &Place::Log(log.clone()), plain)
    }

    fn decode(&self, log: &Name, stored: &Bytes) -> Result<Bytes> {
        decode(self, &Place::Log(log.clone()), stored)
    }
}
