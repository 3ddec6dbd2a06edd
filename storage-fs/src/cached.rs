//! Reads that need no hop: of files the system holds in memory, on the thread that asks.
//!
//! A hop to a blocking thread costs several times what such a read does. The system is asked to answer only from memory
//! (`RESOLVE_CACHED`, `RWF_NOWAIT`; see `openat2(2)` and `preadv2(2)`), and whenever it does not, the hop is taken.

#[cfg(target_os = "linux")]
use bytes::Bytes;
#[cfg(target_os = "linux")]
use rustix::fd::BorrowedFd;
use storage_core::{Object, ObjectMeta, ReadRequest, Result};

#[cfg(target_os = "linux")]
use crate::buffers::BUFFER_BYTES;
use crate::layout::Place;
use crate::root::Root;

/// From how many bytes on other tasks get their turn before the next read.
const LARGE: usize = 64 * 1024;

/// Reads an object from memory. `None` where that cannot be told without waiting.
#[cfg(target_os = "linux")]
pub(crate) fn read(root: &Root, place: &Place, request: &ReadRequest) -> Option<Result<Object>> {
    use rustix::fd::AsFd;
    use storage_core::ByteRange;

    if !root.reads_from_memory() {
        return None;
    }
    let opened = root.file_from_memory(place)?;
    if let Err(refused) = opened.meta.check_read(request) {
        return Some(Err(refused));
    }
    let range = request
        .range
        .unwrap_or(ByteRange::From(0))
        .resolve(opened.meta.size);
    // The most that is copied on the asking thread is a piece of a stream, which takes less than a tenth of a millisecond.
    let length = usize::try_from(range.end - range.start)
        .ok()
        .filter(|length| *length <= BUFFER_BYTES)?;
    let bytes = if length == BUFFER_BYTES {
        let mut buffer = root.buffers.take();
        fill(root, opened.file.as_fd(), buffer.space(), range.start)?;
        buffer.into_piece(length)
    } else {
        let mut bytes = vec![0; length];
        fill(root, opened.file.as_fd(), &mut bytes, range.start)?;
        Bytes::from(bytes)
    };
    Some(Ok(Object {
        meta: opened.meta,
        range,
        bytes,
    }))
}

/// Fills a whole buffer from memory.
#[cfg(target_os = "linux")]
fn fill(root: &Root, file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Option<()> {
    use std::io::IoSliceMut;

    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    let wanted = buffer.len();
    if wanted == 0 {
        return Some(());
    }
    let read = preadv2(
        file,
        &mut [IoSliceMut::new(buffer)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    if read == Err(Errno::OPNOTSUPP) {
        root.never_reads_from_memory();
    }
    // Part of it may be in memory and part not.
    read.is_ok_and(|read| read == wanted).then_some(())
}

/// A task that only reads what is in memory must let others run, too.
pub(crate) async fn let_others_run(copied: usize) {
    if copied > LARGE {
        tokio::task::yield_now().await;
    } else {
        tokio::task::coop::consume_budget().await;
    }
}

/// Looks at an object in memory. `None` where that cannot be told without waiting.
pub(crate) fn stat(root: &Root, place: &Place) -> Option<ObjectMeta> {
    root.meta_from_memory(place)
}

/// Other systems always wait.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read(_: &Root, _: &Place, _: &ReadRequest) -> Option<Result<Object>> {
    None
}
