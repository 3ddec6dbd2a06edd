//! Sweeping: removing what no reader sees and no writer needs.
//!
//! An entry no document names may belong to a writer that is paused just before its swap. Its age proves nothing. So the
//! document is fenced, swapped to a new medium version with the same content, and then no paused swap can name the entry any more.
//! Where there is nothing to fence, whoever made the entry had its base version removed and cannot commit either. Placeholders
//! and tombstones go by conditional delete only: a writer may have swapped since they were looked at.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::engine::{Engine, all_in_parallel};
use super::layout::{self, Entry};
use super::logs::{HeadState, name_of};
use super::medium::{MAX_NAMES, Swap};
use super::record::{Content, Record};
use crate::adapter::SweepReport;
use crate::backend::{Listing, ObjectMeta};
use crate::clock::Timestamp;
use crate::error::{ErrorKind, Result};
use crate::name::{DocumentId, Key, Name};

/// What to do with the marks of absent documents and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// Remove exactly the version that was looked at, once it is old enough.
    IfUnchanged,
    /// Remove them: nobody else is there.
    Alone,
}

impl Engine {
    /// # Errors
    /// Those of the medium; a catalog that cannot be read.
    pub(super) async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.sweep_marks(now, Marks::IfUnchanged).await
    }

    /// # Errors
    /// As [`sweep`](Self::sweep).
    pub(super) async fn compact(&self, now: Timestamp) -> Result<SweepReport> {
        self.sweep_marks(now, Marks::Alone).await
    }

    async fn sweep_marks(&self, now: Timestamp, marks: Marks) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        // Generations first, catalogs after: one that has entries was registered before, so if no catalog has it now it was
        // dropped, and will not come back.
        let mut generations = Vec::new();
        for prefix in [layout::ENTRIES, layout::CLAIMS] {
            let found = self.medium.children(prefix, None, usize::MAX).await?;
            generations.extend(
                found
                    .iter()
                    .filter_map(|name| Some(layout::last_segment(prefix, name)?.to_owned())),
            );
        }
        generations.sort_unstable();
        generations.dedup();
        let mut live = BTreeMap::new();
        for collection in self.collections(None, usize::MAX).await? {
            for generation in self.catalog(&collection).await?.catalog.indexes {
                live.insert(generation.token, collection.clone());
            }
            self.sweep_documents(&collection, now, marks, &mut report).await?;
        }
        for generation in generations {
            report.index_entries += match live.get(&generation) {
                Some(collection) => self.sweep_entries(collection, &generation, now).await?,
                None => {
                    self.medium.remove_prefix(&layout::claims(&generation)).await?;
                    self.medium.remove_prefix(&layout::entries(&generation)).await?
                }
            };
        }
        self.sweep_logs(marks, &mut report).await?;
        Ok(report)
    }

    /// The names of collections with documents, their marks, or a catalog.
    pub(super) async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        for (prefix, start_after) in [
            (layout::DOCUMENTS, after.map(layout::documents)),
            (
                layout::CATALOGS,
                after
                    .map(layout::catalog)
                    .transpose()?
                    .map(|key| key.as_str().to_owned()),
            ),
        ] {
            let found = self.medium.children(prefix, start_after, limit).await?;
            names.extend(
                found
                    .iter()
                    .filter_map(|name| Name::new(layout::text(layout::last_segment(prefix, name)?)?).ok()),
            );
        }
        names.sort_unstable();
        names.dedup();
        names.truncate(limit);
        Ok(names)
    }

    async fn sweep_documents(
        &self,
        collection: &Name,
        now: Timestamp,
        marks: Marks,
        report: &mut SweepReport,
    ) -> Result<()> {
        let (prefix, listing) = (layout::documents(collection), Listing::new());
        let mut start_after = None;
        loop {
            let (objects, next) = self
                .medium
                .page(listing, &prefix, start_after, MAX_NAMES, true)
                .await?;
            let swept = objects.into_iter().filter_map(|(key, meta)| {
                let id = DocumentId::new(layout::last_segment(&prefix, key.as_str()).and_then(layout::text)?)
                    .ok()?;
                let sweep: BoxFuture<'_, Result<(u64, u64)>> =
                    Box::pin(
                        async move { self.sweep_document(collection, id, &key, meta, now, marks).await },
                    );
                Some(sweep)
            });
            for (purged, tombstones) in all_in_parallel(swept).await? {
                report.purged_documents += purged;
                report.tombstones += tombstones;
            }
            if next.is_none() {
                return Ok(());
            }
            start_after = next;
        }
    }

    /// Purges an expired document, removes the mark of an absent one. Gives how many of each, 0 or 1.
    async fn sweep_document(
        &self,
        collection: &Name,
        id: DocumentId,
        key: &Key,
        meta: Option<ObjectMeta>,
        now: Timestamp,
        marks: Marks,
    ) -> Result<(u64, u64)> {
        let base = match self.load(collection, &id).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%collection, %id, %error, "swept around a corrupt document");
                return Ok((0, 0));
            }
            loaded => match loaded? {
                Some(base) => base,
                None => return Ok((0, 0)),
            },
        };
        if base.record.live(now).is_some() {
            return Ok((0, 0));
        }
        if matches!(base.record.content, Content::Document { .. }) {
            let Swap::Done(tombstone) = self
                .medium
                .swap(key, Record::tombstone().encode()?, &base.medium)
                .await
            else {
                return Ok((0, 0)); // somebody wrote it anew, or the medium failed: the next sweep looks again
            };
            self.bury(collection, &id, &base.record.entries, Some(tombstone.clone()))
                .await;
            if marks == Marks::Alone && !self.medium.removes_by_version() {
                self.medium.remove_all(std::slice::from_ref(key)).await?;
            }
            return Ok((1, 0));
        }
        let removed = match marks {
            Marks::Alone => self
                .medium
                .remove_all(std::slice::from_ref(key))
                .await
                .map(|()| true)?,
            Marks::IfUnchanged if self.is_old(meta.as_ref(), now) => {
                self.medium.remove_version(key, base.medium).await?
            }
            Marks::IfUnchanged => false,
        };
        Ok((0, removed.into()))
    }

    async fn sweep_entries(&self, collection: &Name, generation: &str, now: Timestamp) -> Result<u64> {
        let (prefix, listing) = (layout::entries(generation), Listing::new());
        let mut start_after = None;
        let mut removed = 0;
        loop {
            let (objects, next) = self
                .medium
                .page(listing, &prefix, start_after, MAX_NAMES, true)
                .await?;
            let swept = objects
                .into_iter()
                .filter(|(_, meta)| self.is_old(meta.as_ref(), now))
                .filter_map(|(key, _)| {
                    let entry = Entry::parse(&prefix, key.as_str())?;
                    let sweep: BoxFuture<'_, Result<bool>> =
                        Box::pin(async move { self.sweep_entry(collection, generation, &entry, &key).await });
                    Some(sweep)
                });
            removed += all_in_parallel(swept)
                .await?
                .into_iter()
                .map(u64::from)
                .sum::<u64>();
            if next.is_none() {
                return Ok(removed);
            }
            start_after = next;
        }
    }

    /// Removes an entry its document does not name, after fencing the document.
    async fn sweep_entry(
        &self,
        collection: &Name,
        generation: &str,
        entry: &Entry,
        key: &Key,
    ) -> Result<bool> {
        match self.load(collection, &entry.id).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false), // what it names cannot be known
            loaded => {
                if let Some(base) = loaded? {
                    if base.record.names(generation, &entry.value, &entry.nonce) {
                        return Ok(false);
                    }
                    let fenced = base.record.encode()?;
                    let document = layout::document(collection, &entry.id)?;
                    match self.medium.swap(&document, fenced, &base.medium).await {
                        Swap::Done(_) => {}
                        Swap::Lost => return Ok(false),
                        Swap::Failed(error) => return Err(error),
                    }
                }
            }
        }
        self.medium.remove_all(std::slice::from_ref(key)).await?;
        Ok(true)
    }

    async fn sweep_logs(&self, marks: Marks, report: &mut SweepReport) -> Result<()> {
        let found = self.medium.children(layout::LOGS, None, usize::MAX).await?;
        for log in found.iter().filter_map(|prefix| name_of(prefix)) {
            let prefix = layout::log(&log);
            // Incarnations first, the head after: one that has objects was in the head before, so if it is not now it is over.
            let incarnations = self.medium.children(&prefix, None, usize::MAX).await?;
            let head = match self.head(&log).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::warn!(%log, %error, "swept around a log whose head is corrupt");
                    continue;
                }
                head => head?,
            };
            let current = head
                .as_ref()
                .map(|head| layout::log_incarnation(&log, &head.head.incarnation.to_string()));
            for incarnation in incarnations.into_iter().filter(|name| name.ends_with('/')) {
                if Some(&incarnation) != current.as_ref() {
                    report.temporaries += self.medium.remove_prefix(&incarnation).await?;
                }
            }
            let key = layout::log_head(&log)?;
            if let Some(head) = head.filter(|head| head.head.state == HeadState::Deleted) {
                let removed = match marks {
                    Marks::Alone => self.medium.remove_all(&[key]).await.map(|()| true)?,
                    Marks::IfUnchanged => self.medium.remove_version(&key, head.medium).await?,
                };
                report.tombstones += u64::from(removed);
            }
        }
        Ok(())
    }

    /// Whether it is worth a look: written long enough ago, or nobody knows when.
    fn is_old(&self, meta: Option<&ObjectMeta>, now: Timestamp) -> bool {
        meta.and_then(|meta| meta.modified)
            .is_none_or(|modified| modified.after(self.sweep_after) <= now)
    }
}
