//! [`Upload`]: the chunks of a large object, under a blob no head names yet, so nobody sees them.

use std::sync::Arc;
use std::time::Instant;

use bson::raw::{RawBinaryRef, RawBsonRef, cstr};
use bson::spec::BinarySubtype;
use bson::{DateTime, Document, RawDocumentBuf, doc};
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::{Applied, Area, Error, ErrorKind, Key, Result, Version, WriteRequest};

use super::CHUNK_BYTES;
use super::head::{Blob, Content, Head};
use super::publish::publish;
use crate::names;
use crate::store::Inner;

/// How many chunks one insert takes: enough that the server's flush is a small part, little enough that it ends well within the time of an
/// operation and memory stays flat.
const CHUNKS_PER_INSERT: usize = 4;
/// How many inserts are on their way at a time.
const PARALLEL_INSERTS: usize = 3;
/// How many bytes [`Upload::stage`] should be given at a time, so that all its inserts are busy.
pub(super) const STAGE_BYTES: usize = CHUNKS_PER_INSERT * PARALLEL_INSERTS * CHUNK_BYTES;
/// The part of the age at which sweep takes an upload after which one that goes on says so.
const TOUCH_PART: u32 = 4;

/// What an upload's record says of it.
pub(crate) mod state {
    /// Chunks are being written.
    pub(crate) const OPEN: &str = "open";
    /// All chunks are written, and a head is about to name them.
    pub(crate) const COMMITTED: &str = "committed";
    /// Sweep is removing it.
    pub(crate) const DEAD: &str = "dead";
}

/// A large object that is being written. Whoever has one must finish or discard it; `sweep` does after a crash.
pub(super) struct Upload {
    inner: Arc<Inner>,
    blob: Blob,
    chunks: i64,
    size: u64,
    touched: Instant,
}

impl Upload {
    /// Records a new one. That comes before any chunk, so that there is no chunk whose upload sweep does not know.
    pub(super) async fn begin(inner: &Arc<Inner>) -> Result<Self> {
        let blob = Blob::random();
        let record = doc! { "_id": blob.to_bson(), "touched": DateTime::now(), "state": state::OPEN };
        inner
            .write(inner.collection::<Document>(names::UPLOADS).insert_one(record))
            .await
            .map_err(not_applied)?;
        Ok(Self {
            inner: Arc::clone(inner),
            blob,
            chunks: 0,
            size: 0,
            touched: Instant::now(),
        })
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Writes the next bytes: a multiple of the chunk size, unless they are the last.
    pub(super) async fn stage(&mut self, mut bytes: Bytes) -> Result<()> {
        self.touch().await?;
        let mut inserts = FuturesUnordered::new();
        let mut result = Ok(());
        while !bytes.is_empty() && result.is_ok() {
            let taken = bytes.split_to(bytes.len().min(CHUNKS_PER_INSERT * CHUNK_BYTES));
            let first = self.chunks;
            // At most CHUNKS_PER_INSERT of them.
            self.chunks += i64::try_from(taken.len().div_ceil(CHUNK_BYTES)).unwrap_or(i64::MAX);
            self.size += taken.len() as u64;
            inserts.push(insert(&self.inner, self.blob, first, taken));
            if inserts.len() == PARALLEL_INSERTS {
                result = inserts.next().await.unwrap_or(Ok(()));
            }
        }
        // All of them are waited for also after a failure, so that none is still on its way when the chunks are discarded.
        while let Some(inserted) = inserts.next().await {
            result = result.and(inserted);
        }
        result.map_err(not_applied)
    }

    /// Says from time to time that the upload goes on.
    async fn touch(&mut self) -> Result<()> {
        if self.touched.elapsed() < self.inner.config.upload_age / TOUCH_PART {
            return Ok(());
        }
        let begun = Instant::now();
        self.change(state::OPEN, state::OPEN).await?;
        self.touched = begun;
        Ok(())
    }

    /// Turns the record from one state to another, unless sweep was first.
    async fn change(&self, from: &str, to: &str) -> Result<()> {
        let is = doc! { "_id": self.blob.to_bson(), "state": from };
        let becomes = doc! { "$set": { "state": to, "touched": DateTime::now() } };
        let records = self.inner.collection::<Document>(names::UPLOADS);
        let changed = self
            .inner
            .write(records.update_one(is, becomes))
            .await
            .map_err(not_applied)?;
        if changed.matched_count == 0 {
            return Err(swept());
        }
        Ok(())
    }

    /// Makes an object of it. What is refused is discarded.
    pub(super) async fn finish(self, area: Area, key: &Key, request: &WriteRequest) -> Result<Version> {
        if let Err(error) = self.change(state::OPEN, state::COMMITTED).await {
            self.discard().await;
            return Err(error);
        }
        let content = Content::Chunks {
            blob: self.blob,
            chunk_bytes: CHUNK_BYTES as u64,
        };
        let published = publish(&self.inner, area, key, &Head::new(self.size, content), request).await;
        match &published {
            Ok(_) => self.forget().await,
            Err(error) if error.applied() == Applied::No => self.discard().await,
            // A head may name the chunks now, or later. The record keeps them.
            Err(_) => {}
        }
        published
    }

    /// Removes the record alone: a head names the chunks.
    async fn forget(&self) {
        let records = self.inner.collection::<Document>(names::UPLOADS);
        let removed = self
            .inner
            .write(records.delete_one(doc! { "_id": self.blob.to_bson() }))
            .await;
        if let Err(error) = removed {
            tracing::debug!(%error, blob = ?self.blob, "left the record of an upload to the next sweep");
        }
    }

    /// Removes the chunks, then the record: until they are gone it says that they are to go.
    pub(super) async fn discard(&self) {
        match remove_chunks(&self.inner, &[self.blob]).await {
            Ok(()) => self.forget().await,
            Err(error) => tracing::debug!(%error, blob = ?self.blob, "left an upload to the next sweep"),
        }
    }
}

impl Upload {
    /// Discards it in a task of its own, for which closing waits. Where there is no runtime any more, or the handle is closed, sweep does it.
    pub(super) fn discard_later(self) {
        let inner = Arc::clone(&self.inner);
        if let (Ok(busy), Ok(runtime)) = (inner.begin(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                self.discard().await;
                drop(busy);
            });
        }
    }
}

