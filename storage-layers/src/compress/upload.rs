//! [`CompressedUpload`]: a streamed write, block by block.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{Error, ObjectWriter, Result, Version};

use super::container::{BLOCK_BYTES, Table, header};
use crate::compression::Compression;

/// A streamed write. It holds less than one block, and four bytes for each before.
#[derive(Debug)]
pub(super) struct CompressedUpload {
    inner: Box<dyn ObjectWriter>,
    how: Arc<Compression>,
    table: Table,
    held: Vec<u8>,
    /// What is compressed and not handed on yet.
    out: Vec<u8>,
}

impl CompressedUpload {
    pub(super) fn new(inner: Box<dyn ObjectWriter>, how: Arc<Compression>) -> Self {
        Self {
            inner,
            how,
            table: Table::default(),
            held: Vec::new(),
            out: header().to_vec(),
        }
    }

    /// Hands on what is compressed.
    async fn flush(&mut self) -> Result<()> {
        let out = std::mem::take(&mut self.out);
        if out.is_empty() {
            return Ok(());
        }
        self.inner.write(out.into()).await
    }
}

#[async_trait]
impl ObjectWriter for CompressedUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let most = self.how.its_limits().max_plain_bytes;
        let total = self.table.plain() + (self.held.len() + bytes.len()) as u64;
        if total > most {
            return Err(Error::limit_exceeded("the object in bytes", most, total));
        }
        let mut rest = &bytes[..];
        while self.held.len() + rest.len() >= BLOCK_BYTES {
            let (filling, more) = rest.split_at(BLOCK_BYTES - self.held.len());
            if self.held.is_empty() {
                self.table.block(&self.how, filling, &mut self.out)?;
            } else {
                self.held.extend_from_slice(filling);
                self.table.block(&self.how, &self.held, &mut self.out)?;
                self.held.clear();
            }
            rest = more;
            self.flush().await?;
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        if !self.held.is_empty() {
            self.table.block(&self.how, &self.held, &mut self.out)?;
        }
        self.table.finish(&mut self.out)?;
        self.flush().await?;
        self.inner.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}
