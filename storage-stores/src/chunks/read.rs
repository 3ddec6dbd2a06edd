//! Reading chunks and whole contents. What is given out has been compared with its hash.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use storage_core::{ByteRange, Error, ErrorKind, Result};

use super::content::{Content, ContentMetadata};
use super::names;
use super::record::{Record, hash};
use super::store::{ChunkStore, document};

/// A chunk, and what it takes to decrypt it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// Which one, the first being 0.
    pub index: u32,
    /// Its bytes, as they were sent.
    pub bytes: Bytes,
    /// Its initialization vector.
    pub iv: Bytes,
}

/// The chunks of a content in order, each verified before it is given out.
pub type ReadContent = BoxStream<'static, Result<Chunk>>;

/// How many chunks are read ahead of the one that is being taken.
const READ_AHEAD: usize = 4;
/// How many records are read in one call.
pub(super) const RECORDS_PER_PAGE: u32 = 1000;

impl ChunkStore {
    /// The bytes of a chunk; `None` when it has not arrived, or there is no such content. An empty chunk is not `None`.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is not what was saved; those of the medium.
    pub async fn get_chunk(&self, content_id: &str, index: u32) -> Result<Option<Bytes>> {
        let chunk = self.read_chunk(content_id, index).await?;
        Ok(chunk.map(|chunk| chunk.bytes))
    }

    /// A chunk with its initialization vector; otherwise as [`get_chunk`](Self::get_chunk).
    ///
    /// # Errors
    /// As [`get_chunk`](Self::get_chunk).
    pub async fn read_chunk(&self, content_id: &str, index: u32) -> Result<Option<Chunk>> {
        let read = async {
            let Some(content) = self.content(content_id).await? else {
                return Ok(None);
            };
            self.chunk_of(&content, index).await
        };
        read.await
            .map_err(|error| self.named(error, "get chunk", content_id))
    }

    pub(super) async fn chunk_of(&self, content: &Content, index: u32) -> Result<Option<Chunk>> {
        let Some(record) = self.record(content, index).await? else {
            return Ok(None);
        };
        if record.current.is_none() {
            return Ok(None);
        }
        let chunk = self.verified(content, index, &record).await?;
        self.touch(content).await;
        Ok(chunk)
    }

    /// What is known about a content; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is not a content; those of the medium.
    pub async fn content_metadata(&self, content_id: &str) -> Result<Option<ContentMetadata>> {
        let found = self.content(content_id).await;
        let found = found.map_err(|error| self.named(error, "read content metadata", content_id))?;
        Ok(found.map(|content| content.metadata))
    }

    /// All chunks of a complete content in order, each verified, and the whole of them before the last is given out.
    ///
    /// # Errors
    /// `NotFound` when there is no such content, or it is not complete, saying how many chunks are missing; those of the medium. The
    /// stream fails with `Corrupt` naming the chunk, and with `NotFound` when the content is deleted meanwhile.
    pub async fn read_content(&self, content_id: &str) -> Result<ReadContent> {
        let content = self.complete_content(content_id, "read content").await?;
        Ok(self.whole(content))
    }

    fn whole(&self, content: Content) -> ReadContent {
        let expected = content.metadata.content_hash;
        let last = content.metadata.total_chunks.saturating_sub(1);
        let id = content.id().to_owned();
        let chunks = self.chunks_in(content, 0..last + 1);
        let verified = chunks.scan(blake3::Hasher::new(), move |hasher, chunk| {
            let checked = chunk.and_then(|chunk| {
                hasher.update(&chunk.bytes);
                if chunk.index == last && expected.is_some_and(|expected| hasher.finalize() != expected) {
                    let message = "its chunks are whole, and are not the content that was completed";
                    return Err(Error::corrupt(&id, message));
                }
                Ok(chunk)
            });
            std::future::ready(Some(checked))
        });
        until_an_error(verified).boxed()
    }

    /// Some bytes of a complete content, cut at its end, to go on with a download that was cut short. Every chunk they lie in is read
    /// and verified whole.
    ///
    /// # Errors
    /// `InvalidArgument` for a range that ends before it begins; as [`read_content`](Self::read_content).
    pub async fn read_range(
        &self,
        content_id: &str,
        range: ByteRange,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        if let ByteRange::Bounded(start, end) = range
            && start > end
        {
            let message = format!("the range {start}..{end} ends before it begins");
            return Err(self.named(Error::invalid_argument(message), "read range", content_id));
        }
        let content = self.complete_content(content_id, "read range").await?;
        let wanted = range.resolve(content.metadata.total_size);
        let (chunks, mut offset) = self.chunks_of(&content, &wanted).await?;
        let parts = self.chunks_in(content, chunks).map_ok(move |chunk| {
            let size = chunk.bytes.len() as u64;
            let within = |at: u64| usize::try_from(at.saturating_sub(offset).min(size)).unwrap_or_default();
            let part = chunk.bytes.slice(within(wanted.start)..within(wanted.end));
            offset += size;
            part
        });
        Ok(until_an_error(parts)
            .try_filter(|part| std::future::ready(!part.is_empty()))
            .boxed())
    }

    /// The chunks that some bytes lie in, and the offset of the first of them.
    async fn chunks_of(&self, content: &Content, wanted: &Range<u64>) -> Result<(Range<u32>, u64)> {
        let total = content.metadata.total_chunks;
        if wanted.is_empty() {
            return Ok((0..0, 0));
        }
        let (mut first, mut first_offset, mut offset) = (0, 0, 0);
        let mut from = 0;
        while from < total {
            let to = total.min(from + RECORDS_PER_PAGE);
            let records = self.records_of(content, from..to).await?;
            for (index, record) in (from..to).zip(records) {
                let Some(piece) = record.and_then(|record| record.current) else {
                    return Err(gone(content, index));
                };
                let end = offset + piece.size;
                if end <= wanted.start {
                    (first, first_offset) = (index + 1, end);
                }
                if end >= wanted.end {
                    return Ok((first..index + 1, first_offset));
                }
                offset = end;
            }
            from = to;
        }
        Ok((first..total, first_offset))
    }

