//! [`Checksum`]: what the medium changed is refused when it is read.

mod format;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, Area, Declaration, Key, ListPage, ListRequest, LogPage, Name, Object,
    ObjectMeta, ObjectWriter, ReadRequest, Result, StorageAdapter, StorageBackend, Version, WriteRequest,
};

use self::format::Blake3;
use crate::chunked::objects::ChunkedObjects;
use crate::entries;
use crate::forward::forward;

/// Keeps a BLAKE3 hash beside every 64 KiB of objects and beside every entry of a log, and checks it whenever they are read, ranges
/// included. A bit that flipped, a part that was cut off or put elsewhere is `Corrupt`, never other bytes.
///
/// It promises nothing about somebody who changes data on purpose and writes hashes to match: that takes
/// `Encrypt`, which needs no `Checksum` around it. Nor does it notice when all of an object is put under another name, or
/// an older state of it comes back. Documents are passed on as they are.
///
/// What a store holds is read by the layer that wrote it: plain data under it is `Corrupt`.
///
/// # Cost
/// Hashing, and 32 bytes for each 64 KiB begun and 16 for each object and entry. A range costs the chunks it lies in and, where it
/// does not begin in the first, one more small read for the header.
///
/// # Declaration
/// Sizes shrink by what hashes take; `presign` is absent, because what is stored is not what was written.
#[derive(Debug)]
pub struct Checksum<A: ?Sized> {
    declaration: Declaration,
    objects: ChunkedObjects<A, Blake3>,
    format: Arc<Blake3>,
    inner: Arc<A>,
}

impl<A: StorageBackend> Checksum<A> {
    /// Checksums over what this adapter or backend keeps.
    pub fn new(inner: A) -> Self {
        let (inner, format) = (Arc::new(inner), Arc::new(Blake3::new()));
        let objects = ChunkedObjects::new(Arc::clone(&inner), Arc::clone(&format));
        Self {
            declaration: objects
                .declare("what is stored has checksums in it, which only this layer takes out"),
            objects,
            format,
            inner,
        }
    }
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Checksum<A> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    forward! { inner: delete, copy, delete_many, health, close }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.objects.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.objects.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.objects.stat(area, key).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.objects.list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.objects.open_writer(area, key, request).await
    }

    async fn presign(&self, _: Area, _: &Key, _: std::time::Duration) -> Result<String> {
        Err(self.declaration.unsupported(storage_core::Capability::Presign))
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Checksum<A> {
    forward! { inner:
        put, get, get_many, delete_document, put_many, commit, find, count, explain, collections, ensure_index, drop_index,
        indexes, rebuild_index, index_stats, watch, close_log, delete_log, logs, sweep
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        entries::append(&*self.inner, &self.format, log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        entries::read(&*self.inner, &self.format, log, from, limit).await
    }
}