async fn insert(inner: &Inner, blob: Blob, first: i64, bytes: Bytes) -> Result<()> {
    let chunks: Vec<RawDocumentBuf> = (first..)
        .zip(bytes.chunks(CHUNK_BYTES))
        .map(|(number, bytes)| chunk(blob, number, bytes))
        .collect();
    inner
        .write(
            inner
                .collection::<RawDocumentBuf>(names::CHUNKS)
                .insert_many(chunks),
        )
        .await
        .map(drop)
}

fn chunk(blob: Blob, number: i64, bytes: &[u8]) -> RawDocumentBuf {
    let mut id = RawDocumentBuf::new();
    id.append(cstr!("b"), RawBsonRef::Binary(blob.as_raw()));
    id.append(cstr!("n"), number);
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), id);
    let data = RawBinaryRef {
        subtype: BinarySubtype::Generic,
        bytes,
    };
    document.append(cstr!("d"), RawBsonRef::Binary(data));
    document
}

/// The chunks of a blob from one number to another, both included.
pub(super) fn chunks_of(blob: Blob, first: i64, last: i64) -> Document {
    doc! { "_id": {
        "$gte": { "b": blob.to_bson(), "n": first },
        "$lte": { "b": blob.to_bson(), "n": last },
    } }
}

/// Removes all chunks of blobs that no head names, and none will.
pub(crate) async fn remove_chunks(inner: &Inner, blobs: &[Blob]) -> Result<()> {
    let chunks = inner.collection::<Document>(names::CHUNKS);
    for blob in blobs {
        inner
            .write(chunks.delete_many(chunks_of(*blob, 0, i64::MAX)))
            .await?;
    }
    Ok(())
}

/// Whatever became of a step before the head is replaced, the object is as it was.
fn not_applied(error: Error) -> Error {
    error.with_applied(Applied::No)
}

fn swept() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the write rested so long that it was swept; write the object again",
    )
}
