//! [`Sealer`] and [`Opener`]: one value, chunk by chunk.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use storage_core::{Error, ErrorKind, Result};

use super::context::Context;
use super::header::{HEADER_BYTES, Header};
use super::key::ValueKeys;
use super::keyring::Keyring;
use super::suite::Suite;
use crate::chunked::Geometry;

/// What every chunk is followed by.
pub const TAG_BYTES: usize = 16;

/// Where chunks of this size lie in a sealed value.
///
/// # Errors
/// `Corrupt` for a size there is none of.
pub fn sealed_geometry(chunk_log2: u8) -> Result<Geometry> {
    Geometry::new(HEADER_BYTES as u64, chunk_log2, TAG_BYTES as u64)
}

/// Seals one value, whole or as it comes.
pub struct Sealer {
    cipher: Cipher,
    header: [u8; HEADER_BYTES],
    geometry: Geometry,
    next: u64,
    ended: bool,
}

impl Sealer {
    /// Begins a value, under a key of its own.
    ///
    /// # Errors
    /// `Internal` where the cipher fails.
    pub fn begin(keys: &Keyring, context: &Context<'_>) -> Result<Self> {
        Self::with_salt(keys, context, storage_core::random_bytes())
    }

    fn with_salt(keys: &Keyring, context: &Context<'_>, salt: [u8; 32]) -> Result<Self> {
        let (suite, chunk_log2) = (keys.its_suite(), keys.its_chunk_log2());
        let derived = keys.active().of_value(suite, &salt);
        let mut commitment = [0; 32];
        commitment.copy_from_slice(derived.commitment());
        let header = Header {
            suite,
            chunk_log2,
            key: keys.active().id(),
            salt,
            commitment,
        }
        .to_bytes();
        Ok(Self {
            cipher: Cipher::new(suite, &derived, context.associated(&header))?,
            header,
            geometry: sealed_geometry(chunk_log2)?,
            next: 0,
            ended: false,
        })
    }

    /// What the value begins with.
    pub const fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Where its chunks lie.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Appends the next chunk and its tag. Every chunk but the last must be full, and nothing follows the last.
    ///
    /// # Errors
    /// `InvalidArgument` for a chunk of another size or after the last; `LimitExceeded` for the 2^32nd; `Internal`.
    pub fn chunk(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        let full = self.geometry.chunk_bytes();
        let length = plain.len() as u64;
        if self.ended || length > full || (!last && length < full) {
            return Err(Error::invalid_argument(
                "every chunk but the last must be full, and nothing follows the last",
            ));
        }
        self.cipher.seal(self.next, last, plain, out)?;
        self.next += 1;
        self.ended = last;
        Ok(())
    }

    /// The value, header and all.
    pub(super) fn seal_whole(mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let stored = usize::try_from(self.geometry.stored(plain.len() as u64));
        let mut out = Vec::with_capacity(stored.map_err(|_| too_large())?);
        out.extend_from_slice(&self.header);
        self.content(plain, &mut out)?;
        Ok(out)
    }

    /// Appends all of the content.
    pub(crate) fn content(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let full = usize::try_from(self.geometry.chunk_bytes()).map_err(|_| too_large())?;
        if plain.is_empty() {
            return self.chunk(plain, true, out);
        }
        let mut chunks = plain.chunks(full).peekable();
        while let Some(chunk) = chunks.next() {
            let last = chunks.peek().is_none();
            self.chunk(chunk, last, out)?;
        }
        Ok(())
    }
}

/// Opens one value, whole or a range of chunks. Bytes leave it only once their chunk is verified.
pub struct Opener {
    cipher: Cipher,
    geometry: Geometry,
}

