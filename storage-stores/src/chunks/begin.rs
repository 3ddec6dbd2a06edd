//! The beginning of an upload: the session's record with what is reserved, then the content's.
//!
//! 1. *Reserve*: the session is made if need be, and what the upload needs is put among its reservations.
//! 2. *Content*: its record is made, incomplete.
//! 3. *Look again* whether the reservation still stands, because a deletion of an earlier content of this id may have taken it away.
//!
//! A crash after 1 leaves a reservation without a content, which a cleanup removes once it is old.

use storage_core::bson::Bson;
use storage_core::{ErrorKind, Result};

use super::content::{Content, UNKNOWN};
use super::info::ChunkInfo;
use super::store::{ChunkStore, busy};
use crate::race;

impl ChunkStore {
    /// The content this chunk is part of, with room reserved for it; made if it is not there.
    pub(super) async fn begin(&self, info: &ChunkInfo, bytes: u64) -> Result<Content> {
        let id = info.content_id.as_str();
        for attempt in 0..race::MAX_ATTEMPTS {
            match self.any_content(id).await? {
                Some(content) if content.deleting => {
                    self.finish_deletion(&content).await?;
                }
                Some(content) => {
                    content.check(info)?;
                    if let Some(content) = self.tell(content, info).await? {
                        if !content.metadata.is_complete {
                            // A chunk that is larger than the others needs more room.
                            self.reserve(info, bytes, false).await?;
                        }
                        return Ok(content);
                    }
                }
                None => {
                    self.reserve(info, bytes, true).await?;
                    let body = Content::begin(info, self.storage.now(), !self.deletes_by_version());
                    let made = self.swap(&self.contents(), id, None, &body).await;
                    match made {
                        Ok(Some(version)) => {
                            let content = Content::read(id, version, body)?;
                            if let Err(error) = self.reserve(info, bytes, false).await {
                                if error.kind() == ErrorKind::LimitExceeded {
                                    self.delete_content(id).await?;
                                }
                                return Err(error);
                            }
                            return Ok(content);
                        }
                        // Somebody else began at the same time, perhaps in another session, and then this one keeps nothing.
                        Ok(None) => self.settle(&info.session_id, id, self.options.upload_age).await?,
                        Err(error) => return Err(error),
                    }
                }
            }
            race::pause(attempt).await;
        }
        Err(busy().with_key(id))
    }

    /// Adds what this chunk says about the content and no chunk said before; `None` when somebody else was faster.
    async fn tell(&self, mut content: Content, info: &ChunkInfo) -> Result<Option<Content>> {
        let metadata = &content.metadata;
        let content_type = info
            .content_type
            .as_ref()
            .filter(|_| metadata.content_type == UNKNOWN)
            .filter(|content_type| *content_type != UNKNOWN);
        let additional = info
            .metadata
            .as_ref()
            .filter(|_| metadata.additional_metadata.is_none());
        if metadata.is_complete || (content_type.is_none() && additional.is_none()) {
            return Ok(Some(content));
        }
        if let Some(content_type) = content_type {
            content.body.insert("content_type", content_type.as_str());
        }
        if let Some(additional) = additional {
            let additional = Bson::Document(additional.clone());
            content.body.insert("additional_metadata", additional);
        }
        let id = info.content_id.as_str();
        let version = self
            .swap(&self.contents(), id, Some(&content.version), &content.body)
            .await?;
        match version {
            Some(version) => Content::read(id, version, content.body).map(Some),
            None => Ok(None),
        }
    }
}
