//! [`ObjectUpload`]: a streamed write.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Storage;
use super::objects::check_digest;
use crate::backend::ObjectWriter;
use crate::error::{Error, Result};
use crate::version::Version;

/// A write of any size, piece by piece. Nothing is visible until [`finish`](Self::finish) returns; dropping it leaves what was
/// there.
#[derive(Debug)]
pub struct ObjectUpload {
    storage: Storage,
    key: String,
    writer: Box<dyn ObjectWriter>,
    written: u64,
    expected: Option<[u8; 32]>,
    hasher: Option<Sha256>,
}

impl ObjectUpload {
    pub(super) fn new(
        storage: Storage,
        key: String,
        writer: Box<dyn ObjectWriter>,
        expected: Option<[u8; 32]>,
    ) -> Self {
        let hasher = expected.map(|_| Sha256::new());
        Self {
            storage,
            key,
            writer,
            written: 0,
            expected,
            hasher,
        }
    }

    /// Takes the next bytes; none is nothing.
    ///
    /// # Errors
    /// `LimitExceeded`; those of the medium. The upload is then of no further use.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        let bytes = bytes.into();
        self.written += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes);
        }
        let (storage, written) = (&self.storage, self.written);
        let writer = &mut self.writer;
        storage
            .call("write object", &self.key, async {
                match storage.declaration().objects.max_object_bytes {
                    Some(limit) if written > limit => {
                        Err(Error::limit_exceeded("the object in bytes", limit, written))
                    }
                    _ => writer.write(bytes).await,
                }
            })
            .await
    }

    /// Publishes what was written, whole and durable.
    ///
    /// # Errors
    /// As [`Objects::write_with`](super::Objects::write_with); the condition is decided now.
    pub async fn finish(self) -> Result<Version> {
        let Self {
            storage,
            key,
            writer,
            expected,
            hasher,
            ..
        } = self;
        let mismatch = match (expected, hasher) {
            (Some(expected), Some(hasher)) => check_digest(expected, hasher.finalize().into()),
            _ => Ok(()),
        };
        storage
            .call("write object", &key, async {
                match mismatch {
                    Ok(()) => writer.finish().await,
                    Err(error) => {
                        writer.abort().await?;
                        Err(error)
                    }
                }
            })
            .await
    }

    /// Gives up and frees what was staged.
    ///
    /// # Errors
    /// What could not be freed; it is swept later.
    pub async fn abort(self) -> Result<()> {
        let Self {
            storage, key, writer, ..
        } = self;
        storage.call("abort write of object", &key, writer.abort()).await
    }
}
