//! [`Compress`]: objects and entries of logs take less room.

mod container;
mod reader;
mod upload;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use storage_core::{
    AppendRequest, Appended, Area, Capability, Declaration, Error, ErrorKind, Key, ListEntry, ListPage,
    ListRequest, LogPage, Name, Object, ObjectMeta, ObjectWriter, ReadRequest, Result, StorageAdapter,
    StorageBackend, Support, Version, WriteRequest,
};

use self::container::BLOCK_BYTES;
use self::upload::CompressedUpload;
use crate::compression::{Compression, FRAME_OVERHEAD, decompress};
use crate::entries::{self, Entries};
use crate::forward::forward;
use crate::heavy::heavy;

/// How many objects of a listing are asked for their size at a time.
const AT_A_TIME: usize = 16;

/// Keeps objects in compressed blocks of 256 KiB and every entry of a log in a frame of its own, where that makes them smaller. Ranges
/// read only the blocks they lie in. Documents are passed on as they are.
///
/// What was compressed by any codec and level is read by any other. What would grow beyond [`Limits`](crate::compression::Limits)
/// when it is read is refused before it is allocated. It is no checksum. Put it over `Encrypt`, never under: sealed bytes do
/// not shrink. What a store holds is read by the layer that wrote it: plain data under it is `Corrupt`.
///
/// # Cost
/// The codec's, and 64 bytes an object and 24 an entry. The size of an object stands in the object: `stat` reads its last bytes, and a
/// listing with facts reads those of every object, 16 at a time.
///
/// # Declaration
/// Objects have a largest size, that of the limits; `presign` is absent, because what is stored is not what was written. A write is
/// given as much room as bytes that do not shrink take.
#[derive(Debug)]
pub struct Compress<A: ?Sized> {
    declaration: Declaration,
    how: Arc<Compression>,
    inner: Arc<A>,
}

impl<A: StorageBackend> Compress<A> {
    /// Compression of what this adapter or backend keeps.
    pub fn new(inner: A, how: Compression) -> Self {
        Self {
            declaration: declare(inner.declaration(), &how),
            how: Arc::new(how),
            inner: Arc::new(inner),
        }
    }

    /// The same facts with the size of what was written, from the last bytes of the object. `None` where it is gone.
    async fn meta(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let tail = reader::tail(&*self.inner, area, key, &ReadRequest::default()).await?;
        tail.map(|object| container::plain_meta(&object)).transpose()
    }
}

fn declare(inner: &Declaration, how: &Compression) -> Declaration {
    let mut declaration = inner.clone();
    let objects = &mut declaration.objects;
    let most = how.its_limits().max_plain_bytes;
    objects.max_object_bytes = Some(match objects.max_object_bytes {
        Some(stored) => most.min(container::most_plain(stored)),
        None => most,
    });
    if objects.presign.is_present() {
        objects.presign = Support::Absent;
        let reason = "what is stored is compressed in a format of this layer's own";
        declaration.reasons.insert(Capability::Presign, reason.into());
    }
    if let Some(logs) = &mut declaration.logs {
        entries::limits(logs, FRAME_OVERHEAD as u64, 0, BLOCK_BYTES as u64);
        logs.max_append_bytes = logs.max_append_bytes.min(most);
    }
    declaration
}

#[async_trait]
impl Entries for Compression {
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    async fn learns_from(&self, _: &Error) -> bool {
        false
    }

    fn encode(&self, _: &Name, plain: &Bytes) -> Result<Bytes> {
        self.compress(plain)
    }

    fn decode(&self, _: &Name, stored: &Bytes) -> Result<Bytes> {
        decompress(stored, self.its_limits())
    }
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Compress<A> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    forward! { inner: delete, copy, delete_many, health, close }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        reader::read(&*self.inner, self.how.its_limits(), area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        let how = Arc::clone(&self.how);
        let stored = heavy(bytes.len(), move || container::encode(&how, &bytes)).await?;
        self.inner.write(area, key, stored, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.meta(area, key).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let with_meta = request.with_meta;
        let mut page = self.inner.list(area, request).await?;
        if !with_meta {
            return Ok(page);
        }
        let entries = stream::iter(std::mem::take(&mut page.entries))
            .map(|entry| self.with_size(area, entry))
            .buffered(AT_A_TIME);
        let mut entries = std::pin::pin!(entries);
        while let Some(entry) = entries.next().await {
            page.entries.extend(entry?);
        }
        Ok(page)
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let how = Arc::clone(&self.how);
        let inner = Arc::clone(&self.inner).open_writer(area, key, request).await?;
        Ok(Box::new(CompressedUpload::new(inner, how)))
    }

    async fn presign(&self, _: Area, _: &Key, _: std::time::Duration) -> Result<String> {
        Err(self.declaration.unsupported(Capability::Presign))
    }
}

impl<A: StorageBackend> Compress<A> {
    /// The entry with the size of what was written; nothing where the object is gone meanwhile.
    async fn with_size(&self, area: Area, entry: ListEntry) -> Result<Option<ListEntry>> {
        let ListEntry::Object(key, Some(stored)) = entry else {
            return Ok(Some(entry));
        };
        match self.meta(area, &key).await {
            Ok(meta) => Ok(meta.map(|meta| ListEntry::Object(key, Some(meta)))),
            // One that is damaged must not hide the others; reading it tells.
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew) => {
                Ok(Some(ListEntry::Object(key, Some(stored))))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Compress<A> {
    forward! { inner:
        put, get, get_many, delete_document, put_many, commit, find, count, explain, collections, ensure_index, drop_index,
        indexes, rebuild_index, index_stats, watch, close_log, delete_log, logs, sweep
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        entries::append(&*self.inner, &self.how, log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        entries::read(&*self.inner, &self.how, log, from, limit).await
    }
}
