//! The record of a chunk: which bytes it has, and which it may be about to have.

use bytes::Bytes;
use storage_core::bson::{Bson, Document, doc};
use storage_core::{Error, Result, Timestamp, Version};

use super::fields::{Fields, binary, millis, number};
use super::names;

/// The bytes of a chunk, by their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) hash: [u8; 32],
    pub(super) size: u64,
    pub(super) iv: Bytes,
}

impl Piece {
    pub(super) fn of(bytes: &[u8], iv: &Bytes) -> Self {
        Self {
            hash: hash(bytes),
            size: bytes.len() as u64,
            iv: iv.clone(),
        }
    }

    fn write(&self, body: &mut Document) {
        body.insert("size", number(self.size));
        body.insert("encryption_iv", binary(&self.iv));
        body.insert("hash", binary(&self.hash));
    }

    fn read(fields: Fields<'_>) -> Result<Self> {
        Ok(Self {
            hash: fields.hash("hash")?,
            size: fields.number("size")?,
            iv: fields.bytes("encryption_iv")?,
        })
    }
}

pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    blake3::hash(bytes).into()
}

/// A chunk's record as it is stored.
///
/// The object of a chunk is written over only by who has put what it writes among `next` before. So whatever the object holds, the
/// record says what it is, also when its writer is never heard of again.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The upload it is part of.
    pub(super) upload: String,
    /// What was acknowledged; nothing while the first bytes are still being written.
    pub(super) current: Option<Piece>,
    /// What may be being written over it.
    pub(super) next: Vec<Piece>,
    pub(super) created_at: Timestamp,
    pub(super) version: Version,
}

impl Record {
    pub(super) fn read(content_id: &str, index: u32, version: Version, body: &Document) -> Result<Self> {
        let entry = format!("chunk_metadata/{}", names::record_id(content_id, index));
        let fields = Fields::of(body, &entry);
        if fields.text("content_id")? != content_id || fields.index("chunk_index")? != index {
            return Err(Error::corrupt(&entry, "it is the record of another chunk"));
        }
        let next = fields.documents("next")?;
        Ok(Self {
            upload: fields.text("upload")?,
            current: match body.get("hash") {
                Some(_) => Some(Piece::read(fields)?),
                None => None,
            },
            next: next
                .into_iter()
                .map(|piece| Piece::read(Fields::of(piece, &entry)))
                .collect::<Result<_>>()?,
            created_at: fields.time("created_at")?,
            version,
        })
    }

    /// The record of what was acknowledged, or of what is about to be written.
    pub(super) fn body(
        content_id: &str,
        index: u32,
        upload: &str,
        created_at: Timestamp,
        current: Option<&Piece>,
        next: &[Piece],
    ) -> Document {
        let mut body = doc! {
            "content_id": content_id,
            "chunk_index": Bson::Int64(index.into()),
            "created_at": millis(created_at),
            "upload": upload,
        };
        if let Some(current) = current {
            current.write(&mut body);
        }
        if !next.is_empty() {
            let pieces = next.iter().map(|piece| {
                let mut body = Document::new();
                piece.write(&mut body);
                Bson::Document(body)
            });
            body.insert("next", Bson::Array(pieces.collect()));
        }
        body
    }

    /// What an object with this hash is, if anything the record knows.
    pub(super) fn piece(&self, hash: &[u8; 32]) -> Option<&Piece> {
        self.current
            .iter()
            .chain(&self.next)
            .find(|piece| piece.hash == *hash)
    }
}
