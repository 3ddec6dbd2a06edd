//! [`Stream`]: a streamed write. It uploads pieces as they come and publishes them at the end.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use storage_core::{Area, Error, Key, ObjectWriter, Result, Version, WriteRequest};

use super::INLINE_BYTES;
use super::upload::{STAGE_BYTES, Upload};
use crate::store::Inner;

/// A streamed write.
pub(crate) struct Stream {
    inner: Arc<Inner>,
    area: Area,
    key: Key,
    request: WriteRequest,
    /// What was staged, once there is any.
    upload: Option<Upload>,
    buffer: BytesMut,
    failed: bool,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("key", &self.key)
            .field("staged", &self.upload.as_ref().map_or(0, Upload::size))
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
            upload: None,
            buffer: BytesMut::new(),
            failed: false,
        }
    }

    /// Stages bytes in a task of its own, which ends also when this is dropped; the upload is then discarded there.
    async fn stage(&mut self, bytes: Bytes) -> Result<()> {
        let kept = Kept(self.upload.take());
        let inner = Arc::clone(&self.inner);
        let staged = self.inner.whole(async move {
            let mut kept = kept;
            if kept.0.is_none() {
                kept.0 = Some(Upload::begin(&inner).await?);
            }
            let result = match &mut kept.0 {
                Some(upload) => upload.stage(bytes).await,
                None => Ok(()),
            };
            result.map(|()| kept)
        });
        self.upload = staged.await?.take();
        Ok(())
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
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
            return Err(failed());
        }
        // A write whose future is dropped may have staged some of it, so what follows would be out of place.
        self.failed = true;
        self.take(bytes).await?;
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        if self.failed {
            return Err(failed());
        }
        let last = self.buffer.split().freeze();
        let inner = Arc::clone(&self.inner);
        let (area, key, request) = (self.area, self.key.clone(), std::mem::take(&mut self.request));
        if self.upload.is_none() && last.len() <= INLINE_BYTES {
            let write = {
                let inner = Arc::clone(&inner);
                async move { super::write(&inner, area, &key, last, request).await }
            };
            return inner.whole(write).await;
        }
        if !last.is_empty() {
            self.stage(last).await?;
        }
        let mut kept = Kept(self.upload.take());
        let finish = async move {
            match kept.0.take() {
                Some(upload) => upload.finish(area, &key, &request).await,
                None => Err(failed()),
            }
        };
        inner.whole(finish).await
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        if let Some(upload) = self.upload.take() {
            self.inner
                .whole(async move {
                    upload.discard().await;
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(Kept(self.upload.take()));
    }
}

fn failed() -> Error {
    Error::invalid_argument("this streamed write failed before; begin another")
}

/// An upload that is discarded when nobody takes it on: where the writer is dropped, where staging fails, and where the answer of a
/// staging finds nobody waiting.
struct Kept(Option<Upload>);

impl Kept {
    fn take(mut self) -> Option<Upload> {
        self.0.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(upload) = self.0.take() {
            upload.discard_later();
        }
    }
}
