//! Deleting a content with all it has.
//!
//! 1. *Mark* its record, by compare-and-swap. From here on it is not there for anybody.
//! 2. *Chunks*, a page at a time until none is left: first the records, then the objects, so that whatever a crash leaves is found by
//!    the objects.
//! 3. *Reservation* of the session.
//! 4. *The record*, last, because the mark is what tells the next call that there is something to finish.
//!
//! Whoever is slow must not delete what was saved under the same id since. So versions are read first, then the mark is looked at
//! again, and then exactly these versions are deleted. Where the backend cannot delete an object by its version (buckets), the upload
//! is part of its objects' names: what was found while the mark stood is of this upload or of an earlier one, and no later one writes
//! under these names.

use std::time::Duration;

use storage_core::{Capability, Error, ListEntry, ListRequest, ObjectMeta, Query, Result, Version};

use super::content::Content;
use super::names;
use super::store::{Change, ChunkStore, busy, document, unless_lost};
use crate::race;

impl Content {
    /// The field that marks a content that is being deleted.
    pub(super) const DELETING: &str = "deleting";
}

/// An object that is to go.
struct Stored {
    key: String,
    meta: Option<ObjectMeta>,
}

impl ChunkStore {
    /// Deletes a content with its chunks; `true` if it was there. After a crash or an error, call it again: what is half deleted is not
    /// there for anybody, and is finished then, by a cleanup, or by the next upload under this id.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the id; those of the medium.
    pub async fn delete_content(&self, content_id: &str) -> Result<bool> {
        let named = |error: Error| self.named(error, "delete content", content_id);
        for attempt in 0..race::MAX_ATTEMPTS {
            let Some(content) = self.any_content(content_id).await.map_err(named)? else {
                return Ok(false);
            };
            if self.delete_version(content).await.map_err(named)?.is_some() {
                return Ok(true);
            }
            race::pause(attempt).await;
        }
        Err(named(busy()))
    }

    /// Deletes a session with everything in it, pinned or under way; the number of contents.
    ///
    /// # Errors
    /// As [`delete_content`](Self::delete_content); what was deleted stays deleted.
    pub async fn delete_session(&self, session_id: &str) -> Result<u64> {
        let named = |error: Error| self.named(error, "delete session", session_id);
        let mut deleted = 0;
        for attempt in 0..race::MAX_ATTEMPTS {
            let mut found = self.contents_of(session_id).await.map_err(named)?;
            let mut unreadable = Vec::new();
            while let Some(content) = found.next(&mut unreadable).await.map_err(named)? {
                deleted += u64::from(self.delete_content(content.id()).await?);
            }
            if let Some(error) = unreadable.into_iter().next() {
                return Err(error);
            }
            // What somebody begins meanwhile is in the session's record first.
            if self.delete_empty(session_id).await.map_err(named)? {
                return Ok(deleted);
            }
            race::pause(attempt).await;
        }
        Err(named(busy()))
    }

    /// Deletes the record of a session nothing of which is left; `false` if something is.
    async fn delete_empty(&self, session_id: &str) -> Result<bool> {
        let sessions = self.sessions_collection();
        let Some(found) = sessions.get(session_id).await? else {
            return Ok(true);
        };
        let query = Query::eq("session_id", session_id).limit(1);
        if self.contents().find(query).await?.next().await?.is_some() {
            return Ok(false);
        }
        for (content_id, _) in Self::reserved_by(session_id, &document(&found.value)?)? {
            self.settle(session_id, &content_id, Duration::ZERO).await?;
        }
        self.change(&sessions, session_id, |body| match body {
            Some(body) if !Self::reserved_by(session_id, &body)?.is_empty() => Ok(Change::Keep(false)),
            _ => Ok(Change::Delete(true)),
        })
        .await
    }

    /// Deletes a content unless it was changed since, and gives the bytes that were freed; `None` if it was.
    pub(super) async fn delete_version(&self, mut content: Content) -> Result<Option<u64>> {
        if !content.deleting {
            content.body.insert(Content::DELETING, true);
            let id = content.id();
            let marked = self
                .swap(&self.contents(), id, Some(&content.version), &content.body)
                .await?;
            let Some(version) = marked else { return Ok(None) };
            content = Content::read(id, version, content.body.clone())?;
        }
        self.finish_deletion(&content).await.map(Some)
    }

