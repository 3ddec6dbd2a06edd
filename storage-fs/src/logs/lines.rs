//! A file's lines, from some place on.

use rustix::fd::BorrowedFd;
use rustix::io::Result;

use crate::files::read_at;

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Lines from an offset to the end of the file.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    file: BorrowedFd<'a>,
    /// What was read and not yet handed out.
    buffer: Vec<u8>,
    used: usize,
    /// Where reading goes on.
    offset: u64,
    over: bool,
}

/// One line without its end.
#[derive(Debug)]
pub(super) struct RawLine {
    pub(super) bytes: Vec<u8>,
    /// Whether it had an end.
    pub(super) whole: bool,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(file: BorrowedFd<'a>, offset: u64) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            used: 0,
            offset,
            over: false,
        }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<RawLine>> {
        let mut searched = self.used;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + end;
                let bytes = self.buffer[self.used..end].to_vec();
                self.used = end + 1;
                return Ok(Some(RawLine { bytes, whole: true }));
            }
            if self.over {
                let bytes = self.buffer.split_off(self.used);
                return Ok((!bytes.is_empty()).then_some(RawLine { bytes, whole: false }));
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            searched = self.buffer.len();
            let chunk = read_at(self.file, self.offset, CHUNK)?;
            self.offset += u64::try_from(chunk.len()).unwrap_or(0);
            self.over = chunk.len() < CHUNK;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// The offset of the line that [`next`](Self::next) gives next.
    pub(super) fn position(&self) -> u64 {
        self.offset - u64::try_from(self.buffer.len() - self.used).unwrap_or(0)
    }
}
