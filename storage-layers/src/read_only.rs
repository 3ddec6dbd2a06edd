//! [`ReadOnly`]: everything can be read, nothing changed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, Area, BatchRequest, Capability, Declaration, DeleteDocumentRequest,
    DeleteRequest, Error, ErrorKind, Index, Key, Name, ObjectWriter, PutRequest, Result, StorageAdapter,
    StorageBackend, Support, SweepReport, Timestamp, Version, WriteRequest,
};

use crate::forward::forward;

/// What every refusal says.
const REASON: &str = "the storage is opened read-only";

/// Reads go through; whatever would change something is refused with `PermissionDenied` before it reaches what is below.
///
/// It promises that nothing is written through this handle, housekeeping included; others may write. It costs nothing. It belongs on
/// top, so that what is refused is neither sealed, counted nor tried.
///
/// `ensure_index` of an index that is there already is `Ok(false)`, so a program that makes sure of its indexes when it starts can
/// be run on storage it must not touch.
///
/// # Declaration
/// Capabilities of writing are absent, with the reason: conditions, guards, streamed writes, copies, expiry and batches.
#[derive(Debug)]
pub struct ReadOnly<A: ?Sized> {
    declaration: Declaration,
    inner: Arc<A>,
}

impl<A: StorageBackend> ReadOnly<A> {
    /// A view of this adapter.
    pub fn new(inner: A) -> Self {
        Self {
            declaration: declare(inner.declaration()),
            inner: Arc::new(inner),
        }
    }
}

fn declare(inner: &Declaration) -> Declaration {
    let mut declaration = inner.clone();
    let mut lost = Vec::new();
    let mut lose = |support: &mut Support, capability| {
        if support.is_present() {
            *support = Support::Absent;
            lost.push(capability);
        }
    };
    let objects = &mut declaration.objects;
    lose(&mut objects.create_if_absent, Capability::CreateIfAbsent);
    lose(&mut objects.compare_and_swap, Capability::CompareAndSwap);
    lose(&mut objects.delete_if, Capability::DeleteIf);
    lose(&mut objects.guarded_write, Capability::ObjectGuard);
    lose(&mut objects.streaming_write, Capability::StreamingWrite);
    lose(&mut objects.copy, Capability::Copy);
    if let Some(documents) = &mut declaration.documents {
        lose(&mut documents.atomic_batch, Capability::AtomicBatch);
        lose(&mut documents.expiry, Capability::Expiry);
        lose(&mut documents.guarded_write, Capability::GuardedWrite);
    }
    declaration
        .reasons
        .extend(lost.into_iter().map(|capability| (capability, REASON.into())));
    declaration
}

fn refuse<T>() -> Result<T> {
    Err(Error::new(ErrorKind::PermissionDenied, REASON))
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for ReadOnly<A> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    forward! { inner: read, stat, list, presign, health, close }

    async fn write(&self, _: Area, _: &Key, _: Bytes, _: WriteRequest) -> Result<Version> {
        refuse()
    }

    async fn delete(&self, _: Area, _: &Key, _: DeleteRequest) -> Result<()> {
        refuse()
    }

    async fn open_writer(
        self: Arc<Self>,
        _: Area,
        _: &Key,
        _: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        refuse()
    }

    async fn copy(&self, _: Area, _: &Key, _: &Key, _: WriteRequest) -> Result<Option<Version>> {
        refuse()
    }

    async fn delete_many(&self, _: Area, _: &[Key]) -> Result<Vec<Result<()>>> {
        refuse()
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for ReadOnly<A> {
    forward! { inner:
        get, get_many, find, count, explain, collections, indexes, index_stats, watch, read_log, logs
    }

    async fn put(&self, _: &Name, _: PutRequest) -> Result<Version> {
        refuse()
    }

    async fn delete_document(&self, _: &Name, _: DeleteDocumentRequest) -> Result<bool> {
        refuse()
    }

    async fn put_many(&self, _: &Name, _: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        refuse()
    }

    async fn commit(&self, _: BatchRequest) -> Result<Vec<Option<Version>>> {
        refuse()
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, _: Timestamp) -> Result<bool> {
        let there = self.inner.indexes(collection).await?;
        if there.iter().any(|known| known.ready && known.index == *index) {
            return Ok(false);
        }
        refuse()
    }

    async fn drop_index(&self, _: &Name, _: &Name) -> Result<bool> {
        refuse()
    }

    async fn rebuild_index(&self, _: &Name, _: &Name, _: Timestamp) -> Result<()> {
        refuse()
    }

    async fn append(&self, _: &Name, _: AppendRequest) -> Result<Appended> {
        refuse()
    }

    async fn close_log(&self, _: &Name) -> Result<()> {
        refuse()
    }

    async fn delete_log(&self, _: &Name) -> Result<()> {
        refuse()
    }

    async fn sweep(&self, _: Timestamp) -> Result<SweepReport> {
        refuse()
    }
}
