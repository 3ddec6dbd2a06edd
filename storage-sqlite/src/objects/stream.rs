//! [`Stream`]: a streamed write. It stages pieces in short transactions and publishes them in the last.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use storage_core::{Area, Error, Key, ObjectWriter, Result, Version, WriteRequest};

use super::staging::{discard, generation, publish, stage};
use super::{CHUNK_BYTES, INLINE_BYTES, MAX_OBJECT_BYTES, write};
use crate::store::Inner;

/// How much is staged in one transaction, in bytes: enough that flushing to disk is a small part, little enough that memory stays flat
/// and other writers wait only milliseconds. A multiple of the chunk size.
pub(crate) const STAGE_BYTES: usize = 16 * CHUNK_BYTES;

/// A streamed write.
pub(crate) struct Stream {
    inner: Arc<Inner>,
    area: Area,
    key: Key,
    request: WriteRequest,
    /// What was staged, once there is any.
    generation: Option<i64>,
    /// Bytes staged so far.
    staged: u64,
    buffer: BytesMut,
    failed: bool,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("key", &self.key)
            .field("staged", &self.staged)
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(inner: Arc<Inner>, area: Area, key: &Key, request: WriteRequest) -> Self {
        Self {
            inner,
            area,
            key: key.clone(),
            request,
            generation: None,
            staged: 0,
            buffer: BytesMut::new(),
            failed: false,
        }
    }

    /// Stages bytes: a multiple of the chunk size, unless they are the last.
    async fn stage(&mut self, bytes: Bytes) -> Result<()> {
        let generation = self.begun().await?;
        let handle = Arc::clone(&self.inner.handle);
        let (position, length) = (self.staged / CHUNK_BYTES as u64, bytes.len());
        let work = move |session: &mut crate::connect::Session| {
            stage(
                session,
                &handle,
                generation,
                position,
                std::slice::from_ref(&bytes),
            )
        };
        self.inner.writer.run(length, work).await?;
        self.staged += length as u64;
        Ok(())
    }

    /// The generation, begun in a transaction of its own so that a dropped future cannot lose its number with chunks under it.
    async fn begun(&mut self) -> Result<i64> {
        if let Some(generation) = self.generation {
            return Ok(generation);
        }
        let handle = Arc::clone(&self.inner.handle);
        let begun = self
            .inner
            .writer
            .run(0, move |session| generation(session, &handle))
            .await?;
        self.generation = Some(begun);
        Ok(begun)
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        if self.staged + (self.buffer.len() + bytes.len()) as u64 > MAX_OBJECT_BYTES {
            let got = self.staged + (self.buffer.len() + bytes.len()) as u64;
            return Err(Error::limit_exceeded(
                "the object in bytes",
                MAX_OBJECT_BYTES,
                got,
            ));
        }
        while self.buffer.len() + bytes.len() >= STAGE_BYTES {
            let piece = if self.buffer.is_empty() {
                bytes.split_to(STAGE_BYTES)
            } else {
                let rest = bytes.split_to(STAGE_BYTES - self.buffer.len());
                self.buffer.extend_from_slice(&rest);
                self.buffer.split().freeze()
            };
            self.stage(piece).await?;
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }
}

#[async_trait]
impl ObjectWriter for Stream {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.failed {
            return Err(Error::invalid_argument(
                "this streamed write failed before; begin another",
            ));
        }
        // A write whose future is dropped may have staged some of it, so what follows would be out of place.
        self.failed = true;
        self.take(bytes).await?;
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        if self.failed {
            return Err(Error::invalid_argument(
                "this streamed write failed before; begin another",
            ));
        }
        let inner = Arc::clone(&self.inner);
        let handle = Arc::clone(&inner.handle);
        let (area, key, request) = (self.area, self.key.clone(), std::mem::take(&mut self.request));
        let last = self.buffer.split().freeze();
        if self.generation.is_none() && last.len() <= INLINE_BYTES {
            let work = move |session: &mut crate::connect::Session| {
                write(session, area, &key, &last, &request, &handle)
            };
            return inner.writer.run(INLINE_BYTES, work).await;
        }
        if !last.is_empty() {
            self.stage(last).await?;
        }
        let (generation, size) = (self.begun().await?, self.staged);
        let answer = inner.writer.ask(0, move |session| {
            publish(session, area, &key, &request, &handle, generation, size)
        })?;
        // From here on it is published or freed by the writer; dropping this must not free what an object names.
        self.generation = None;
        match answer.await {
            Ok(Ok(published)) => published,
            Ok(Err(error)) => {
                // The transaction came to nothing. Where it is certain, what was staged is still there.
                self.generation = (error.applied() == storage_core::Applied::No).then_some(generation);
                Err(error)
            }
            Err(_) => Err(crate::writer::ended()),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let Some(generation) = self.generation.take() else {
            return Ok(());
        };
        let handle = Arc::clone(&self.inner.handle);
        self.inner
            .writer
            .run(0, move |session| discard(session, &handle, generation))
            .await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(generation) = self.generation.take() {
            let handle = Arc::clone(&self.inner.handle);
            // Nobody waits. Where it cannot be asked for any more, a later sweep finds the mark.
            let _ = self
                .inner
                .writer
                .ask(0, move |session| discard(session, &handle, generation));
        }
    }
}
