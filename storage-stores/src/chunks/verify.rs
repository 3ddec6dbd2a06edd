//! Comparing records with objects, both ways, and making good what can be.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use storage_core::{Error, ErrorKind, ListEntry, ListRequest, ObjectMeta, Query, ReadRequest, Result};

use super::content::Content;
use super::list::Contents;
use super::names::{self, ObjectName};
use super::read::RECORDS_PER_PAGE;
use super::record::{Record, hash};
use super::store::{ChunkStore, document, unless_lost};
use crate::quarantine::object_aside;

/// What a verification found, and what a repair removed or moved to quarantine.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Contents looked at.
    pub contents: u64,
    /// Chunks looked at.
    pub chunks: u64,
    /// Their bytes, every one of which was read and compared with its hash.
    pub bytes: u64,
    /// What is wrong, the first 1,000 of it.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub found: u64,
    /// How many of them this repair made good, or put out of the way.
    pub repaired: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// The object or document it is about.
    pub entry: String,
    /// The content, where that is known.
    pub content_id: Option<String>,
    /// The chunk, where it is about one.
    pub chunk_index: Option<u32>,
}

/// What can be wrong with a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A chunk that was acknowledged, or a complete content needs, is gone. Send it again.
    MissingChunk,
    /// A chunk's bytes are not those that were saved. Send it again; a quarantine moves them aside.
    DamagedChunk,
    /// A record cannot be read. Look at it; nothing was changed.
    UnreadableRecord,
    /// An object that no record names and nobody has written for long. A repair removes it.
    OrphanObject,
    /// A chunk's record that is of no content, or of an earlier one of the same id. A repair removes it.
    StrayRecord,
    /// A deletion that was cut short. A repair finishes it.
    UnfinishedDeletion,
}

/// The most problems a report lists.
const MAX_PROBLEMS: usize = 1000;

/// What a walk does about what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Look,
    /// Removes what belongs to nothing.
    Repair,
    /// Moves damaged chunks aside.
    Quarantine,
}

/// A walk over everything, that looks or repairs.
struct Walk<'a> {
    store: &'a ChunkStore,
    mode: Mode,
    report: VerifyReport,
}

impl ChunkStore {
    /// Compares every record with its object and every object with its record, and reads all bytes. It changes nothing, and may run
    /// beside senders: a chunk that is just being written is no problem.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn verify(&self) -> Result<VerifyReport> {
        self.walk(Mode::Look)
            .await
            .map_err(|error| self.named(error, "verify chunks", ""))
    }

    /// The same, and removes objects nobody names, once they are [old](super::ChunkOptions::upload_age), and records of nothing;
    /// finishes deletions. It removes no chunk of a content, damaged or not.
    ///
    /// # Errors
    /// Those of the medium; what was repaired stays repaired.
    pub async fn repair(&self) -> Result<VerifyReport> {
        self.walk(Mode::Repair)
            .await
            .map_err(|error| self.named(error, "repair chunks", ""))
    }

    /// The same as [`verify`](Self::verify), and moves chunks whose bytes are not those that were saved to
    /// [quarantine](crate::quarantine): such a chunk is then missing, and `Corrupt` to readers until it is sent again. It removes nothing
    /// else.
    ///
    /// # Errors
    /// Those of the medium; what is in quarantine stays there.
    pub async fn quarantine(&self) -> Result<VerifyReport> {
        self.walk(Mode::Quarantine)
            .await
            .map_err(|error| self.named(error, "quarantine chunks", ""))
    }

    async fn walk(&self, mode: Mode) -> Result<VerifyReport> {
        let mut walk = Walk {
            store: self,
            mode,
            report: VerifyReport::default(),
        };
        walk.contents().await?;
        walk.records().await?;
        walk.objects().await?;
        Ok(walk.report)
    }
}

impl ChunkStore {
    /// Moves a chunk's object to quarantine, unless its record names it. The record is read after the object, and says before a write what
    /// is about to be written: so what it does not name is nobody's, and what somebody writes meanwhile has another version.
    async fn set_aside(&self, content: &Content, index: u32) -> Result<bool> {
        let key = content.object_key(index);
        let object = match self.objects().read_with(&key, ReadRequest::default()).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(false),
            // A layer below knows it for damaged, and gives none of it.
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
            Err(error) => return Err(error),
        };
        match self.record(content, index).await? {
            Some(record) if record.piece(&hash(&object.bytes)).is_none() => {
                object_aside(&self.storage, &key, object).await
            }
            _ => Ok(false),
        }
    }
}

