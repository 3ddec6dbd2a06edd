//! The operations on one object, each from beginning to end where it may block.

use std::ops::Range;

use bytes::Bytes;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::fstat;
use storage_core::{
    ByteRange, Condition, DeleteRequest, Error, ErrorKind, Object, ObjectGuard, ObjectMeta, ReadRequest,
    Result, Version,
};

use crate::atomic::{Publication, publish, unlink};
use crate::buffers::BUFFER_BYTES;
use crate::error::failed;
use crate::files::{fill_at, read_at};
use crate::layout::Place;
use crate::lock::Claim;
use crate::root::{Opened, Root};
use crate::staging::Temporary;
use crate::system::System;
use crate::version::Keeping;

/// How often a read begins anew when somebody shortens the file under it. Writers of ours never do: they replace it.
const READ_ATTEMPTS: usize = 3;

/// What a write must hold against, once locked.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) condition: Condition,
    pub(crate) guard: Option<(ObjectGuard, Place)>,
}

pub(crate) fn read(root: &Root, place: &Place, request: &ReadRequest) -> Result<Option<Object>> {
    for _ in 0..READ_ATTEMPTS {
        let Some(Opened { file, meta }) = root.file(place)? else {
            return Ok(None);
        };
        meta.check_read(request)?;
        let range = request.range.unwrap_or(ByteRange::From(0)).resolve(meta.size);
        let bytes = read_range(root, file.as_fd(), &range)?;
        if bytes.len() == length(&range)? {
            return Ok(Some(Object { meta, range, bytes }));
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "another program keeps shortening the file in place while it is read",
    ))
}

fn read_range(root: &Root, file: BorrowedFd<'_>, range: &Range<u64>) -> Result<Bytes> {
    let length = length(range)?;
    if length != BUFFER_BYTES {
        return read_at(file, range.start, length)
            .map(Bytes::from)
            .map_err(failed);
    }
    let mut buffer = root.buffers.take();
    let read = fill_at(file, range.start, buffer.space()).map_err(failed)?;
    Ok(buffer.into_piece(read))
}

fn length(range: &Range<u64>) -> Result<usize> {
    let length = range.end - range.start;
    usize::try_from(length).map_err(|_| {
        Error::limit_exceeded(
            "bytes in one read",
            u64::try_from(usize::MAX).unwrap_or(u64::MAX),
            length,
        )
    })
}

pub(crate) fn stat(root: &Root, place: &Place) -> Result<Option<ObjectMeta>> {
    Ok(root.file(place)?.map(|opened| opened.meta))
}

/// Writes bytes to a temporary.
pub(crate) fn stage(root: &Root, bytes: &[u8]) -> Result<Temporary> {
    root.durable.check()?;
    let temporary = root.staging.create()?;
    temporary.write(bytes)?;
    Ok(temporary)
}

/// Copies a file to a temporary. `None` where there is none.
pub(crate) fn stage_copy(root: &Root, from: &Place) -> Result<Option<Temporary>> {
    root.durable.check()?;
    let Some(Opened { file, .. }) = root.file(from)? else {
        return Ok(None);
    };
    let temporary = root.staging.create()?;
    copy(&root.system, file.as_fd(), temporary.file()).map_err(failed)?;
    Ok(Some(temporary))
}

/// Marks a temporary and makes it durable, where that can be done before it is known what it replaces.
pub(crate) fn settle(root: &Root, temporary: &Temporary) -> Result<()> {
    if root.keeping == Keeping::Attribute {
        root.keeping
            .seal(&root.system, temporary.file(), None)
            .map_err(failed)?;
        root.durable.file(temporary.file())?;
    }
    Ok(())
}

/// Publishes a settled temporary as an object, if the terms hold.
pub(crate) fn place(
    root: &Root,
    mut temporary: Temporary,
    place: &Place,
    terms: &Terms,
    claim: Claim,
) -> Result<Version> {
    let directory = root.directory_for_writing(place.directory())?;
    let held = claim.hold().map_err(failed)?;
    // Whatever the condition: what is no file of ours is not replaced.
    let current = root.file_in(directory.as_fd(), place)?;
    terms.check(root, current.as_ref())?;
    if root.keeping == Keeping::ModificationTime {
        let current = current
            .as_ref()
            .map(|current| fstat(&current.file))
            .transpose()
            .map_err(failed)?;
        root.keeping
            .seal(&root.system, temporary.file(), current.as_ref())
            .map_err(failed)?;
        root.durable.file(temporary.file())?;
    }
    let stat = fstat(temporary.file()).map_err(failed)?;
    let attribute = root.keeping.attribute(temporary.file()).map_err(failed)?;
    let version = root.keeping.version(&stat, attribute);
    let how = if terms.condition == Condition::IfAbsent {
        Publication::Create
    } else {
        Publication::Replace
    };
    root.durable.judge(publish(
        &root.staging,
        &mut temporary,
        directory.as_fd(),
        place.file(),
        how,
    ))?;
    drop(held);
    root.durable.directory(directory.as_fd())?;
    Ok(version)
}

impl Terms {
    fn check(&self, root: &Root, current: Option<&Opened>) -> Result<()> {
        if let Some((guard, place)) = &self.guard {
            let now = stat(root, place)?;
            if now.map(|meta| meta.version).as_ref() != Some(&guard.version) {
                return Err(Error::guard_failed(guard.key.as_str()));
            }
        }
        self.condition.check(current.map(|current| &current.meta.version))
    }
}

pub(crate) fn delete(root: &Root, place: &Place, request: &DeleteRequest, claim: Claim) -> Result<()> {
    root.durable.check()?;
    let Some(directory) = root.directory(place.directory())? else {
        return if request.if_version.is_some() {
            Err(Error::precondition_failed(None))
        } else {
            Ok(())
        };
    };
    let held = claim.hold().map_err(failed)?;
    let current = root
        .file_in(directory.as_fd(), place)?
        .map(|opened| opened.meta.version);
    if let Some(expected) = &request.if_version
        && current.as_ref() != Some(expected)
    {
        return Err(Error::precondition_failed(current.as_ref()));
    }
    root.durable
        .judge(unlink(&root.system, directory.as_fd(), place.file()))?;
    drop(held);
    root.durable.directory(directory.as_fd())
}

/// Copies all bytes, sharing them on disks that can.
fn copy(system: &System, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
    /// How much is copied by one call, in bytes.
    const CHUNK: usize = 1024 * 1024;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::io::Errno;
        let mut copied = 0_u64;
        loop {
            match system.copy(from, &mut copied, to, CHUNK * 64) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if copied == 0 => break,
                Err(errno) => return Err(errno),
            }
        }
    }
    let mut offset = 0;
    loop {
        let bytes = read_at(from, offset, CHUNK)?;
        if bytes.is_empty() {
            return Ok(());
        }
        system.write_all(to, &bytes)?;
        offset += u64::try_from(bytes.len()).unwrap_or(0);
    }
}
