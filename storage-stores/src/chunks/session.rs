//! [`Session`]: a view of the store that sees one session.

use bytes::Bytes;
use futures::stream::BoxStream;
use storage_core::{ByteRange, Result};

use super::content::ContentMetadata;
use super::list::{ContentList, Usage};
use super::read::{Chunk, ReadContent};
use super::store::ChunkStore;

/// What one session sees of a [`ChunkStore`]. A content of another session is not there for it: `None`, and `NotFound` where there has
/// to be one.
#[derive(Debug, Clone)]
pub struct Session {
    store: ChunkStore,
    session_id: String,
}

impl ChunkStore {
    /// The store as this session sees it. The session need not be there.
    pub fn session(&self, session_id: impl Into<String>) -> Session {
        Session {
            store: self.clone(),
            session_id: session_id.into(),
        }
    }
}

impl Session {
    /// The id of the session.
    pub fn id(&self) -> &str {
        &self.session_id
    }

    /// As [`ChunkStore::get_chunk`].
    ///
    /// # Errors
    /// As there.
    pub async fn get_chunk(&self, content_id: &str, index: u32) -> Result<Option<Bytes>> {
        match self.content_metadata(content_id).await? {
            Some(_) => self.store.get_chunk(content_id, index).await,
            None => Ok(None),
        }
    }

    /// As [`ChunkStore::read_chunk`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_chunk(&self, content_id: &str, index: u32) -> Result<Option<Chunk>> {
        match self.content_metadata(content_id).await? {
            Some(_) => self.store.read_chunk(content_id, index).await,
            None => Ok(None),
        }
    }

    /// As [`ChunkStore::content_metadata`].
    ///
    /// # Errors
    /// As there.
    pub async fn content_metadata(&self, content_id: &str) -> Result<Option<ContentMetadata>> {
        let content = self.store.content_metadata(content_id).await?;
        Ok(content.filter(|content| content.session_id == self.session_id))
    }

    /// As [`ChunkStore::missing_chunks`].
    ///
    /// # Errors
    /// As there.
    pub async fn missing_chunks(&self, content_id: &str) -> Result<Option<Vec<u32>>> {
        match self.content_metadata(content_id).await? {
            Some(_) => self.store.missing_chunks(content_id).await,
            None => Ok(None),
        }
    }

    /// As [`ChunkStore::read_content`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_content(&self, content_id: &str) -> Result<ReadContent> {
        self.require(content_id, "read content").await?;
        self.store.read_content(content_id).await
    }

    /// As [`ChunkStore::read_range`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_range(
        &self,
        content_id: &str,
        range: ByteRange,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.require(content_id, "read range").await?;
        self.store.read_range(content_id, range).await
    }

    /// As [`ChunkStore::list_content`].
    ///
    /// # Errors
    /// As there.
    pub async fn list_content(&self, limit: usize, offset: usize) -> Result<ContentList> {
        self.store.list_content(&self.session_id, limit, offset).await
    }

    /// As [`ChunkStore::newest`].
    ///
    /// # Errors
    /// As there.
    pub async fn newest(&self) -> Result<ContentList> {
        self.store.newest(&self.session_id).await
    }

    /// As [`ChunkStore::usage`].
    ///
    /// # Errors
    /// As there.
    pub async fn usage(&self) -> Result<Usage> {
        self.store.usage(&self.session_id).await
    }

    async fn require(&self, content_id: &str, operation: &'static str) -> Result<()> {
        match self.content_metadata(content_id).await? {
            Some(_) => Ok(()),
            None => Err(self.store.no_content(operation, content_id)),
        }
    }
}
