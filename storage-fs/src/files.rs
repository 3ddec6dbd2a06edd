//! Whole reads over calls that may do less than asked.

use rustix::buffer::spare_capacity;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, Result, pread};

/// How much is read at once where the size is not known, in bytes.
const CHUNK: usize = 64 * 1024;

/// Reads up to `length` bytes from `offset` on; fewer only at the end of the file.
pub(crate) fn read_at(file: BorrowedFd<'_>, mut offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let before = bytes.len();
        match pread(file, spare_capacity(&mut bytes), offset) {
            Ok(0) => break,
            Ok(read) => {
                debug_assert_eq!(bytes.len(), before + read);
                offset += u64::try_from(read).unwrap_or(0);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    // The allocation may be larger than what was asked of it.
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads into a buffer from `offset` on until it is full. Gives how much was read: less only at the end of the file.
pub(crate) fn fill_at(file: BorrowedFd<'_>, mut offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match pread(file, &mut buffer[filled..], offset) {
            Ok(0) => break,
            Ok(read) => {
                filled += read;
                offset += u64::try_from(read).unwrap_or(0);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
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
