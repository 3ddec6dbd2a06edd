//! Saving a chunk.
//!
//! The first bytes of a chunk: the object is created where nothing is, durably, and then the record where none is. A crash in between
//! leaves an object that no record names, which is never data; sending the chunk again writes it once more and makes the record.
//!
//! Other bytes in the place of some (and every case in which the record is there already):
//!
//! 1. *Intend*: what is about to be written is put among the record's `next`, by compare-and-swap.
//! 2. *Mark* the content as changed, which is refused once it is complete. Who completes it at the same time notices.
//! 3. *Look* which version the object has, and after that whether the record still is as 1 left it.
//! 4. *Write* the object over that version.
//! 5. *Settle*: the record says that this is what the chunk is, and forgets every other intention, by compare-and-swap.
//!
//! At each moment the object holds something the record names. Whoever intends something after 1 makes 5 fail, and writes over what 4
//! wrote; a write by somebody whose look is older than another's write fails on the version. The model in
//! `tests/chunks_model.rs` tries every order of these steps, and a crash between any two.

use bytes::Bytes;
use storage_core::{Applied, Condition, Error, ErrorKind, ReadRequest, Result, Retry, Version, WriteOptions};

use super::content::{Content, nonce};
use super::info::ChunkInfo;
use super::names;
use super::record::{Piece, Record, hash};
use super::store::{ChunkStore, busy, unless_lost};
use crate::race;

/// More different bytes that were intended for one chunk and never settled mean that something is wrong.
const MAX_INTENTIONS: usize = 16;

/// One chunk and what it is to be.
pub(super) struct Target<'a> {
    pub(super) content: &'a Content,
    pub(super) index: u32,
    pub(super) piece: Piece,
    pub(super) bytes: &'a Bytes,
}

/// How an attempt to write over a chunk ended.
enum Attempt {
    Done,
    /// Somebody else was faster before anything was written.
    Again,
    /// Somebody else meant to write something else after this was written.
    Overtaken,
}

impl ChunkStore {
    /// Saves a chunk, in whichever order they come; when it returns, the chunk is as durable as the backend. The first chunk of a
    /// content makes the content, and the session.
    ///
    /// The same chunk with the same bytes again is `Ok`, changes nothing, and makes good what a crash or a damaged medium left of it.
    /// Other bytes replace the chunk whole, as long as the content is not complete.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the ids, the number of chunks, the bytes, and the limit of the session, naming what is
    /// used and when it frees; `InvalidArgument` for what contradicts itself or an earlier chunk; `AlreadyExists` when another session
    /// has a content of this id; `PreconditionFailed` for other bytes than a complete content has; `Conflict` when somebody else
    /// sends other bytes for the same chunk at the same time; those of the medium. After any of them, send the chunk again.
    pub async fn save_chunk(&self, bytes: impl Into<Bytes>, info: ChunkInfo) -> Result<()> {
        let bytes = bytes.into();
        let saved = self.save(&bytes, &info).await;
        saved.map_err(|error| self.named(error, "save chunk", &info.content_id))
    }

    async fn save(&self, bytes: &Bytes, info: &ChunkInfo) -> Result<()> {
        names::check_info(
            &self.storage,
            info,
            bytes.len() as u64,
            self.options.max_chunk_bytes,
        )?;
        let piece = Piece::of(bytes, &info.iv);
        for attempt in 0..race::MAX_ATTEMPTS {
            let content = self.begin(info, bytes.len() as u64).await?;
            let target = Target {
                content: &content,
                index: info.chunk_index,
                piece: piece.clone(),
                bytes,
            };
            let done = self.create(&target).await? || self.put(&target).await?;
            if done {
                self.touch(&content).await;
                return Ok(());
            }
            race::pause(attempt).await;
        }
        Err(busy())
    }

    /// The chunk's first bytes; `false` where there are some, or a record.
    async fn create(&self, target: &Target<'_>) -> Result<bool> {
        if target.content.metadata.is_complete {
            return Ok(false);
        }
        let key = target.content.object_key(target.index);
        if unless_lost(self.objects().create(key, target.bytes.clone()).await)?.is_none() {
            return Ok(false);
        }
        self.insert_record(target).await
    }

    async fn insert_record(&self, target: &Target<'_>) -> Result<bool> {
        let (id, index) = (target.content.id(), target.index);
        let now = self.storage.now();
        let upload = &target.content.upload;
        let body = Record::body(id, index, upload, now, Some(&target.piece), &[]);
        let record = names::record_id(id, index);
        let inserted = self.swap(&self.records(), &record, None, &body).await?;
        Ok(inserted.is_some())
    }

    /// The chunk's bytes where an object or a record is there already; `false` when somebody else was faster.
    pub(super) async fn put(&self, target: &Target<'_>) -> Result<bool> {
        let Some(record) = self.any_record(target.content.id(), target.index).await? else {
            return self.adopt(target).await;
        };
        let own = record.upload == target.content.upload;
        let same = own && record.current.as_ref() == Some(&target.piece);
        if same && (record.next.is_empty() || target.content.metadata.is_complete) {
            return self.heal(target, &record).await;
        }
        if target.content.metadata.is_complete {
            return Err(complete());
        }
        // Read before the content is found to be this upload's still, another upload's record is an earlier one's.
        if !own && !self.is_live(target.content).await? {
            return Ok(false);
        }
        match self.replace(target, &record).await? {
            Attempt::Done => Ok(true),
            Attempt::Again => Ok(false),
            Attempt::Overtaken => Err(overtaken()),
        }
    }

