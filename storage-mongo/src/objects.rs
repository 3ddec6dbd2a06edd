//! Objects: a head for each, with the bytes of small ones in it; larger ones as chunks under a blob that the head names.
//!
//! | collection | document |
//! |---|---|
//! | `_storage.objects`, `_storage.overlay` | `{ _id: key, version, size, modified, data }` or `{ …, blob, chunk_bytes }` |
//! | `_storage.chunks` | `{ _id: { b: blob, n: 0, 1, … }, d: bytes }` |
//! | `_storage.uploads` | `{ _id: blob, touched, state: "open" or "committed" or "dead" }` |
//!
//! A blob is written once and named by at most one head, once: what replaces it has a blob of its own. A large object is written in
//! these steps, and is visible from the fourth on: record the upload as open, write the chunks, turn the record to committed, replace the
//! head in one conditional write, remove the record and the replaced blob. `sweep` takes an upload that rested too long by turning its
//! record from open to dead, so that of a slow writer and the sweep exactly one goes on.

mod delete;
mod head;
mod list;
mod publish;
mod read;
mod stream;
mod upload;

use std::sync::Arc;

use bytes::Bytes;
use mongodb::Collection;
use storage_core::{Area, Key, Result, Version, WriteRequest};

pub(crate) use self::delete::{delete, delete_many};
pub(crate) use self::head::Blob;
use self::head::{Content, Head};
pub(crate) use self::list::list;
use self::publish::publish;
pub(crate) use self::read::{copy, read, stat};
pub(crate) use self::stream::Stream;
use self::upload::Upload;
pub(crate) use self::upload::{remove_chunks, state};
use crate::names;
use crate::store::Inner;

/// The largest object that stays in its head, in bytes: up to here one exchange reads it and one writes it.
const INLINE_BYTES: usize = 256 * 1024;
/// The size of a chunk: well under the 16 MiB of a document, and what a stream asks for at a time.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// The collection of an area's heads.
pub(crate) const fn heads(area: Area) -> &'static str {
    match area {
        Area::Objects => names::OBJECTS,
        Area::Overlay => names::OVERLAY,
    }
}

fn heads_of<T: Send + Sync>(inner: &Inner, area: Area) -> Collection<T> {
    inner.collection(heads(area))
}

/// Writes an object that is in memory.
pub(crate) async fn write(
    inner: &Arc<Inner>,
    area: Area,
    key: &Key,
    bytes: Bytes,
    request: WriteRequest,
) -> Result<Version> {
    if bytes.len() <= INLINE_BYTES {
        let head = Head::new(bytes.len() as u64, Content::Inline(bytes));
        return publish(inner, area, key, &head, &request).await;
    }
    let mut upload = Upload::begin(inner).await?;
    if let Err(error) = upload.stage(bytes).await {
        upload.discard().await;
        return Err(error);
    }
    upload.finish(area, key, &request).await
}
