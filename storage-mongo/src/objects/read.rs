//! Reading: the head, then only the chunks a range touches.

use std::ops::Range;
use std::sync::Arc;

use bson::raw::RawBsonRef;
use bson::{RawDocumentBuf, doc};
use bytes::{Bytes, BytesMut};
use storage_core::{
    Area, ByteRange, Error, ErrorKind, Key, Object, ObjectMeta, ReadRequest, Result, Retry, Version,
    WriteRequest,
};

use super::head::{Blob, Content, Head, meta};
use super::heads_of;
use super::publish::publish;
use super::upload::{STAGE_BYTES, Upload, chunks_of};
use crate::names;
use crate::store::Inner;

/// How often a read begins anew because the object was replaced while its chunks were read. Each time somebody replaced it, so only an
/// object that is replaced faster than it can be read gets this far.
const ATTEMPTS: u32 = 32;

/// Facts about an object.
pub(crate) async fn stat(inner: &Inner, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
    let heads = heads_of::<RawDocumentBuf>(inner, area);
    let find = heads
        .find_one(doc! { "_id": key.as_str() })
        .projection(doc! { "version": 1, "size": 1, "modified": 1 })
        .max_time(inner.config.operation_timeout);
    let found = inner.read(find).await?;
    found.map(|found| meta(key.as_str(), &found)).transpose()
}

async fn head(inner: &Inner, area: Area, key: &Key) -> Result<Option<Head>> {
    let heads = heads_of::<RawDocumentBuf>(inner, area);
    let find = heads
        .find_one(doc! { "_id": key.as_str() })
        .max_time(inner.config.operation_timeout);
    let found = inner.read(find).await?;
    found.map(|found| Head::decode(key.as_str(), found)).transpose()
}

/// Reads an object or a range of it.
pub(crate) async fn read(
    inner: &Inner,
    area: Area,
    key: &Key,
    request: &ReadRequest,
) -> Result<Option<Object>> {
    let mut before: Option<Version> = None;
    for _ in 0..ATTEMPTS {
        let Some(head) = head(inner, area, key).await? else {
            return Ok(None);
        };
        if before.as_ref() == Some(&head.meta.version) {
            return Err(incomplete(key));
        }
        head.meta.check_read(request)?;
        let range = request
            .range
            .unwrap_or(ByteRange::From(0))
            .resolve(head.meta.size);
        if let Some(bytes) = bytes(inner, &head, &range).await? {
            return Ok(Some(Object {
                meta: head.meta,
                range,
                bytes,
            }));
        }
        before = Some(head.meta.version);
    }
    Err(restless())
}

/// The bytes of a range; `None` where some are missing.
async fn bytes(inner: &Inner, head: &Head, range: &Range<u64>) -> Result<Option<Bytes>> {
    match &head.content {
        _ if range.is_empty() => Ok(Some(Bytes::new())),
        Content::Inline(bytes) => {
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the range lies within bytes in memory"
            )]
            let (start, end) = (range.start as usize, range.end as usize);
            Ok(Some(bytes.slice(start..end)))
        }
        Content::Chunks { blob, chunk_bytes } => chunks(inner, *blob, *chunk_bytes, range).await,
    }
}

/// Reads only the chunks the range touches.
async fn chunks(inner: &Inner, blob: Blob, chunk_bytes: u64, range: &Range<u64>) -> Result<Option<Bytes>> {
    let length = usize::try_from(range.end - range.start).map_err(|_| {
        Error::limit_exceeded("the range in bytes", usize::MAX as u64, range.end - range.start)
    })?;
    let number = |offset: u64| i64::try_from(offset / chunk_bytes).unwrap_or(i64::MAX);
    let (first, last) = (number(range.start), number(range.end - 1));
    let stored = inner.collection::<RawDocumentBuf>(names::CHUNKS);
    // Without a limit of time on the server: that one would count over all answers of the cursor, and an object may be of any size.
    // MongoDB ends a batch at 16 MiB by itself; not every server does, and the driver takes no answer over 48 MB.
    let find = stored
        .find(chunks_of(blob, first, last))
        .sort(doc! { "_id": 1 })
        .batch_size(8);
    let mut cursor = inner.read(find).await?;
    let mut bytes = BytesMut::with_capacity(length);
    for expected in first..=last {
        if !inner.read(cursor.advance()).await? {
            return Ok(None);
        }
        let Some((number, chunk)) = chunk(cursor.current()) else {
            return Ok(None);
        };
        if number != expected {
            return Ok(None);
        }
        let start = expected.unsigned_abs() * chunk_bytes;
        let within = |offset: u64| usize::try_from(offset.saturating_sub(start).min(chunk_bytes)).ok();
        let part = within(range.start)
            .zip(within(range.end))
            .and_then(|(start, end)| chunk.get(start..end));
        let Some(part) = part else { return Ok(None) };
        bytes.extend_from_slice(part);
    }
    Ok(Some(bytes.freeze()))
}

fn chunk(document: &bson::RawDocument) -> Option<(i64, &[u8])> {
    let id = document.get("_id").ok()??.as_document()?;
    let RawBsonRef::Binary(data) = document.get("d").ok()?? else {
        return None;
    };
    Some((id.get("n").ok()??.as_i64()?, data.bytes))
}

/// Copies an object within its area.
pub(crate) async fn copy(
    inner: &Arc<Inner>,
    area: Area,
    from: &Key,
    to: &Key,
    request: &WriteRequest,
) -> Result<Option<Version>> {
    let mut before: Option<Version> = None;
    for _ in 0..ATTEMPTS {
        let Some(source) = head(inner, area, from).await? else {
            return Ok(None);
        };
        if before.as_ref() == Some(&source.meta.version) {
            return Err(incomplete(from));
        }
        let Content::Chunks { blob, chunk_bytes } = source.content else {
            let copy = Head::new(source.meta.size, source.content);
            return publish(inner, area, to, &copy, request).await.map(Some);
        };
        let mut upload = Upload::begin(inner).await?;
        match stage(&mut upload, inner, blob, chunk_bytes, source.meta.size).await {
            Ok(true) => return upload.finish(area, to, request).await.map(Some),
            Ok(false) => upload.discard().await,
            Err(error) => {
                upload.discard().await;
                return Err(error);
            }
        }
        before = Some(source.meta.version);
    }
    Err(restless())
}

/// Uploads the bytes of another blob; `false` where some are missing.
async fn stage(upload: &mut Upload, inner: &Inner, blob: Blob, chunk_bytes: u64, size: u64) -> Result<bool> {
    while upload.size() < size {
        let range = upload.size()..size.min(upload.size() + STAGE_BYTES as u64);
        let Some(bytes) = chunks(inner, blob, chunk_bytes, &range).await? else {
            return Ok(false);
        };
        upload.stage(bytes).await?;
    }
    Ok(true)
}

fn incomplete(key: &Key) -> Error {
    Error::corrupt(
        key.as_str(),
        "bytes of the object are missing from the database; restore it, or write it anew",
    )
}

fn restless() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the object was replaced at every attempt to read it; try again",
    )
    .with_retry(Retry::Later)
}
