//! Lists of contents, what a newcomer is sent, and what a session uses. What cannot be read is reported beside what can.

use storage_core::bson::RawDocumentBuf;
use storage_core::{Error, ErrorKind, Found, Query, Result};

use super::content::{Content, ContentMetadata};
use super::fields::millis;
use super::names;
use super::store::{Change, ChunkStore, document};

/// Some contents: what could be read, and what could not.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ContentList {
    /// What could be read, in order.
    pub items: Vec<ContentMetadata>,
    /// One `Corrupt` error for each record that is not one of a content; [`Error::key`] names it.
    pub unreadable: Vec<Error>,
}

/// What a session uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Complete contents.
    pub items: u64,
    /// Those of them that are pinned.
    pub pinned: u64,
    /// Contents whose upload is under way.
    pub uploads: u64,
    /// The bytes of complete contents.
    pub bytes: u64,
    /// What counts against the limit of the session: these bytes, and what uploads have reserved.
    pub reserved: u64,
}

/// Records are touched no more often than this, in milliseconds.
const TOUCH_INTERVAL: i64 = 60_000;

impl ChunkStore {
    /// The contents of a session: pinned ones first, then the newest, ties by id. Those under way are among them. `usize::MAX` as the
    /// limit gives all.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the id; those of the medium.
    pub async fn list_content(&self, session_id: &str, limit: usize, offset: usize) -> Result<ContentList> {
        let list = self.list(session_id, limit, offset, |_| true).await;
        let list = list.map_err(|error| self.named(error, "list content of session", session_id))?;
        self.touch_session(session_id).await;
        Ok(list)
    }

    /// What a newcomer to a session is sent: the first of its complete contents in the order of
    /// [`list_content`](Self::list_content), as many as the [options](super::ChunkOptions::max_items_to_send) say.
    ///
    /// # Errors
    /// As [`list_content`](Self::list_content).
    pub async fn newest(&self, session_id: &str) -> Result<ContentList> {
        let limit = usize::try_from(self.options.max_items_to_send).unwrap_or(usize::MAX);
        let list = self
            .list(session_id, limit, 0, |content| content.is_complete)
            .await;
        let list = list.map_err(|error| self.named(error, "list newest content of session", session_id))?;
        self.touch_session(session_id).await;
        Ok(list)
    }

    /// What a session uses; nothing where there is no such session.
    ///
    /// # Errors
    /// `Corrupt` naming a record that cannot be read; those of the medium.
    pub async fn usage(&self, session_id: &str) -> Result<Usage> {
        let named = |error: Error| self.named(error, "read usage of session", session_id);
        let list = self.list(session_id, usize::MAX, 0, |_| true).await;
        let mut list = list.map_err(named)?;
        if !list.unreadable.is_empty() {
            return Err(list.unreadable.swap_remove(0));
        }
        let mut usage = Usage::default();
        for content in &list.items {
            if content.is_complete {
                usage.items += 1;
                usage.pinned += u64::from(content.is_pinned);
                usage.bytes += content.total_size;
            } else {
                usage.uploads += 1;
            }
        }
        if let Some(session) = self.sessions_collection().get(session_id).await? {
            let reserved = Self::reserved_by(session_id, &document(&session.value)?)?;
            usage.reserved = reserved
                .iter()
                .fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes));
        }
        Ok(usage)
    }

    async fn list(
        &self,
        session_id: &str,
        limit: usize,
        offset: usize,
        wanted: impl Fn(&ContentMetadata) -> bool + Send,
    ) -> Result<ContentList> {
        let mut list = ContentList::default();
        if limit == 0 {
            return Ok(list);
        }
        let mut contents = self.contents_of(session_id).await?;
        let mut skip = offset;
        while let Some(content) = contents.next(&mut list.unreadable).await? {
            if content.deleting || !wanted(&content.metadata) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            list.items.push(content.metadata);
            if list.items.len() == limit {
                break;
            }
        }
        Ok(list)
    }

    /// The contents of a session in the order of lists, those that are being deleted among them.
    pub(super) async fn contents_of(&self, session_id: &str) -> Result<Contents> {
        names::check_session_id(&self.storage, session_id)?;
        let query = Query::eq("session_id", session_id)
            .sort_descending("is_pinned")
            .sort_descending("created_at");
        Ok(Contents(self.contents().find(query).await?))
    }

    /// Notes that a content and its session were used. It is a note: where it fails, nothing else does.
    pub(super) async fn touch(&self, content: &Content) {
        let now = self.storage.now();
        if now.as_millis() - content.metadata.last_accessed.as_millis() < TOUCH_INTERVAL {
            return;
        }
        let contents = self.contents();
        let touched = self.change(&contents, content.id(), |body| match body {
            Some(mut body)
                if body.get_str("upload").ok() == Some(&content.upload)
                    && !body.contains_key(Content::DELETING) =>
            {
                body.insert("last_accessed", millis(now));
                Ok(Change::Write(body, ()))
            }
            _ => Ok(Change::Keep(())),
        });
        // A note that could not be written is written by the next call.
        drop(touched.await);
        self.touch_session(&content.metadata.session_id).await;
    }

    async fn touch_session(&self, session_id: &str) {
        let now = self.storage.now();
        let sessions = self.sessions_collection();
        let touched = self.change(&sessions, session_id, |body| match body {
            Some(mut body)
                if body
                    .get_i64("last_active")
                    .is_ok_and(|last| now.as_millis() - last >= TOUCH_INTERVAL) =>
            {
                body.insert("last_active", millis(now));
                Ok(Change::Write(body, ()))
            }
            _ => Ok(Change::Keep(())),
        });
        drop(touched.await);
    }
}

/// Contents a query found, past those that cannot be read.
pub(super) struct Contents(pub(super) Found<RawDocumentBuf>);

impl Contents {
    /// The next that can be read; those that cannot are added to `unreadable`.
    pub(super) async fn next(&mut self, unreadable: &mut Vec<Error>) -> Result<Option<Content>> {
        loop {
            match self.0.next().await {
                Err(error) if error.context_value("document").is_some() => unreadable.push(error),
                Err(error) => return Err(error),
                Ok(None) => return Ok(None),
                Ok(Some(found)) => {
                    let read = document(&found.value)
                        .and_then(|body| Content::read(found.id.as_str(), found.version, body));
                    match read {
                        Ok(content) => return Ok(Some(content)),
                        Err(error) if error.kind() == ErrorKind::Corrupt => unreadable.push(error),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}
