//! A streamed write through a layer that treats every call alike: each of its steps is a call.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{Area, Key, ObjectWriter, Result, StorageBackend, Version, WriteRequest};

use crate::call::{Answer, Around, Call, Operation};

/// Opens one below and gives one that goes through the layer.
pub(crate) async fn open<L: Around, B: StorageBackend + ?Sized>(
    layer: Arc<L>,
    inner: Arc<B>,
    area: Area,
    key: &Key,
    request: WriteRequest,
) -> Result<Box<dyn ObjectWriter>> {
    let call = Call::object(Operation::OpenWriter, area, key);
    let opening = async move { inner.open_writer(area, key, request).await.map(Opened) };
    let Opened(inner) = layer.around(call, Box::pin(opening)).await?;
    let key = key.clone();
    Ok(Box::new(Writer {
        layer,
        inner,
        area,
        key,
    }))
}

/// The writer as an answer. By itself the compiler does not see that it outlives every call.
struct Opened(Box<dyn ObjectWriter>);

impl Answer for Opened {
    fn received(&self) -> u64 {
        0
    }
}

#[derive(Debug)]
struct Writer<L> {
    layer: Arc<L>,
    inner: Box<dyn ObjectWriter>,
    area: Area,
    key: Key,
}

#[async_trait]
impl<L: Around> ObjectWriter for Writer<L> {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let call = Call::object(Operation::WritePart, self.area, &self.key).sends(bytes.len());
        self.layer.around(call, self.inner.write(bytes)).await
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        let call = Call::object(Operation::FinishWrite, self.area, &self.key);
        self.layer.around(call, self.inner.finish()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let call = Call::object(Operation::AbortWrite, self.area, &self.key);
        self.layer.around(call, self.inner.abort()).await
    }
}