    /// An object without a record: the same bytes become the chunk, others are written over after they were intended.
    async fn adopt(&self, target: &Target<'_>) -> Result<bool> {
        let key = target.content.object_key(target.index);
        let finished = target.content.metadata.is_complete;
        match self.objects().read_with(&key, ReadRequest::default()).await? {
            // The record of a complete content's chunk was lost, and the chunk was not.
            Some(found) if finished && hash(&found.bytes) == target.piece.hash => {
                self.insert_record(target).await
            }
            _ if finished => Err(complete()),
            None => Ok(false),
            // Written again, so that a repair that takes it for an orphan no longer finds what it saw.
            Some(found) if hash(&found.bytes) == target.piece.hash => {
                let version = Some(found.meta.version);
                Ok(self.write_over(&key, version, target.bytes).await? && self.insert_record(target).await?)
            }
            Some(_) => {
                let now = self.storage.now();
                let (id, index) = (target.content.id(), target.index);
                let intention = std::slice::from_ref(&target.piece);
                let body = Record::body(id, index, &target.content.upload, now, None, intention);
                let record = names::record_id(id, index);
                self.swap(&self.records(), &record, None, &body).await?;
                // With a record there, the next attempt is a replacement like any other.
                Ok(false)
            }
        }
    }

    /// The record says that these bytes are there; makes sure that they are.
    async fn heal(&self, target: &Target<'_>, record: &Record) -> Result<bool> {
        let key = target.content.object_key(target.index);
        let found = self.objects().read_with(&key, ReadRequest::default()).await?;
        if found
            .as_ref()
            .is_some_and(|object| hash(&object.bytes) == target.piece.hash)
        {
            return Ok(true);
        }
        if !self.is_still(target, &record.version).await? {
            return Ok(false);
        }
        let version = found.map(|object| object.meta.version);
        let written = self.write_over(&key, version, target.bytes).await?;
        Ok(written)
    }

    /// Steps 1 to 5.
    async fn replace(&self, target: &Target<'_>, record: &Record) -> Result<Attempt> {
        let (id, index, piece) = (target.content.id(), target.index, &target.piece);
        let own = record.upload == target.content.upload;
        let current = record.current.as_ref().filter(|_| own);
        let mut next = if own { record.next.clone() } else { Vec::new() };
        if !next.contains(piece) {
            next.push(piece.clone());
        }
        if next.len() > MAX_INTENTIONS {
            return Err(unsettled());
        }
        let (upload, records) = (&target.content.upload, self.records());
        let name = names::record_id(id, index);
        let created_at = if own {
            record.created_at
        } else {
            self.storage.now()
        };
        let body = Record::body(id, index, upload, created_at, current, &next);
        let Some(intended) = self.swap(&records, &name, Some(&record.version), &body).await? else {
            return Ok(Attempt::Again);
        };
        if !self.mark_changed(target.content).await? {
            return Ok(Attempt::Again);
        }
        let key = target.content.object_key(index);
        for attempt in 0..race::MAX_ATTEMPTS {
            let version = self.objects().stat(&key).await?.map(|meta| meta.version);
            if !self.is_still(target, &intended).await? {
                return Ok(Attempt::Again);
            }
            if self.write_over(&key, version, target.bytes).await? {
                let body = Record::body(id, index, upload, self.storage.now(), Some(piece), &[]);
                if self
                    .swap(&records, &name, Some(&intended), &body)
                    .await?
                    .is_some()
                {
                    return Ok(Attempt::Done);
                }
                let settled = self.record(target.content, index).await?;
                let same = settled.is_some_and(|record| record.current.as_ref() == Some(piece));
                return Ok(if same { Attempt::Again } else { Attempt::Overtaken });
            }
            race::pause(attempt).await;
        }
        Err(busy())
    }

    /// Step 2; `false` when the content is no longer what it was, so that the caller looks again.
    async fn mark_changed(&self, content: &Content) -> Result<bool> {
        for attempt in 0..race::MAX_ATTEMPTS {
            let Some(mut now) = self.content(content.id()).await? else {
                return Ok(false);
            };
            if now.upload != content.upload || now.metadata.is_complete {
                return Ok(false);
            }
            now.body.insert("revision", nonce());
            if self
                .swap(&self.contents(), content.id(), Some(&now.version), &now.body)
                .await?
                .is_some()
            {
                return Ok(true);
            }
            race::pause(attempt).await;
        }
        Err(busy())
    }

    /// Whether this very upload is there still.
    pub(super) async fn is_live(&self, content: &Content) -> Result<bool> {
        let now = self.content(content.id()).await?;
        Ok(now.is_some_and(|now| now.upload == content.upload))
    }

    async fn is_still(&self, target: &Target<'_>, version: &Version) -> Result<bool> {
        let record = self.any_record(target.content.id(), target.index).await?;
        Ok(record.is_some_and(|record| record.version == *version))
    }

    /// Writes an object over exactly this version, or where nothing is.
    async fn write_over(&self, key: &str, version: Option<Version>, bytes: &Bytes) -> Result<bool> {
        let condition = version.map_or(Condition::IfAbsent, Condition::IfVersion);
        let options = WriteOptions::new().condition(condition);
        let written = self.objects().write_with(key, bytes.clone(), options).await;
        Ok(unless_lost(written)?.is_some())
    }
}

fn complete() -> Error {
    let message = "the content is complete, and its chunks no longer change; delete it to send it anew";
    Error::new(ErrorKind::PreconditionFailed, message)
}

fn overtaken() -> Error {
    let message =
        "somebody else sends other bytes for the same chunk; look which are wanted, and send them again";
    Error::new(ErrorKind::Conflict, message)
        .with_applied(Applied::Unknown)
        .with_retry(Retry::Later)
}

fn unsettled() -> Error {
    let message =
        format!("more than {MAX_INTENTIONS} different bytes were begun for this chunk; delete the content");
    Error::new(ErrorKind::Conflict, message)
}
