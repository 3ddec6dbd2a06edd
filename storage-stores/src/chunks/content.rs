//! [`ContentMetadata`], and the record of a content.

use bytes::Bytes;
use storage_core::bson::{Bson, Document, doc};
use storage_core::{Error, Result, Timestamp, Version, random_u128};

use super::fields::{Fields, binary, millis, number};
use super::info::ChunkInfo;
use super::names;

/// What is known about a content.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ContentMetadata {
    /// Its id.
    pub content_id: String,
    /// The session it belongs to.
    pub session_id: String,
    /// What it is; `unknown` where no chunk said.
    pub content_type: String,
    /// How many chunks it has.
    pub total_chunks: u32,
    /// Its bytes, once it is complete; 0 until then.
    pub total_size: u64,
    /// When its first chunk arrived.
    pub created_at: Timestamp,
    /// The initialization vector of the chunk that arrived first.
    pub encryption_iv: Bytes,
    /// Whatever else its sender said about it.
    pub additional_metadata: Option<Document>,
    /// Whether every chunk is there and was verified.
    pub is_complete: bool,
    /// When it was last written or read, give or take a minute.
    pub last_accessed: Timestamp,
    /// Whether no cleanup removes it.
    pub is_pinned: bool,
    /// The BLAKE3 hash of all its bytes in order, once it is complete.
    pub content_hash: Option<[u8; 32]>,
}

/// A content as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) metadata: ContentMetadata,
    /// Which upload under this id it is: what an earlier one left behind is not part of it.
    pub(super) upload: String,
    /// Whether the upload is part of its objects' names: then nobody who is late with an earlier one can meet them.
    pub(super) named_by_upload: bool,
    /// Changes with every replacement of a chunk, so that who completes the content notices.
    pub(super) revision: String,
    /// The bytes that were announced.
    pub(super) announced: Option<u64>,
    /// Whether it is being deleted, and is therefore not there.
    pub(super) deleting: bool,
    pub(super) version: Version,
    pub(super) body: Document,
}

/// What the content is where nobody said.
pub(super) const UNKNOWN: &str = "unknown";

impl Content {
    /// The record of a content whose first chunk this is.
    pub(super) fn begin(info: &ChunkInfo, now: Timestamp, named_by_upload: bool) -> Document {
        let mut body = doc! {
            "content_id": &info.content_id,
            "session_id": &info.session_id,
            "content_type": info.content_type.as_deref().unwrap_or(UNKNOWN),
            "total_chunks": Bson::Int64(info.total_chunks.into()),
            "total_size": 0_i64,
            "created_at": millis(now),
            "encryption_iv": binary(&info.iv),
            "is_complete": false,
            "last_accessed": millis(now),
            "is_pinned": false,
            "upload": nonce(),
            "revision": nonce(),
        };
        if named_by_upload {
            body.insert("named_by_upload", true);
        }
        if let Some(metadata) = &info.metadata {
            body.insert("additional_metadata", metadata.clone());
        }
        if let Some(size) = info.content_size {
            body.insert("reserved_size", number(size));
        }
        body
    }

    pub(super) fn read(id: &str, version: Version, body: Document) -> Result<Self> {
        let entry = format!("content_metadata/{id}");
        let fields = Fields::of(&body, &entry);
        let content_id = fields.text("content_id")?;
        if content_id != id {
            return Err(fields.wrong("content_id", "is not the id of the document"));
        }
        let metadata = ContentMetadata {
            content_id,
            session_id: fields.text("session_id")?,
            content_type: fields.text("content_type")?,
            total_chunks: fields.index("total_chunks")?,
            total_size: fields.number("total_size")?,
            created_at: fields.time("created_at")?,
            encryption_iv: fields.bytes("encryption_iv")?,
            additional_metadata: fields.optional("additional_metadata", Fields::document)?,
            is_complete: fields.flag("is_complete")?,
            last_accessed: fields.time("last_accessed")?,
            is_pinned: fields.flag("is_pinned")?,
            content_hash: fields.optional("content_hash", Fields::hash)?,
        };
        Ok(Self {
            metadata,
            upload: fields.text("upload")?,
            named_by_upload: fields.optional("named_by_upload", Fields::flag)?.unwrap_or(false),
            revision: fields.text("revision")?,
            announced: fields.optional("reserved_size", Fields::number)?,
            deleting: fields.optional("deleting", Fields::flag)?.unwrap_or(false),
            version,
            body,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.metadata.content_id
    }

    /// Where the objects of this upload lie.
    pub(super) fn directory(&self) -> String {
        let directory = names::directory(self.id());
        if self.named_by_upload {
            format!("{directory}{}/", self.upload)
        } else {
            directory
        }
    }

    /// The key of a chunk's object.
    pub(super) fn object_key(&self, index: u32) -> String {
        format!("{}{index}.bin", self.directory())
    }

    /// Refuses a chunk that says something else about the content than the first one did.
    pub(super) fn check(&self, info: &ChunkInfo) -> Result<()> {
        let metadata = &self.metadata;
        if metadata.session_id != info.session_id {
            // Which session has it is nobody else's business.
            let message = "a content of this id is there already, in another session; choose another id";
            return Err(Error::new(storage_core::ErrorKind::AlreadyExists, message));
        }
        if metadata.total_chunks != info.total_chunks {
            let message = format!(
                "the content has {} chunks, and this one says {}; delete it to send it anew",
                metadata.total_chunks, info.total_chunks
            );
            return Err(Error::invalid_argument(message));
        }
        match (self.announced, info.content_size) {
            (Some(announced), Some(size)) if announced != size => {
                let message = format!("the content was said to have {announced} bytes, and now {size}");
                Err(Error::invalid_argument(message))
            }
            _ => Ok(()),
        }
    }
}

/// A text that nobody else has.
pub(super) fn nonce() -> String {
    format!("{:032x}", random_u128())
}
