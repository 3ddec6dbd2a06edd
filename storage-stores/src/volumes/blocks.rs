//! [`Blocks`]: bytes named by their hash.

mod collect;
mod stream;
mod verify;

use std::collections::BTreeSet;
use std::fmt;

use bytes::BytesMut;
use futures::TryStreamExt;
use storage_core::{ByteRange, Bytes, ListEntry, ListRequest, Object, ObjectMeta, Result};

pub use self::collect::{CollectReport, Roots};
pub use self::verify::VerifyReport;
pub use crate::quarantine::Repair;

use super::hash::Hash;
use super::site::Site;
use super::store::{Item, VolumeStore};

/// Bytes named by their hash, `blocks/<hash>.bin`.
///
/// A block never changes, so it can be put by any number of writers at once and is one file. What is handed out was verified: a block whose
/// bytes do not have its hash is `Corrupt`, and goes to `quarantine/`, where nothing deletes it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let storage = storage_core::Storage::new(storage_core::Memory::new());
/// use storage_stores::volumes::{VolumeOptions, VolumeStore};
///
/// let blocks = VolumeStore::open(storage, VolumeOptions::new()).await?.blocks();
/// let hash = blocks.put("some bytes").await?;
/// assert_eq!(blocks.put("some bytes").await?, hash);
/// assert_eq!(blocks.get(&hash).await?.as_deref(), Some(&b"some bytes"[..]));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Blocks {
    store: VolumeStore,
}

impl VolumeStore {
    /// The blocks of this store.
    pub fn blocks(&self) -> Blocks {
        Blocks { store: self.clone() }
    }
}

impl Blocks {
    /// Makes bytes durable and gives their hash. Putting what is there already is fine, also at once; it is read and compared first, so
    /// that nothing damaged is acknowledged, and written anew where it has half the grace behind it, so that the collector leaves it
    /// alone until it is named.
    ///
    /// # Errors
    /// That of a durable replica where none could take it; what failed on others is in [`failures`](VolumeStore::failures).
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<Hash> {
        let bytes = bytes.into();
        let hash = self.store.hash_algorithm().hash(&bytes);
        self.store.place(&Item::Block(hash), &bytes).await?;
        Ok(hash)
    }

    /// The bytes of a block; `None` where there is none.
    ///
    /// # Errors
    /// `Corrupt` where no replica has it whole; those of the medium where one could not be asked and no other has it.
    pub async fn get(&self, hash: &Hash) -> Result<Option<Bytes>> {
        let mut whole = Whole::default();
        let there = self
            .store
            .read(&Item::Block(*hash), &mut |piece| whole.take(piece))
            .await?;
        Ok(there.then(|| whole.bytes()))
    }

    /// Some bytes of a block, cut at its end, one item for each range; `None` where there is none.
    ///
    /// They are verified like the whole: all of the block is read and hashed, a MiB at a time, and only what was asked for is held. A hash
    /// of the whole allows no less. Where small ranges of large contents matter, make several blocks of them.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn ranges(&self, hash: &Hash, ranges: &[ByteRange]) -> Result<Option<Vec<Bytes>>> {
        let mut parts = Vec::new();
        let mut take = |piece: &Object| {
            if piece.range.start == 0 {
                parts = vec![BytesMut::new(); ranges.len()];
            }
            for (part, range) in parts.iter_mut().zip(ranges) {
                let wanted = range.resolve(piece.meta.size);
                let start = wanted.start.max(piece.range.start);
                let end = wanted.end.min(piece.range.end);
                if start < end {
                    #[allow(clippy::cast_possible_truncation, reason = "the piece is in memory")]
                    let within = (start - piece.range.start) as usize..(end - piece.range.start) as usize;
                    part.extend_from_slice(&piece.bytes[within]);
                }
            }
        };
        let there = self.store.read(&Item::Block(*hash), &mut take).await?;
        Ok(there.then(|| parts.into_iter().map(BytesMut::freeze).collect()))
    }

    /// Some bytes of a block, as [`ranges`](Self::ranges).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn range(&self, hash: &Hash, range: ByteRange) -> Result<Option<Bytes>> {
        let parts = self.ranges(hash, &[range]).await?;
        Ok(parts.and_then(|parts| parts.into_iter().next()))
    }

    /// Whether a replica has something under this hash. It is not read, so it may be damaged.
    ///
    /// # Errors
    /// Those of the medium where one could not be asked and no other has it.
    pub async fn has(&self, hash: &Hash) -> Result<bool> {
        let mut failure = None;
        for site in self.store.sites() {
            match self.has_on(site, hash).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => {
                    self.store.remember(site, &error);
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(false), Err)
    }

    async fn has_on(&self, site: &Site, hash: &Hash) -> Result<bool> {
        let format = self.store.ready(site).await?;
        let key = site.names.block(format, hash);
        Ok(site.storage.objects().stat(&key).await?.is_some())
    }

    /// The hashes of all blocks of all replicas, ascending. None is read.
    ///
    /// # Errors
    /// Those of the medium, of any replica.
    pub async fn list(&self) -> Result<Vec<Hash>> {
        let mut hashes = BTreeSet::new();
        for site in self.store.sites() {
            let entries = self.store.entries(site, site.names.blocks(), false).await?;
            let format = self.store.ready(site).await?;
            hashes.extend(
                entries
                    .iter()
                    .filter_map(|(key, _)| site.names.as_block(format, key)),
            );
        }
        Ok(hashes.into_iter().collect())
    }
}

impl VolumeStore {
    /// Every object under a prefix of one replica.
    pub(super) async fn entries(
        &self,
        site: &Site,
        prefix: String,
        with_meta: bool,
    ) -> Result<Vec<(String, Option<ObjectMeta>)>> {
        let mut request = ListRequest::new(prefix);
        request.with_meta = with_meta;
        let entries = site.storage.objects().list_with(request);
        let entries: Vec<ListEntry> = entries.try_collect().await?;
        let objects = entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Object(key, meta) => Some((key.as_str().to_owned(), meta)),
            ListEntry::Prefix(_) => None,
        });
        Ok(objects.collect())
    }
}

/// Puts pieces together.
#[derive(Default)]
pub(super) struct Whole {
    pieces: Vec<Bytes>,
}

impl Whole {
    pub(super) fn take(&mut self, piece: &Object) {
        if piece.range.start == 0 {
            self.pieces.clear();
        }
        self.pieces.push(piece.bytes.clone());
    }

    pub(super) fn bytes(mut self) -> Bytes {
        if self.pieces.len() == 1 {
            return self.pieces.remove(0);
        }
        self.pieces.concat().into()
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").field("store", &self.store).finish()
    }
}