impl Opener {
    /// Finds the key the header names and checks that it is the one the value was sealed under.
    ///
    /// # Errors
    /// As [`Keyring::key`]; `Corrupt` where the header was changed.
    pub fn begin(keys: &Keyring, context: &Context<'_>, header: Header) -> Result<Self> {
        let derived = keys.key(header.key)?.of_value(header.suite, &header.salt);
        if verify_slices_are_equal(derived.commitment(), &header.commitment).is_err() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the header of what is sealed here was changed: it does not commit to the key it names",
            ));
        }
        let associated = context.associated(&header.to_bytes());
        Ok(Self {
            cipher: Cipher::new(header.suite, &derived, associated)?,
            geometry: sealed_geometry(header.chunk_log2)?,
        })
    }

    /// Where its chunks lie.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Appends what one chunk holds. `sealed` ends with its tag.
    ///
    /// # Errors
    /// `Corrupt` where it was changed, or is another chunk, or belongs elsewhere; `out` then is as it was.
    pub fn chunk(&self, number: u64, last: bool, sealed: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.cipher.open(number, last, sealed, out)
    }

    /// Opens the chunks of this range, as they are stored one after another in content of `plain` bytes.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub fn chunks(&self, chunks: Range<u64>, plain: u64, sealed: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let count = self.geometry.chunks(plain);
        let stored = self.geometry.stored_range(&chunks, plain);
        let full = usize::try_from(self.geometry.chunk_bytes()).map_err(|_| too_large())? + TAG_BYTES;
        if stored.end - stored.start != sealed.len() as u64 {
            return Err(damaged());
        }
        for (number, piece) in chunks.zip(sealed.chunks(full)) {
            self.chunk(number, number + 1 == count, piece, out)?;
        }
        Ok(())
    }

    pub(super) fn open_whole(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let plain = self.geometry.plain(sealed.len() as u64)?;
        let mut out = Vec::with_capacity(usize::try_from(plain).map_err(|_| too_large())?);
        let chunks = 0..self.geometry.chunks(plain);
        self.chunks(chunks, plain, &sealed[HEADER_BYTES..], &mut out)?;
        Ok(out)
    }
}

/// A cipher keyed for one value.
struct Cipher {
    key: LessSafeKey,
    associated: Vec<u8>,
}

impl Cipher {
    fn new(suite: Suite, derived: &ValueKeys, associated: Vec<u8>) -> Result<Self> {
        let key = UnboundKey::new(suite.algorithm(), derived.cipher()).map_err(|_| failed())?;
        Ok(Self {
            key: LessSafeKey::new(key),
            associated,
        })
    }

    fn seal(&self, number: u64, last: bool, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let nonce = nonce(number, last)?;
        let start = out.len();
        out.resize(start + plain.len() + TAG_BYTES, 0);
        let (sealed, tag) = out[start..].split_at_mut(plain.len());
        self.key
            .seal_out_of_place_scatter(nonce, Aad::from(&self.associated), plain, sealed, &[], tag)
            .map_err(|_| failed())
    }

    fn open(&self, number: u64, last: bool, sealed: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let nonce = nonce(number, last)?;
        let Some((sealed, tag)) = sealed.split_last_chunk::<TAG_BYTES>() else {
            return Err(damaged());
        };
        let start = out.len();
        out.resize(start + sealed.len(), 0);
        let opened =
            self.key
                .open_separate_gather(nonce, Aad::from(&self.associated), sealed, tag, &mut out[start..]);
        if opened.is_err() {
            // What the cipher left behind was never verified.
            out[start..].fill(0);
            out.truncate(start);
            return Err(damaged());
        }
        Ok(())
    }
}

/// STREAM: 7 bytes, the number of the chunk, whether it is the last. The 7 bytes can be zero because no two values share a key.
fn nonce(number: u64, last: bool) -> Result<Nonce> {
    let number = u32::try_from(number).map_err(|_| too_large())?;
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    Ok(Nonce::assume_unique_for_key(nonce))
}

fn damaged() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "what is sealed here was changed, cut, or moved here from another place",
    )
}

fn failed() -> Error {
    Error::new(ErrorKind::Internal, "the cipher failed")
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::LimitExceeded,
        "a sealed value has at most 2^32 chunks; take larger ones",
    )
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("geometry", &self.geometry)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
