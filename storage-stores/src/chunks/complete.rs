//! Which chunks are missing, and completing a content: a count and a sum over the chunks that are there, never "the last index came".
//!
//! 1. *Look* at the content's revision.
//! 2. *Read* every chunk in order and verify it, counting, adding and hashing. One whose replacement was begun and not settled is
//!    settled as what it holds, which makes whoever began it fail.
//! 3. *Complete*, by compare-and-swap, if the revision is the same. A replacement that began after its chunk was read has changed it.
//! 4. *Settle* what the session has reserved.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use storage_core::{Error, ErrorKind, ListEntry, ListRequest, Result};

use super::content::{Content, ContentMetadata};
use super::fields::{binary, millis, number};
use super::names;
use super::read::{RECORDS_PER_PAGE, incomplete};
use super::record::Piece;
use super::save::Target;
use super::store::{ChunkStore, busy};
use crate::race;

/// The size and the hash of all bytes of a content.
struct Whole {
    size: u64,
    hash: [u8; 32],
}

impl ChunkStore {
    /// The chunks that have not arrived, in order; `None` when there is no such content. What to send to go on with an upload.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn missing_chunks(&self, content_id: &str) -> Result<Option<Vec<u32>>> {
        let named = |error: Error| self.named(error, "list missing chunks", content_id);
        match self.content(content_id).await.map_err(named)? {
            Some(content) => self.missing(&content).await.map(Some).map_err(named),
            None => Ok(None),
        }
    }

    /// Marks a content complete once all its chunks are there, after each was read and verified, and gives what is known about it
    /// then. Doing it again is `Ok`.
    ///
    /// # Errors
    /// `NotFound` when there is no such content, or chunks are missing, naming the first of them and how many; `InvalidArgument` when
    /// it does not have as many bytes as were announced; `Corrupt` naming a chunk that is not what was saved; `Conflict` when others
    /// kept replacing chunks; those of the medium. The content is not complete then; do it again.
    pub async fn mark_content_complete(&self, content_id: &str) -> Result<ContentMetadata> {
        const OPERATION: &str = "complete content";
        let named = |error: Error| self.named(error, OPERATION, content_id);
        for attempt in 0..race::MAX_ATTEMPTS {
            let Some(content) = self.content(content_id).await.map_err(named)? else {
                return Err(self.no_content(OPERATION, content_id));
            };
            if let Some(complete) = self.complete(content).await.map_err(named)? {
                let session = &complete.session_id;
                let age = self.options.upload_age;
                self.settle(session, content_id, age).await.map_err(named)?;
                return Ok(complete);
            }
            race::pause(attempt).await;
        }
        Err(named(busy()))
    }

    /// Steps 1 to 3; `None` when a chunk was replaced meanwhile.
    async fn complete(&self, content: Content) -> Result<Option<ContentMetadata>> {
        if content.metadata.is_complete {
            return Ok(Some(content.metadata));
        }
        let missing = self.missing(&content).await?;
        if !missing.is_empty() {
            return Err(incomplete(&content, &missing));
        }
        if self.settle_chunks(&content).await? {
            return Ok(None);
        }
        let Some(whole) = self.read_whole(&content).await? else {
            return Ok(None);
        };
        if let Some(announced) = content.announced.filter(|announced| *announced != whole.size) {
            let message = format!(
                "the content was said to have {announced} bytes and has {}",
                whole.size
            );
            return Err(Error::invalid_argument(message));
        }
        for attempt in 0..race::MAX_ATTEMPTS {
            let Some(mut now) = self.content(content.id()).await? else {
                return Ok(None);
            };
            if now.metadata.is_complete || now.upload != content.upload || now.revision != content.revision {
                return Ok(None);
            }
            now.body.insert("is_complete", true);
            now.body.insert("total_size", number(whole.size));
            now.body.insert("content_hash", binary(&whole.hash));
            now.body.insert("last_accessed", millis(self.storage.now()));
            let id = content.id();
            if let Some(version) = self
                .swap(&self.contents(), id, Some(&now.version), &now.body)
                .await?
            {
                return Ok(Some(Content::read(id, version, now.body)?.metadata));
            }
            race::pause(attempt).await;
        }
        Err(busy())
    }

    /// Settles the chunks whose replacement was begun and not settled; `true` if there were any.
    async fn settle_chunks(&self, content: &Content) -> Result<bool> {
        let total = content.metadata.total_chunks;
        let mut settled = false;
        let mut from = 0;
        while from < total {
            let to = total.min(from + RECORDS_PER_PAGE);
            let records = self.records_of(content, from..to).await?;
            for (index, record) in (from..to).zip(records) {
                let Some(record) = record.filter(|record| !record.next.is_empty()) else {
                    continue;
                };
                settled = true;
                if let Some(chunk) = self.verified(content, index, &record).await? {
                    let target = Target {
                        content,
                        index,
                        piece: Piece::of(&chunk.bytes, &chunk.iv),
                        bytes: &chunk.bytes,
                    };
                    match self.put(&target).await {
                        // Somebody else is at it; the caller looks again.
                        Err(error) if error.kind() == ErrorKind::Conflict => {}
                        result => drop(result?),
                    }
                }
            }
            from = to;
        }
        Ok(settled)
    }

    /// Step 2; `None` when the content is no longer there.
    async fn read_whole(&self, content: &Content) -> Result<Option<Whole>> {
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        let mut chunks = self.chunks_in(content.clone(), 0..content.metadata.total_chunks);
        loop {
            match chunks.try_next().await {
                Ok(Some(chunk)) => {
                    hasher.update(&chunk.bytes);
                    size += chunk.bytes.len() as u64;
                }
                Ok(None) => {
                    let hash = hasher.finalize().into();
                    return Ok(Some(Whole { size, hash }));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The chunks of this upload that have no record or no object.
    pub(super) async fn missing(&self, content: &Content) -> Result<Vec<u32>> {
        let total = content.metadata.total_chunks;
        let stored: Vec<u32> = self
            .stored_indexes(&content.directory())
            .await?
            .range(..total)
            .copied()
            .collect();
        let mut there = BTreeSet::new();
        for page in stored.chunks(RECORDS_PER_PAGE as usize) {
            let records = self.records_of(content, page.iter().copied()).await?;
            let acknowledged = page
                .iter()
                .zip(records)
                .filter(|(_, record)| record.as_ref().is_some_and(|record| record.current.is_some()));
            there.extend(acknowledged.map(|(index, _)| *index));
        }
        Ok((0..total).filter(|index| !there.contains(index)).collect())
    }

    /// The indexes there are objects of.
    async fn stored_indexes(&self, directory: &str) -> Result<BTreeSet<u32>> {
        let mut entries = self.objects().list_with(ListRequest::new(directory));
        let mut indexes = BTreeSet::new();
        while let Some(entry) = entries.try_next().await? {
            if let ListEntry::Object(key, _) = entry {
                indexes.extend(key.as_str().strip_prefix(directory).and_then(names::index_of));
            }
        }
        Ok(indexes)
    }
}
