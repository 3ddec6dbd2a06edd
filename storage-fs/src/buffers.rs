//! [`Buffers`]: the memory of streamed pieces, used again when the last reader of a piece drops it.
//!
//! Memory that is new to the process is cleared by the system page by page, which takes half as long again as copying a piece into it. A
//! buffer is lent to one piece at a time: it is in nobody's hands but that piece's until the last of its clones and slices is dropped.
//! What it held before is never seen, because a piece ends where its read ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// How large a buffer is: a piece of a stream, as `ObjectReader` asks for it.
pub(crate) const BUFFER_BYTES: usize = 1024 * 1024;

/// How many wait to be used again at most, so a root keeps 4 MiB. A stream whose pieces are dropped one by one needs one, and takes it
/// back at once: that many are enough for as many streams as have their turn between two polls.
const SPARE: usize = 4;

/// The buffers of a root.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer while it is read into. Dropped, it is a spare one again.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// How many bytes a piece shows.
    filled: usize,
    /// A piece may outlive its root.
    home: Weak<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// A buffer of [`BUFFER_BYTES`], with anything in it.
    pub(crate) fn take(&self) -> Buffer {
        let spare = lock(&self.0).pop();
        Buffer {
            bytes: spare.unwrap_or_else(|| vec![0; BUFFER_BYTES]),
            filled: 0,
            home: Arc::downgrade(&self.0),
        }
    }

    /// Gives the spare ones back to the system.
    pub(crate) fn clear(&self) {
        let spare = std::mem::take(&mut *lock(&self.0));
        drop(spare);
    }
}

impl Buffer {
    /// Where to read to.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Gives the first bytes away, which were read.
    pub(crate) fn into_piece(mut self, read: usize) -> Bytes {
        self.filled = read.min(self.bytes.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else {
            return;
        };
        let mut spare = lock(&home);
        if spare.len() < SPARE {
            spare.push(std::mem::take(&mut self.bytes));
        }
    }
}

fn lock(spare: &Mutex<Vec<Vec<u8>>>) -> MutexGuard<'_, Vec<Vec<u8>>> {
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare(buffers: &Buffers) -> usize {
        lock(&buffers.0).len()
    }

    fn piece(buffers: &Buffers, text: &[u8]) -> Bytes {
        let mut buffer = buffers.take();
        buffer.space()[..text.len()].copy_from_slice(text);
        buffer.into_piece(text.len())
    }

    #[test]
    fn a_buffer_is_used_again_when_the_last_slice_of_its_piece_is_dropped_and_not_before() {
        let buffers = Buffers::default();
        let first = piece(&buffers, b"first");
        let at = first.as_ptr();
        let (clone, slice) = (first.clone(), first.slice(1..3));
        for held in [first, clone] {
            drop(held);
            let other = piece(&buffers, b"other");
            assert_ne!(other.as_ptr(), at);
            assert_eq!(slice, "ir");
        }
        drop(slice);
        // The last one returned is the first one lent.
        assert_eq!(piece(&buffers, b"again").as_ptr(), at);
    }

    #[test]
    fn a_piece_shows_only_what_was_read_into_it() {
        let buffers = Buffers::default();
        drop(piece(&buffers, b"somebody's secret"));
        assert_eq!(spare(&buffers), 1);
        let short = piece(&buffers, b"abc");
        assert_eq!(spare(&buffers), 0, "it is the same buffer");
        assert_eq!(short, "abc");
        assert!(buffers.take().into_piece(0).is_empty());
    }

    #[test]
    fn no_more_buffers_are_kept_than_said_however_many_were_lent() {
        let buffers = Buffers::default();
        let pieces: Vec<Bytes> = (0..3 * SPARE).map(|_| piece(&buffers, b"x")).collect();
        assert_eq!(spare(&buffers), 0);
        drop(pieces);
        assert_eq!(spare(&buffers), SPARE);
        buffers.clear();
        assert_eq!(spare(&buffers), 0);
    }

    #[test]
    fn a_piece_outlives_its_root() {
        let buffers = Buffers::default();
        let kept = piece(&buffers, b"kept");
        drop(buffers);
        assert_eq!(kept, "kept");
    }
}