    /// Steps 2 to 4; the bytes that were freed.
    pub(super) async fn finish_deletion(&self, content: &Content) -> Result<u64> {
        let mut freed = 0;
        loop {
            let page = self.stored_page(content.id(), None).await?;
            if page.is_empty() {
                break;
            }
            let records = self.versions_of_records(content, &page).await?;
            if !self.is_marked(content).await? {
                return Ok(freed);
            }
            for (id, version) in records {
                unless_lost(self.records().delete_if(id, version).await)?;
            }
            freed += self.delete_objects(page).await?;
        }
        let session = &content.metadata.session_id;
        self.settle(session, content.id(), self.options.upload_age)
            .await?;
        let version = content.version.clone();
        // Nobody writes over a mark, so whoever was faster has finished.
        unless_lost(self.contents().delete_if(content.id(), version).await)?;
        Ok(freed)
    }

    /// Some objects of a content, after a key.
    async fn stored_page(&self, content_id: &str, after: Option<String>) -> Result<Vec<Stored>> {
        let mut request = ListRequest::new(names::directory(content_id));
        request.with_meta = true;
        request.start_after = after;
        loop {
            let page = self.objects().list_page(request.clone()).await?;
            let stored: Vec<Stored> = page
                .entries
                .into_iter()
                .filter_map(|entry| match entry {
                    ListEntry::Object(key, meta) => Some(Stored {
                        key: key.as_str().to_owned(),
                        meta,
                    }),
                    ListEntry::Prefix(_) => None,
                })
                .collect();
            match page.next {
                // A page may be empty while more follow.
                Some(next) if stored.is_empty() => request.start_after = Some(next),
                _ => return Ok(stored),
            }
        }
    }

    /// The bytes of all objects of a content.
    pub(super) async fn stored_bytes(&self, content_id: &str) -> Result<u64> {
        let (mut bytes, mut after) = (0, None);
        loop {
            let page = self.stored_page(content_id, after).await?;
            let Some(last) = page.last() else { return Ok(bytes) };
            after = Some(last.key.clone());
            bytes += page.iter().map(Stored::size).sum::<u64>();
        }
    }

    async fn versions_of_records(
        &self,
        content: &Content,
        page: &[Stored],
    ) -> Result<Vec<(String, Version)>> {
        let named = page.iter().filter_map(|stored| names::of_object_key(&stored.key));
        let ids: Vec<String> = named
            .map(|name| names::record_id(content.id(), name.index))
            .collect();
        let found = self.records().get_many(&ids).await?;
        Ok(ids
            .into_iter()
            .zip(found)
            .filter_map(|(id, found)| Some((id, found?.version)))
            .collect())
    }

    /// Whether the mark of this very deletion still stands.
    async fn is_marked(&self, content: &Content) -> Result<bool> {
        let now = self.contents().get(content.id()).await?;
        Ok(now.is_some_and(|now| now.version == content.version))
    }

    /// Whether an object is deleted by its version. Where not, the upload is part of the names of its objects.
    pub(super) fn deletes_by_version(&self) -> bool {
        let declaration = self.storage.declaration();
        declaration.support(Capability::DeleteIf).is_present()
    }

    async fn delete_objects(&self, page: Vec<Stored>) -> Result<u64> {
        let mut freed = 0;
        if !self.deletes_by_version() {
            let results = self
                .objects()
                .delete_many(page.iter().map(|stored| &stored.key))
                .await?;
            for (stored, result) in page.iter().zip(results) {
                result?;
                freed += stored.size();
            }
            return Ok(freed);
        }
        for stored in page {
            let size = stored.size();
            let deleted = match stored.meta {
                Some(meta) => unless_lost(self.objects().delete_if(&stored.key, meta.version).await)?,
                None => Some(self.objects().delete(&stored.key).await?),
            };
            freed += deleted.map_or(0, |()| size);
        }
        Ok(freed)
    }
}

impl Stored {
    fn size(&self) -> u64 {
        self.meta.as_ref().map_or(0, |meta| meta.size)
    }
}
