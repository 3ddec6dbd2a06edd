//! Reads that need no hop: of files the system holds in memory, on the thread that asks.
//!
//! A hop to a blocking thread costs several times what such a read does. The system is asked to answer only from memory
//! (`RESOLVE_CACHED`, `RWF_NOWAIT`; see `openat2(2)` and `preadv2(2)`), and whenever it does not, the hop is taken.

use storage_core::{Object, ObjectMeta, ReadRequest, Result};

use crate::layout::Place;
use crate::root::Root;

/// The most bytes copied on the asking thread: a piece of a stream. Copying it takes less than a tenth of a millisecond; through a hop
/// it takes three times as long, because memory that one thread takes and another gives back is new to the processor each time.
#[cfg(target_os = "linux")]
const MAX_BYTES: u64 = 1024 * 1024;

/// From how many bytes on other tasks get their turn before the next read.
const LARGE: usize = 64 * 1024;

/// Reads an object from memory. `None` where that cannot be told without waiting.
#[cfg(target_os = "linux")]
pub(crate) fn read(root: &Root, place: &Place, request: &ReadRequest) -> Option<Result<Object>> {
    use std::io::IoSliceMut;

    use rustix::io::{Errno, ReadWriteFlags, preadv2};
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
    let length = usize::try_from(range.end - range.start)
        .ok()
        .filter(|_| range.end - range.start <= MAX_BYTES)?;
    let mut bytes = vec![0; length];
    if length > 0 {
        let read = preadv2(
            &opened.file,
            &mut [IoSliceMut::new(&mut bytes)],
            range.start,
            ReadWriteFlags::NOWAIT,
        );
        if read == Err(Errno::OPNOTSUPP) {
            root.never_reads_from_memory();
        }
        // Part of it may be in memory and part not.
        read.ok().filter(|read| *read == length)?;
    }
    Some(Ok(Object {
        meta: opened.meta,
        range,
        bytes: bytes.into(),
    }))
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
    root.file_from_memory(place).map(|opened| opened.meta)
}

/// Other systems always wait.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read(_: &Root, _: &Place, _: &ReadRequest) -> Option<Result<Object>> {
    None
}
