//! [`ChunkInfo`]: what a sender says about a chunk.

use bytes::Bytes;
use storage_core::bson::Document;

/// What a sender says about a chunk, and about the content it is a piece of.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChunkInfo {
    /// The content this is a piece of: any text but the empty one, without NUL. It belongs to one session.
    pub content_id: String,
    /// The session the content belongs to.
    pub session_id: String,
    /// Which piece, the first being 0.
    pub chunk_index: u32,
    /// How many pieces there are, the same for each of them; 1 to 10,000,000.
    pub total_chunks: u32,
    /// How many bytes this piece has, to be checked against those that arrived.
    pub size: Option<u64>,
    /// The initialization vector this piece was encrypted with, at most 64 bytes. The store only keeps it.
    pub iv: Bytes,
    /// What the content is; the first chunk that says so decides, `unknown` until then.
    pub content_type: Option<String>,
    /// Whatever else belongs to the content, such as a `fileName`; the first chunk that has any decides.
    pub metadata: Option<Document>,
    /// How many bytes all pieces have together. They are reserved when the first arrives, and checked when the content is complete.
    pub content_size: Option<u64>,
}

impl ChunkInfo {
    /// A piece without any of what is optional.
    pub fn new(
        content_id: impl Into<String>,
        session_id: impl Into<String>,
        chunk_index: u32,
        total_chunks: u32,
    ) -> Self {
        Self {
            content_id: content_id.into(),
            session_id: session_id.into(),
            chunk_index,
            total_chunks,
            size: None,
            iv: Bytes::new(),
            content_type: None,
            metadata: None,
            content_size: None,
        }
    }

    /// With the bytes this piece has.
    #[must_use]
    pub const fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// With its initialization vector.
    #[must_use]
    pub fn iv(mut self, iv: impl Into<Bytes>) -> Self {
        self.iv = iv.into();
        self
    }

    /// With what the content is.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// With whatever else belongs to the content.
    #[must_use]
    pub fn metadata(mut self, metadata: Document) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// With the bytes of all pieces together.
    #[must_use]
    pub const fn content_size(mut self, bytes: u64) -> Self {
        self.content_size = Some(bytes);
        self
    }
}