impl Walk<'_> {
    fn repairs(&self) -> bool {
        self.mode == Mode::Repair
    }

    /// From contents to their chunks.
    async fn contents(&mut self) -> Result<()> {
        let mut contents = Contents(self.store.contents().find(Query::all()).await?);
        let mut unreadable = Vec::new();
        while let Some(content) = contents.next(&mut unreadable).await? {
            self.report.contents += 1;
            if content.deleting {
                let entry = format!("content_metadata/{}", content.id());
                self.note(
                    ProblemKind::UnfinishedDeletion,
                    entry,
                    Some(content.id()),
                    None,
                    self.repairs(),
                );
                if self.repairs() {
                    self.store.finish_deletion(&content).await?;
                }
                continue;
            }
            self.chunks(&content).await?;
        }
        self.unreadable(&unreadable);
        Ok(())
    }

    async fn chunks(&mut self, content: &Content) -> Result<()> {
        let total = content.metadata.total_chunks;
        let mut from = 0;
        while from < total {
            let to = total.min(from + RECORDS_PER_PAGE);
            match self.store.records_of(content, from..to).await {
                Ok(records) => {
                    for (index, record) in (from..to).zip(records) {
                        self.look_at(content, index, record).await?;
                    }
                }
                // One that cannot be read hides none of its neighbours.
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    for index in from..to {
                        match self.store.record(content, index).await {
                            Err(error) if error.kind() == ErrorKind::Corrupt => self.unreadable(&[error]),
                            record => self.look_at(content, index, record?).await?,
                        }
                    }
                }
                Err(error) => return Err(error),
            }
            from = to;
        }
        Ok(())
    }

    async fn look_at(&mut self, content: &Content, index: u32, record: Option<Record>) -> Result<()> {
        let Some(record) = record.filter(|record| record.current.is_some()) else {
            // It may have been deleted since it was found.
            if content.metadata.is_complete && self.store.is_live(content).await? {
                self.chunk(ProblemKind::MissingChunk, content, index, false);
            }
            return Ok(());
        };
        self.report.chunks += 1;
        match self.store.verified(content, index, &record).await {
            Ok(chunk) => self.report.bytes += chunk.map_or(0, |chunk| chunk.bytes.len() as u64),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let key = content.object_key(index);
                let kind = match self.store.objects().stat(key).await? {
                    Some(_) => ProblemKind::DamagedChunk,
                    None => ProblemKind::MissingChunk,
                };
                let aside = self.mode == Mode::Quarantine
                    && kind == ProblemKind::DamagedChunk
                    && self.store.set_aside(content, index).await?;
                self.chunk(kind, content, index, aside);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// From chunks' records to their contents.
    async fn records(&mut self) -> Result<()> {
        let mut found = self.store.records().find(Query::all()).await?;
        let mut unreadable = Vec::new();
        let mut last: Option<(String, Option<Content>)> = None;
        loop {
            let record = match found.next().await {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) if error.context_value("document").is_some() => {
                    unreadable.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let id = record.id.as_str();
            let Some((content_id, index)) = names::of_record_id(id) else {
                unreadable.push(Error::corrupt(
                    format!("chunk_metadata/{id}"),
                    "it is not the id of a chunk",
                ));
                continue;
            };
            // Records come in the order of ids, so those of one content come together.
            let content = match last.take().filter(|(of, _)| of == content_id) {
                Some((_, content)) => content,
                None => self.readable_content(content_id).await?,
            };
            let body = document(&record.value)?;
            let covered = content
                .as_ref()
                .is_some_and(|content| content.deleting || index < content.metadata.total_chunks);
            let Ok(upload) = body.get_str("upload") else {
                // What cannot be read may be a chunk's that is still wanted, and was reported with its content.
                if !covered {
                    let entry = format!("chunk_metadata/{id}");
                    unreadable.push(Error::corrupt(entry, "it does not say which upload it is of"));
                }
                last = Some((content_id.to_owned(), content));
                continue;
            };
            let belongs = covered
                && content
                    .as_ref()
                    .is_some_and(|content| content.deleting || content.upload == upload);
            if !belongs && self.is_stray(content_id, index, upload).await? {
                let entry = format!("chunk_metadata/{id}");
                let repaired = self.repairs()
                    && unless_lost(self.store.records().delete_if(id, record.version.clone()).await)?
                        .is_some();
                self.note(
                    ProblemKind::StrayRecord,
                    entry,
                    Some(content_id),
                    Some(index),
                    repaired,
                );
            }
            last = Some((content_id.to_owned(), content));
        }
        self.unreadable(&unreadable);
        Ok(())
    }

    /// Whether a record still belongs to nothing, its content looked at again: it may have come since.
    async fn is_stray(&self, content_id: &str, index: u32, upload: &str) -> Result<bool> {
        match self.store.any_content(content_id).await {
            Ok(Some(content)) if content.deleting => Ok(false),
            Ok(Some(content)) => Ok(index >= content.metadata.total_chunks || content.upload != upload),
            Ok(None) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A content whose record cannot be read was reported already, and keeps what it has.
    async fn readable_content(&self, content_id: &str) -> Result<Option<Content>> {
        match self.store.any_content(content_id).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            content => content,
        }
    }

    /// From objects to their records.
    async fn objects(&mut self) -> Result<()> {
        let mut request = ListRequest::new(names::OBJECTS);
        request.with_meta = true;
        let mut entries = self.store.objects().list_with(request);
        let mut page = BTreeMap::new();
        while let Some(entry) = entries.try_next().await? {
            let ListEntry::Object(key, meta) = entry else {
                continue;
            };
            page.insert(key.as_str().to_owned(), meta);
            if page.len() >= RECORDS_PER_PAGE as usize {
                self.orphans(std::mem::take(&mut page)).await?;
            }
        }
        self.orphans(page).await
    }

    async fn orphans(&mut self, objects: BTreeMap<String, Option<ObjectMeta>>) -> Result<()> {
        let now = self.store.storage.now();
        let named: Vec<_> = objects
            .into_iter()
            .filter_map(|(key, meta)| Some((names::of_object_key(&key)?, key, meta)))
            .collect();
        let ids = named
            .iter()
            .map(|(name, ..)| names::record_id(&name.content_id, name.index));
        let records = self.store.records().get_many(ids.collect::<Vec<_>>()).await?;
        for ((name, key, meta), record) in named.into_iter().zip(records) {
            let named = record.is_some_and(|record| match (&name.upload, record.value.get_str("upload")) {
                (Some(of), Ok(upload)) => of == upload,
                _ => true,
            });
            let written = meta.as_ref().and_then(|meta| meta.modified);
            // Where the medium does not know, it may be one whose record is about to be written.
            let old = written.is_some_and(|time| time.after(self.store.options.upload_age) <= now);
            if named || !old {
                continue;
            }
            let repaired = match meta {
                Some(meta) if self.repairs() => self.remove_orphan(&name, &key, meta).await?,
                _ => false,
            };
            let (kind, content_id) = (ProblemKind::OrphanObject, Some(name.content_id.as_str()));
            self.note(kind, key, content_id, Some(name.index), repaired);
        }
        Ok(())
    }

    /// Removes an object unless somebody has just adopted it. Where nothing is deleted by its version it stays while a sender may be at
    /// work on the content: on the upload, where that is part of the name.
    async fn remove_orphan(&self, name: &ObjectName, key: &str, meta: ObjectMeta) -> Result<bool> {
        let (store, content_id) = (self.store, name.content_id.as_str());
        if let Some(upload) = &name.upload {
            let now = store.any_content(content_id).await?;
            if now.is_some_and(|content| content.upload == *upload) {
                return Ok(false);
            }
            store.objects().delete(key).await?;
            return Ok(true);
        }
        if store.any_record(content_id, name.index).await?.is_some() {
            return Ok(false);
        }
        if store.deletes_by_version() {
            return Ok(unless_lost(store.objects().delete_if(key, meta.version).await)?.is_some());
        }
        if store.any_content(content_id).await?.is_some() {
            return Ok(false);
        }
        store.objects().delete(key).await?;
        Ok(true)
    }

    fn chunk(&mut self, kind: ProblemKind, content: &Content, index: u32, repaired: bool) {
        let entry = content.object_key(index);
        self.note(kind, entry, Some(content.id()), Some(index), repaired);
    }

    fn unreadable(&mut self, errors: &[Error]) {
        for error in errors {
            let entry = error.key().unwrap_or_default().to_owned();
            self.note(ProblemKind::UnreadableRecord, entry, None, None, false);
        }
    }

    fn note(
        &mut self,
        kind: ProblemKind,
        entry: String,
        content_id: Option<&str>,
        chunk_index: Option<u32>,
        repaired: bool,
    ) {
        self.report.found += 1;
        self.report.repaired += u64::from(repaired);
        if self.report.problems.len() < MAX_PROBLEMS {
            self.report.problems.push(Problem {
                kind,
                entry,
                content_id: content_id.map(str::to_owned),
                chunk_index,
            });
        }
    }
}
