//! Objects in a backup.

use std::cmp::Ordering;
use std::collections::VecDeque;

use bytes::BytesMut;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use storage_core::{
    Capability, Condition, Error, ErrorKind, ListEntry, ListObjects, ListRequest, ObjectMeta, Result, Retry,
    WriteOptions,
};

use super::content::{Content, ContentWriter, Described, PIECE_BYTES, write_description};
use super::create::TELL_EVERY;
use super::manifest::{Contents, Part};
use super::part::PartWriter;
use super::restore::RestoreReport;
use super::{Backups, PREFIX};
use crate::collections::migrations::Task;
use crate::collections::migrations::turn::Turn;

/// What progress about objects is told under.
const OBJECTS: &str = "(objects)";
/// How often an object is read anew that others replace while it is read.
const MAX_ATTEMPTS: usize = 20;
/// The most bytes of an object that are held to write it under a condition.
const CONDITIONAL_BYTES: u64 = 4 * PIECE_BYTES as u64;

/// An object in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectLine {
    key: String,
    content: Content,
}

impl Described for ObjectLine {
    fn name(&self) -> &str {
        &self.key
    }

    fn content(&self) -> &Content {
        &self.content
    }
}

/// What is there, in order, without the backups.
struct Present {
    entries: ListObjects,
}

impl Present {
    async fn next(&mut self) -> Result<Option<(String, Option<ObjectMeta>)>> {
        while let Some(entry) = self.entries.try_next().await? {
            if let ListEntry::Object(key, meta) = entry
                && !key.as_str().starts_with(PREFIX)
            {
                return Ok(Some((key.as_str().to_owned(), meta)));
            }
        }
        Ok(None)
    }
}

/// What is to be there, in order.
struct Wanted<'a> {
    backups: &'a Backups,
    parts: std::slice::Iter<'a, Part>,
    lines: VecDeque<ObjectLine>,
}

impl Wanted<'_> {
    async fn next(&mut self) -> Result<Option<ObjectLine>> {
        while self.lines.is_empty() {
            let Some(part) = self.parts.next() else {
                return Ok(None);
            };
            self.lines = self.backups.read_descriptions(part).await?.into();
        }
        Ok(self.lines.pop_front())
    }
}

impl Backups {
    /// Copies every object but the backups.
    pub(super) async fn back_up_objects(&self, turn: &Turn, name: &str, attempt: &str) -> Result<Contents> {
        let task = Task::BackUp(name.to_owned());
        let mut lines = PartWriter::new(&self.place, turn, format!("{attempt}/objects"));
        let mut total = 0_u64;
        let mut present = self.present_objects();
        while present.next().await?.is_some() {
            total += 1;
        }
        let mut present = self.present_objects();
        let (mut count, mut bytes) = (0, 0);
        while let Some((key, _)) = present.next().await? {
            let to = format!("{attempt}/objects/{count:010}");
            let Some(content) = self.copy_object(turn, &key, to).await? else {
                continue;
            };
            count += 1;
            bytes += content.bytes;
            let line = ObjectLine { key, content };
            lines.push(|text| write_description(text, &line)).await?;
            if count % TELL_EVERY == 0 {
                // Others may have come meanwhile, and it is not over yet.
                self.options.tell(&task, OBJECTS, count, total.max(count + 1));
            }
        }
        self.options.tell(&task, OBJECTS, count, count);
        Ok(Contents {
            count,
            bytes,
            parts: lines.finish().await?,
        })
    }

    fn present_objects(&self) -> Present {
        let mut request = ListRequest::new("");
        request.with_meta = true;
        Present {
            entries: self.storage.objects().list_with(request),
        }
    }

