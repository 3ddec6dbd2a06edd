//! [`ObjectReader`]: a stream over an object of any size.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};

use super::objects::Objects;
use crate::backend::{ByteRange, ObjectMeta, ReadRequest};
use crate::error::{Error, Result};

/// How much one read asks for: large enough to hide a round trip, small enough that many streams fit in memory.
const BYTES_PER_READ: u64 = 1024 * 1024;

/// The bytes of one version of an object, piece by piece.
pub struct ObjectReader {
    meta: ObjectMeta,
    pieces: BoxStream<'static, Result<Bytes>>,
}

impl ObjectReader {
    pub(super) fn new(objects: Objects, key: String, meta: ObjectMeta) -> Self {
        let (size, version) = (meta.size, meta.version.clone());
        let pieces = futures::stream::try_unfold(0, move |offset| {
            let (objects, key, version) = (objects.clone(), key.clone(), version.clone());
            async move {
                if offset >= size {
                    return Ok(None);
                }
                let request = ReadRequest {
                    range: Some(ByteRange::Bounded(offset, size.min(offset + BYTES_PER_READ))),
                    if_version: Some(version),
                    unless_version: None,
                };
                let Some(object) = objects.read_with(&key, request).await? else {
                    return Err(Error::precondition_failed(None)
                        .with_operation("read object")
                        .with_key(key));
                };
                Ok(Some((object.bytes, object.range.end)))
            }
        });
        Self {
            meta,
            pieces: pieces.boxed(),
        }
    }

    /// Facts about the version that is read.
    pub const fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
}

impl Stream for ObjectReader {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next_unpin(context)
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectReader")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
