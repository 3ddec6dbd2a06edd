//! [`ChunkedObjects`]: objects whose content is kept in chunks, over any backend.

use std::sync::Arc;

use bytes::Bytes;
use storage_core::{
    Area, ByteRange, Capability, Declaration, Error, ErrorKind, Key, ListEntry, ListPage, ListRequest,
    Object, ObjectMeta, ObjectWriter, ReadRequest, Result, Retry, StorageBackend, Support, Version,
    WriteRequest,
};

use super::format::{ChunkReader, Format, Place, decode, encode};
use super::upload::ChunkedUpload;
use crate::heavy::heavy;

/// How often a range is begun anew because the object was replaced between two reads.
const ATTEMPTS: usize = 16;

/// Objects whose content is kept in chunks.
#[derive(Debug)]
pub(crate) struct ChunkedObjects<A: ?Sized, F> {
    inner: Arc<A>,
    format: Arc<F>,
}

impl<A: StorageBackend, F: Format> ChunkedObjects<A, F> {
    pub(crate) const fn new(inner: Arc<A>, format: Arc<F>) -> Self {
        Self { inner, format }
    }

    pub(crate) async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        match request.range {
            None => self.whole(area, key, request).await,
            Some(range) => self.range(area, key, request, range).await,
        }
    }

    async fn whole(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let Some(object) = self.inner.read(area, key, request).await? else {
            return Ok(None);
        };
        let place = Place::Object(area, key.clone());
        let open = || {
            let (format, place, stored) = (Arc::clone(&self.format), place.clone(), object.bytes.clone());
            heavy(stored.len(), move || decode(&*format, &place, &stored))
        };
        let bytes = match open().await {
            Err(error) if self.format.learns_from(&error).await => open().await?,
            answer => answer?,
        };
        let size = bytes.len() as u64;
        Ok(Some(Object {
            meta: ObjectMeta { size, ..object.meta },
            range: 0..size,
            bytes,
        }))
    }

    async fn range(
        &self,
        area: Area,
        key: &Key,
        request: ReadRequest,
        wanted: ByteRange,
    ) -> Result<Option<Object>> {
        let geometry = self.format.geometry();
        for _ in 0..ATTEMPTS {
            let mut first = request.clone();
            first.range = Some(self.first_read(wanted));
            let Some(head) = self.inner.read(area, key, first).await? else {
                return Ok(None);
            };
            let reader = self.reader(area, key, &head.bytes).await?;
            let plain = geometry.plain(head.meta.size)?;
            let range = wanted.resolve(plain);
            let chunks = geometry.chunks_of(&range, plain);
            let stored = geometry.stored_range(&chunks, plain);
            let body = if chunks.is_empty() {
                Bytes::new()
            } else if stored.end <= head.range.end {
                let (start, end) = (super::addressable(stored.start)?, super::addressable(stored.end)?);
                head.bytes.slice(start..end)
            } else {
                let mut second = ReadRequest::default();
                second.range = Some(ByteRange::Bounded(stored.start, stored.end));
                second.if_version = Some(head.meta.version.clone());
                match self.inner.read(area, key, second).await {
                    Ok(Some(body)) => body.bytes,
                    Ok(None) => return Ok(None),
                    // Replaced since: the header belongs to what is gone.
                    Err(error)
                        if error.kind() == ErrorKind::PreconditionFailed && request.if_version.is_none() =>
                    {
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            };
            let bytes = if chunks.is_empty() {
                Bytes::new()
            } else {
                let first = chunks.start * geometry.chunk_bytes();
                let from = super::addressable(range.start - first)?;
                let to = super::addressable(range.end - first)?;
                let held = super::addressable((chunks.end - chunks.start) * geometry.chunk_bytes())?;
                let opened = heavy(body.len(), move || {
                    let mut out = Vec::with_capacity(held);
                    reader.chunks(chunks, plain, &body, &mut out)?;
                    Ok(Bytes::from(out))
                })
                .await?;
                opened.slice(from..to)
            };
            return Ok(Some(Object {
                meta: ObjectMeta {
                    size: plain,
                    ..head.meta
                },
                range,
                bytes,
            }));
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "the object is replaced faster than a part of it can be read",
        )
        .with_retry(Retry::Later))
    }

    /// What to read first: the header, and with it all that is wanted where that lies at the beginning.
    fn first_read(&self, wanted: ByteRange) -> ByteRange {
        let geometry = self.format.geometry();
        let chunk = geometry.chunk_bytes();
        match wanted {
            ByteRange::From(start) if start < chunk => ByteRange::From(0),
            ByteRange::Bounded(start, end) if start < chunk && start < end => {
                ByteRange::Bounded(0, geometry.stored(end.div_ceil(chunk).saturating_mul(chunk)))
            }
            _ => ByteRange::Bounded(0, geometry.header_bytes()),
        }
    }

    async fn reader(&self, area: Area, key: &Key, head: &[u8]) -> Result<F::Reader> {
        let place = Place::Object(area, key.clone());
        match self.format.open(&place, head) {
            Err(error) if self.format.learns_from(&error).await => self.format.open(&place, head),
            answer => answer,
        }
    }

    pub(crate) async fn write(
        &self,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        self.format.prepare().await?;
        let (format, place) = (Arc::clone(&self.format), Place::Object(area, key.clone()));
        let stored = heavy(bytes.len(), move || encode(&*format, &place, &bytes)).await?;
        self.inner.write(area, key, stored, request).await
    }

    pub(crate) async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let Some(meta) = self.inner.stat(area, key).await? else {
            return Ok(None);
        };
        let size = self.format.geometry().plain(meta.size)?;
        Ok(Some(ObjectMeta { size, ..meta }))
    }

    pub(crate) async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut page = self.inner.list(area, request).await?;
        for entry in &mut page.entries {
            if let ListEntry::Object(_, Some(meta)) = entry {
                // One that is damaged must not hide the others; reading it tells.
                meta.size = self.format.geometry().most_plain(meta.size);
            }
        }
        Ok(page)
    }

    pub(crate) async fn open_writer(
        &self,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.format.prepare().await?;
        let writer = self.format.begin(&Place::Object(area, key.clone()))?;
        let inner = Arc::clone(&self.inner).open_writer(area, key, request).await?;
        let full = super::addressable(self.format.geometry().chunk_bytes())?;
        Ok(Box::new(ChunkedUpload::new(
            inner,
            Arc::clone(&self.format),
            writer,
            full,
        )))
    }

    /// What is left of the declaration of the backend below.
    pub(crate) fn declare(&self, presign: &'static str) -> Declaration {
        let geometry = self.format.geometry();
        let mut declaration = self.inner.declaration().clone();
        let objects = &mut declaration.objects;
        objects.max_object_bytes = objects.max_object_bytes.map(|most| geometry.most_plain(most));
        if objects.presign.is_present() {
            objects.presign = Support::Absent;
            declaration.reasons.insert(Capability::Presign, presign.into());
        }
        if let Some(logs) = &mut declaration.logs {
            let proof = geometry.stored(0) - geometry.header_bytes();
            crate::entries::limits(logs, geometry.stored(0), proof, geometry.chunk_bytes());
        }
        declaration
    }
}
