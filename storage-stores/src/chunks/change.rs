//! Pinning and renaming.

use storage_core::bson::{Bson, Document};
use storage_core::{Error, Result};

use super::content::Content;
use super::names;
use super::store::{Change, ChunkStore};

/// Where a content's name is kept, within its metadata.
const FILE_NAME: &str = "fileName";

impl ChunkStore {
    /// Keeps a content from every cleanup, and puts it first in lists. Pinning again is `Ok`.
    ///
    /// # Errors
    /// `NotFound` when there is no such content; those of the medium.
    pub async fn pin(&self, content_id: &str) -> Result<()> {
        self.edit("pin content", content_id, |body| {
            body.insert("is_pinned", true);
        })
        .await
    }

    /// Gives a content back to the cleanups. Unpinning again is `Ok`.
    ///
    /// # Errors
    /// As [`pin`](Self::pin).
    pub async fn unpin(&self, content_id: &str) -> Result<()> {
        self.edit("unpin content", content_id, |body| {
            body.insert("is_pinned", false);
        })
        .await
    }

    /// Gives a content another name: `fileName` in its metadata, the rest of which stays.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty name; as [`pin`](Self::pin).
    pub async fn rename(&self, content_id: &str, name: &str) -> Result<()> {
        const OPERATION: &str = "rename content";
        if name.is_empty() {
            let error = Error::invalid_argument("a name has at least one character");
            return Err(self.named(error, OPERATION, content_id));
        }
        self.edit(OPERATION, content_id, |body| {
            let metadata = body
                .entry("additional_metadata".to_owned())
                .or_insert_with(|| Bson::Document(Document::new()));
            if !matches!(metadata, Bson::Document(_)) {
                *metadata = Bson::Document(Document::new());
            }
            if let Bson::Document(metadata) = metadata {
                metadata.insert(FILE_NAME, name);
            }
        })
        .await
    }

    async fn edit(
        &self,
        operation: &'static str,
        content_id: &str,
        edit: impl Fn(&mut Document) + Send + Sync,
    ) -> Result<()> {
        let named = |error: Error| self.named(error, operation, content_id);
        names::check_content_id(&self.storage, content_id).map_err(named)?;
        let contents = self.contents();
        let edited = self.change(&contents, content_id, |body| match body {
            Some(mut body) if !body.contains_key(Content::DELETING) => {
                edit(&mut body);
                Ok(Change::Write(body, true))
            }
            _ => Ok(Change::Keep(false)),
        });
        match edited.await.map_err(named)? {
            true => Ok(()),
            false => Err(self.no_content(operation, content_id)),
        }
    }
}
