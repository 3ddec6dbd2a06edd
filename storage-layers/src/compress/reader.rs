//! Reading an object, whole or a range, from the end on: the table of blocks stands there.

use std::ops::Range;

use bytes::Bytes;
use storage_core::{
    Area, ByteRange, Error, ErrorKind, Key, Object, ObjectMeta, ReadRequest, Result, Retry, StorageBackend,
};

use super::container::{FOOTER_BYTES, Footer, HEADER_BYTES, Layout, check_header};
use crate::compression::Limits;
use crate::heavy::heavy;

/// How often a range is begun anew because the object was replaced between two reads.
const ATTEMPTS: usize = 16;

/// How much is read at the end of an object for a range: table and footer of 256 MiB.
const TAIL_BYTES: u64 = 4096 + FOOTER_BYTES as u64;

/// The last bytes of an object, the footer with them.
pub(super) async fn tail<A: StorageBackend + ?Sized>(
    inner: &A,
    area: Area,
    key: &Key,
    conditions: &ReadRequest,
) -> Result<Option<Object>> {
    let mut request = conditions.clone();
    request.range = Some(ByteRange::Suffix(FOOTER_BYTES as u64));
    inner.read(area, key, request).await
}

pub(super) async fn read<A: StorageBackend + ?Sized>(
    inner: &A,
    limits: Limits,
    area: Area,
    key: &Key,
    request: ReadRequest,
) -> Result<Option<Object>> {
    let Some(wanted) = request.range else {
        return whole(inner, limits, area, key, request).await;
    };
    for _ in 0..ATTEMPTS {
        let mut first = request.clone();
        first.range = Some(ByteRange::Suffix(TAIL_BYTES));
        let Some(end) = inner.read(area, key, first).await? else {
            return Ok(None);
        };
        match range(inner, limits, area, key, wanted, end).await {
            // Replaced since: the table belongs to what is gone.
            Err(error) if error.kind() == ErrorKind::PreconditionFailed && request.if_version.is_none() => {}
            answer => return answer,
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "the object is replaced faster than a part of it can be read",
    )
    .with_retry(Retry::Later))
}

async fn whole<A: StorageBackend + ?Sized>(
    inner: &A,
    limits: Limits,
    area: Area,
    key: &Key,
    request: ReadRequest,
) -> Result<Option<Object>> {
    let Some(object) = inner.read(area, key, request).await? else {
        return Ok(None);
    };
    let stored = object.bytes;
    check_header(&stored)?;
    let footer = Footer::read(&stored, stored.len() as u64)?;
    if footer.plain > limits.max_plain_bytes {
        return Err(Error::limit_exceeded(
            "what it decompresses to in bytes",
            limits.max_plain_bytes,
            footer.plain,
        ));
    }
    let work = usize::try_from(footer.plain).unwrap_or(usize::MAX);
    let bytes = heavy(work, move || {
        let layout = Layout::read(&stored, stored.len() as u64, limits)?;
        let blocks = layout.blocks_of(&(0..layout.plain()));
        let place = layout.stored_range(&blocks);
        layout.decode(blocks, slice(&stored, &place, 0)?).map(Bytes::from)
    })
    .await?;
    let size = bytes.len() as u64;
    Ok(Some(Object {
        meta: ObjectMeta { size, ..object.meta },
        range: 0..size,
        bytes,
    }))
}

async fn range<A: StorageBackend + ?Sized>(
    inner: &A,
    limits: Limits,
    area: Area,
    key: &Key,
    wanted: ByteRange,
    mut end: Object,
) -> Result<Option<Object>> {
    let stored = end.meta.size;
    let footer = Footer::read(&end.bytes, stored)?;
    let same = |range: Range<u64>| {
        let mut request = ReadRequest::default();
        request.range = Some(ByteRange::Bounded(range.start, range.end));
        request.if_version = Some(end.meta.version.clone());
        request
    };
    if footer.tail_bytes() > end.bytes.len() as u64 {
        let table = stored.saturating_sub(footer.tail_bytes())..stored;
        let Some(longer) = inner.read(area, key, same(table)).await? else {
            return Ok(None);
        };
        (end.bytes, end.range) = (longer.bytes, longer.range);
    }
    let layout = Layout::read(&end.bytes, stored, limits)?;
    let range = wanted.resolve(layout.plain());
    let blocks = layout.blocks_of(&range);
    let mut place = layout.stored_range(&blocks);
    // What begins with the first block is read with the header, so that small objects are checked wholly.
    if place.start == HEADER_BYTES as u64 {
        place.start = 0;
    }
    let body = if blocks.is_empty() {
        Bytes::new()
    } else if place.start >= end.range.start {
        Bytes::copy_from_slice(slice(&end.bytes, &place, end.range.start)?)
    } else {
        match inner.read(area, key, same(place.clone())).await? {
            Some(object) => object.bytes,
            None => return Ok(None),
        }
    };
    let mut body = body;
    if place.start == 0 && !body.is_empty() {
        check_header(&body)?;
        body = body.slice(HEADER_BYTES..);
    }
    let start = (blocks.start * super::BLOCK_BYTES) as u64;
    let size = layout.plain();
    let work = (blocks.end - blocks.start) * super::BLOCK_BYTES;
    let bytes = if blocks.is_empty() {
        Bytes::new()
    } else {
        let opened = heavy(work, move || layout.decode(blocks, &body).map(Bytes::from)).await?;
        #[allow(clippy::cast_possible_truncation, reason = "within what is in memory")]
        opened.slice((range.start - start) as usize..(range.end - start) as usize)
    };
    Ok(Some(Object {
        meta: ObjectMeta { size, ..end.meta },
        range,
        bytes,
    }))
}

/// The bytes at this place, of bytes that begin at `start`.
fn slice<'a>(bytes: &'a [u8], place: &Range<u64>, start: u64) -> Result<&'a [u8]> {
    let at = |offset: u64| usize::try_from(offset.checked_sub(start)?).ok();
    at(place.start)
        .zip(at(place.end))
        .and_then(|(from, to)| bytes.get(from..to))
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "it was cut short"))
}