    /// Copies one object as it is at one moment; `None` when it is gone.
    async fn copy_object(&self, turn: &Turn, key: &str, to: String) -> Result<Option<Content>> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(mut reader) = self.storage.objects().reader(key).await? else {
                return Ok(None);
            };
            let mut content = ContentWriter::new(&self.place, turn, to.clone());
            loop {
                match reader.try_next().await {
                    Ok(Some(bytes)) => content.write(&bytes).await?,
                    Ok(None) => return content.finish().await.map(Some),
                    // Replaced while it was read.
                    Err(error) if error.kind() == ErrorKind::PreconditionFailed => break,
                    Err(error) => return Err(error),
                }
            }
        }
        let message = "others replaced it each time it was read; try again";
        Err(Error::new(ErrorKind::Conflict, message)
            .with_retry(Retry::Later)
            .with_key(key))
    }

    /// Makes the objects what they are in the backup: goes through what is there and what is to be there side by side.
    ///
    /// Each is written over, or deleted as, exactly what was seen of it, where the backend can and memory allows; so a restorer that was
    /// paused for longer than its lease lives takes nothing away that was written since.
    pub(super) async fn restore_objects(
        &self,
        turn: &Turn,
        backup: &str,
        contents: &Contents,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let task = Task::Restore(backup.to_owned());
        let mut present_objects = self.present_objects();
        let mut wanted_objects = Wanted {
            backups: self,
            parts: contents.parts.iter(),
            lines: VecDeque::new(),
        };
        let mut present = present_objects.next().await?;
        let mut wanted = wanted_objects.next().await?;
        let mut done = 0;
        loop {
            let order = match (&present, &wanted) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((key, _)), Some(line)) => key.as_str().cmp(line.key.as_str()),
            };
            if order.is_lt() {
                if let Some((key, meta)) = present.take() {
                    self.delete_object(turn, &key, meta).await?;
                    report.objects_deleted += 1;
                }
            } else if let Some(line) = wanted.take() {
                let meta = present.take_if(|_| order.is_eq()).and_then(|(_, meta)| meta);
                if self.restore_object(turn, &line, order.is_eq(), meta).await? {
                    report.objects_written += 1;
                }
                done += 1;
                if done % TELL_EVERY == 0 {
                    self.options.tell(&task, OBJECTS, done, contents.count);
                }
                wanted = wanted_objects.next().await?;
            }
            if order.is_le() {
                present = present_objects.next().await?;
            }
        }
        self.options.tell(&task, OBJECTS, done, contents.count);
        Ok(())
    }

    /// Makes one object what it is in the backup; `false` where it is that already.
    async fn restore_object(
        &self,
        turn: &Turn,
        line: &ObjectLine,
        is_there: bool,
        meta: Option<ObjectMeta>,
    ) -> Result<bool> {
        if is_there && self.is_as_kept(line).await? {
            return Ok(false);
        }
        turn.check_held()?;
        let objects = self.storage.objects();
        if line.content.bytes > CONDITIONAL_BYTES {
            let mut upload = objects.upload(&line.key, WriteOptions::new()).await?;
            for piece in &line.content.pieces {
                upload.write(self.read_piece(piece).await?).await?;
            }
            turn.check_held()?;
            upload.finish().await?;
            return Ok(true);
        }
        let mut bytes = BytesMut::new();
        for piece in &line.content.pieces {
            bytes.extend_from_slice(&self.read_piece(piece).await?);
        }
        let condition = match (is_there, meta) {
            (false, _) if self.can(Capability::CreateIfAbsent) => Condition::IfAbsent,
            (true, Some(meta)) if self.can(Capability::CompareAndSwap) => Condition::IfVersion(meta.version),
            _ => Condition::Always,
        };
        let options = WriteOptions::new().condition(condition);
        objects
            .write_with(&line.key, bytes.freeze(), options)
            .await
            .map_err(meddled)?;
        Ok(true)
    }

    async fn is_as_kept(&self, line: &ObjectLine) -> Result<bool> {
        let Some(mut reader) = self.storage.objects().reader(&line.key).await? else {
            return Ok(false);
        };
        if reader.meta().size != line.content.bytes {
            return Ok(false);
        }
        let mut hasher = blake3::Hasher::new();
        while let Some(bytes) = reader.try_next().await.map_err(meddled)? {
            hasher.update(&bytes);
        }
        Ok(hasher.finalize().to_hex().as_str() == line.content.blake3)
    }

    async fn delete_object(&self, turn: &Turn, key: &str, meta: Option<ObjectMeta>) -> Result<()> {
        turn.check_held()?;
        let objects = self.storage.objects();
        match meta {
            Some(meta) if self.can(Capability::DeleteIf) => {
                objects.delete_if(key, meta.version).await.map_err(meddled)
            }
            _ => objects.delete(key).await,
        }
    }

    fn can(&self, capability: Capability) -> bool {
        self.storage.declaration().support(capability).is_present()
    }
}

/// A lost condition says that somebody else writes while everything is made what it was.
fn meddled(error: Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed => {
            let message =
                "somebody writes objects during the restore; see that nobody does, and restore again";
            let key = error.key().unwrap_or_default().to_owned();
            Error::new(ErrorKind::Conflict, message)
                .with_retry(Retry::Later)
                .with_key(key)
                .with_source(error)
        }
        _ => error,
    }
}
