//! Streamed writes.

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use storage_core::{ObjectWriter, Result, Version};

use crate::backend::version;
use crate::error::write_failed;

/// A streamed write that shows when it is closed. Dropped, what was staged is the service's to clean up.
pub(crate) struct OpenDalWriter {
    writer: opendal::Writer,
    hasher: Sha256,
}

impl OpenDalWriter {
    pub(crate) fn new(writer: opendal::Writer) -> Self {
        Self {
            writer,
            hasher: Sha256::new(),
        }
    }
}

impl std::fmt::Debug for OpenDalWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenDalWriter").finish_non_exhaustive()
    }
}

#[async_trait]
impl ObjectWriter for OpenDalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.hasher.update(&bytes);
        self.writer.write(bytes).await.map_err(write_failed)
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        self.writer.close().await.map_err(write_failed)?;
        Ok(version(&self.hasher.finalize().into()))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        match self.writer.abort().await {
            // There is nothing to abort where nothing was staged.
            Err(error) if error.kind() == opendal::ErrorKind::Unsupported => Ok(()),
            aborted => aborted.map_err(write_failed),
        }
    }
}
