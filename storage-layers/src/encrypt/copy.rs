//! Copies: what is sealed belongs to its name, so a copy is written anew.

use storage_core::{Area, ByteRange, Key, ReadRequest, Result, StorageBackend, Version, WriteRequest};

use super::Encrypt;

/// How much of an object that is copied is held at a time.
const COPY_BYTES: u64 = 8 * 1024 * 1024;

impl<A: StorageBackend> Encrypt<A> {
    /// A copy under another name, or the same one.
    pub(super) async fn copy_anew(
        &self,
        area: Area,
        from: &Key,
        to: &Key,
        request: WriteRequest,
    ) -> Result<Option<Version>> {
        let mut first = ReadRequest::default();
        first.range = Some(ByteRange::Bounded(0, COPY_BYTES));
        let Some(object) = self.objects.read(area, from, first).await? else {
            return Ok(None);
        };
        if object.range.end == object.meta.size {
            return self
                .objects
                .write(area, to, object.bytes, request)
                .await
                .map(Some);
        }
        if !self.inner.declaration().objects.streaming_write.is_present() {
            let mut whole = ReadRequest::default();
            whole.if_version = Some(object.meta.version);
            let Some(object) = self.objects.read(area, from, whole).await? else {
                return Ok(None);
            };
            return self
                .objects
                .write(area, to, object.bytes, request)
                .await
                .map(Some);
        }
        let mut writer = self.objects.open_writer(area, to, request).await?;
        let mut at = object.range.end;
        writer.write(object.bytes).await?;
        while at < object.meta.size {
            let mut next = ReadRequest::default();
            next.range = Some(ByteRange::Bounded(at, at + COPY_BYTES));
            next.if_version = Some(object.meta.version.clone());
            let Some(piece) = self.objects.read(area, from, next).await? else {
                writer.abort().await?;
                return Ok(None);
            };
            at = piece.range.end;
            writer.write(piece.bytes).await?;
        }
        writer.finish().await.map(Some)
    }
}
