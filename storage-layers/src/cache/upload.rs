//! A streamed write: what was there before it is not given after it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{ObjectWriter, Result, StorageBackend, Version};

use super::Cache;
use super::shelf::Slot;

pub(super) fn over<A: StorageBackend>(
    cache: Arc<Cache<A>>,
    slot: Slot,
    writer: Box<dyn ObjectWriter>,
) -> Box<dyn ObjectWriter> {
    Box::new(Upload { cache, slot, writer })
}

#[derive(Debug)]
struct Upload<A> {
    cache: Arc<Cache<A>>,
    slot: Slot,
    writer: Box<dyn ObjectWriter>,
}

#[async_trait]
impl<A: StorageBackend> ObjectWriter for Upload<A> {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.writer.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        let _writing = self.cache.shelf.writing(self.slot);
        self.writer.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.writer.abort().await
    }
}
