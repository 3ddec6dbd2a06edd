//! Whole reads over calls that may do less than asked.

use rustix::buffer::spare_capacity;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, Result, pread};

/// How much is read at once where the size is not known, in bytes.
const CHUNK: usize = 64 * 1024;

/// Reads up to `length` bytes from `offset` on; fewer only at the end of the file.
pub(crate) fn read_at(file: BorrowedFd<'_>, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    read_on(offset, length, |_, offset| {
        pread(file, spare_capacity(&mut bytes), offset)
    })?;
    // The allocation may be larger than what was asked of it.
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads into a buffer from `offset` on until it is full. Gives how much was read: less only at the end of the file.
pub(crate) fn fill_at(file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    read_on(offset, buffer.len(), |filled, offset| {
        pread(file, &mut buffer[filled..], offset)
    })
}

/// Calls, with how much was read and where to go on, until so much was read or there is no more. Gives how much was read.
fn read_on(offset: u64, length: usize, mut read: impl FnMut(usize, u64) -> Result<usize>) -> Result<usize> {
    let mut done = 0;
    while done < length {
        match read(done, offset + u64::try_from(done).unwrap_or(0)) {
            Ok(0) => break,
            Ok(more) => done += more,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

/// Reads a small file from its beginning to its end.
pub(crate) fn read_whole(file: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let chunk = read_at(file, u64::try_from(bytes.len()).unwrap_or(u64::MAX), CHUNK)?;
        bytes.extend_from_slice(&chunk);
        if chunk.len() < CHUNK {
            return Ok(bytes);
        }
    }
}
