//! [`ChunkedUpload`]: a streamed write, chunk by chunk.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{ObjectWriter, Result, Version};

use super::format::{ChunkWriter, Format};

/// A streamed write. The last chunk is told apart from the others, so one is always held back.
#[derive(Debug)]
pub(super) struct ChunkedUpload<F: Format> {
    inner: Box<dyn ObjectWriter>,
    format: Arc<F>,
    writer: F::Writer,
    held: Vec<u8>,
    full: usize,
    begun: bool,
}

impl<F: Format> ChunkedUpload<F> {
    pub(super) const fn new(
        inner: Box<dyn ObjectWriter>,
        format: Arc<F>,
        writer: F::Writer,
        full: usize,
    ) -> Self {
        Self {
            inner,
            format,
            writer,
            held: Vec::new(),
            full,
            begun: false,
        }
    }

    /// The header, where nothing was written yet.
    fn beginning(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.begun, true) {
            Vec::new()
        } else {
            self.writer.header().to_vec()
        }
    }
}

#[async_trait]
impl<F: Format> ObjectWriter for ChunkedUpload<F> {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let mut rest = &bytes[..];
        if self.held.len() + rest.len() <= self.full {
            self.held.extend_from_slice(rest);
            return Ok(());
        }
        let mut out = self.beginning();
        while self.held.len() + rest.len() > self.full {
            if self.held.is_empty() {
                let (chunk, more) = rest.split_at(self.full);
                self.writer.chunk(chunk, false, &mut out)?;
                rest = more;
            } else {
                let (filling, more) = rest.split_at(self.full - self.held.len());
                self.held.extend_from_slice(filling);
                self.writer.chunk(&self.held, false, &mut out)?;
                self.held.clear();
                rest = more;
            }
        }
        self.held.extend_from_slice(rest);
        self.inner.write(out.into()).await
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        let mut out = self.beginning();
        self.writer.chunk(&self.held, true, &mut out)?;
        self.inner.write(out.into()).await?;
        if let Err(refused) = self.format.confirm(&self.writer).await {
            self.inner.abort().await?;
            return Err(refused);
        }
        self.inner.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}