    /// The records of some chunks of this upload, in order.
    pub(super) async fn records_of(
        &self,
        content: &Content,
        indexes: impl IntoIterator<Item = u32> + Clone + Send,
    ) -> Result<Vec<Option<Record>>> {
        let ids = indexes
            .clone()
            .into_iter()
            .map(|index| names::record_id(content.id(), index));
        let found = self.records().get_many(ids.collect::<Vec<_>>()).await?;
        let read = indexes.into_iter().zip(found).map(|(index, found)| match found {
            None => Ok(None),
            Some(found) => {
                let record = Record::read(content.id(), index, found.version, &document(&found.value)?)?;
                Ok(Some(record).filter(|record| record.upload == content.upload))
            }
        });
        read.collect()
    }

    async fn complete_content(&self, content_id: &str, operation: &'static str) -> Result<Content> {
        let found = self.content(content_id).await;
        let found = found.map_err(|error| self.named(error, operation, content_id))?;
        let Some(content) = found else {
            return Err(self.no_content(operation, content_id));
        };
        if !content.metadata.is_complete {
            let missing = self.missing(&content).await?;
            return Err(self.named(incomplete(&content, &missing), operation, content_id));
        }
        self.touch(&content).await;
        Ok(content)
    }

    /// Some chunks in order, each verified, a few read ahead.
    pub(super) fn chunks_in(
        &self,
        content: Content,
        indexes: Range<u32>,
    ) -> impl Stream<Item = Result<Chunk>> + Send + use<> {
        let store = self.clone();
        let content = std::sync::Arc::new(content);
        let reads = indexes.map(move |index| {
            let (store, content) = (store.clone(), std::sync::Arc::clone(&content));
            async move {
                let read = async {
                    let Some(record) = store.record(&content, index).await? else {
                        return Err(store.absent(&content, index).await);
                    };
                    match store.verified(&content, index, &record).await? {
                        Some(chunk) => Ok(chunk),
                        None => Err(store.absent(&content, index).await),
                    }
                };
                read.await
                    .map_err(|error: Error| store.named(error, "read content", content.id()))
            }
        });
        stream::iter(reads).buffered(READ_AHEAD)
    }

    /// A chunk's bytes, if they are what its record names. A second look tells one that is just being replaced from one that is
    /// damaged. `None` when the content was deleted meanwhile.
    pub(super) async fn verified(
        &self,
        content: &Content,
        index: u32,
        record: &Record,
    ) -> Result<Option<Chunk>> {
        let key = content.object_key(index);
        let mut record = record.clone();
        let mut is_there = false;
        for attempt in 0..2 {
            let found = self.objects().read(&key).await?;
            is_there = found.is_some();
            let piece = found.as_ref().and_then(|bytes| record.piece(&hash(bytes)));
            if let (Some(bytes), Some(piece)) = (found, piece) {
                return Ok(Some(Chunk {
                    index,
                    iv: piece.iv.clone(),
                    bytes,
                }));
            }
            if attempt == 0 {
                match self.record(content, index).await? {
                    Some(again) => record = again,
                    None => break,
                }
            }
        }
        match self.content(content.id()).await? {
            Some(now) if now.upload == content.upload => {
                let what = if is_there {
                    "is not what was saved"
                } else {
                    "is gone"
                };
                let message = format!("chunk {index} {what}; send it again");
                Err(Error::corrupt(key, message)
                    .with_context("content", content.id())
                    .with_context("chunk", index.to_string()))
            }
            _ => Ok(None),
        }
    }

    /// Why a chunk of a complete content is not there: the content is gone, or its record is.
    async fn absent(&self, content: &Content, index: u32) -> Error {
        match self.content(content.id()).await {
            Ok(Some(now)) if now.upload == content.upload => gone(content, index),
            Ok(_) => Error::new(
                ErrorKind::NotFound,
                "the content was deleted while it was being read",
            ),
            Err(error) => error,
        }
    }
}

/// A stream that ends with its first error.
fn until_an_error<T: Send>(
    stream: impl Stream<Item = Result<T>> + Send,
) -> impl Stream<Item = Result<T>> + Send {
    stream.scan(false, |failed, item| {
        let ended = std::mem::replace(failed, item.is_err());
        std::future::ready((!ended).then_some(item))
    })
}

fn gone(content: &Content, index: u32) -> Error {
    let entry = format!("chunk_metadata/{}", names::record_id(content.id(), index));
    Error::corrupt(
        entry,
        format!("the record of chunk {index} is gone; send the chunk again"),
    )
    .with_context("content", content.id())
    .with_context("chunk", index.to_string())
}

/// What stands against a content as a whole.
pub(super) fn incomplete(content: &Content, missing: &[u32]) -> Error {
    let total = content.metadata.total_chunks;
    let message = if missing.is_empty() {
        "all chunks are there, and the content was not marked complete".to_owned()
    } else {
        let first: Vec<String> = missing.iter().take(10).map(ToString::to_string).collect();
        let more = if missing.len() > first.len() { ", …" } else { "" };
        format!(
            "{} of {total} chunks are missing: {}{more}",
            missing.len(),
            first.join(", ")
        )
    };
    Error::new(ErrorKind::NotFound, message).with_context("missing", missing.len().to_string())
}
