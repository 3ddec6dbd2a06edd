//! The content of an object or a log in a backup: pieces, each an object of its own, so that one of any size passes through memory of a
//! known size.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{Error, Result, Storage};

use super::Backups;
use crate::collections::migrations::turn::Turn;

/// How large a piece is: what is held in memory.
pub(super) const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// What a backup has of an object or a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) bytes: u64,
    /// BLAKE3 of all its bytes.
    pub(super) blake3: String,
    /// In order; the empty content has none.
    pub(super) pieces: Vec<Piece>,
}

/// An object with some bytes of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Piece {
    key: String,
    bytes: u64,
    blake3: String,
}

/// A line of a part that is about a content.
pub(super) trait Described {
    /// The key of the object, or the name of the log.
    fn name(&self) -> &str;
    fn content(&self) -> &Content;
}

/// A content on its way into pieces.
pub(super) struct ContentWriter<'a> {
    place: &'a Storage,
    turn: &'a Turn,
    /// What the keys of its pieces begin with.
    name: String,
    gathered: Vec<u8>,
    hasher: blake3::Hasher,
    content: Content,
}

impl<'a> ContentWriter<'a> {
    pub(super) fn new(place: &'a Storage, turn: &'a Turn, name: String) -> Self {
        Self {
            place,
            turn,
            name,
            gathered: Vec::new(),
            hasher: blake3::Hasher::new(),
            content: Content {
                bytes: 0,
                blake3: String::new(),
                pieces: Vec::new(),
            },
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for bytes in bytes.chunks(PIECE_BYTES) {
            self.hasher.update(bytes);
            self.content.bytes += bytes.len() as u64;
            self.gathered.extend_from_slice(bytes);
            if self.gathered.len() >= PIECE_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<Content> {
        if !self.gathered.is_empty() {
            self.flush().await?;
        }
        self.content.blake3 = self.hasher.finalize().to_hex().to_string();
        Ok(self.content)
    }

    async fn flush(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.gathered);
        let piece = Piece {
            key: format!("{}-{:05}.bin", self.name, self.content.pieces.len()),
            bytes: bytes.len() as u64,
            blake3: blake3::hash(&bytes).to_hex().to_string(),
        };
        self.turn.check_held()?;
        self.place.objects().write(&piece.key, bytes).await?;
        self.content.pieces.push(piece);
        Ok(())
    }
}

impl Backups {
    /// The bytes of a piece that is whole.
    pub(super) async fn read_piece(&self, piece: &Piece) -> Result<Bytes> {
        self.read_whole(&piece.key, piece.bytes, &piece.blake3).await
    }

    /// Reads a whole content; `line` is the part that tells of it.
    pub(super) async fn check_content(&self, line: &str, content: &Content) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0;
        for piece in &content.pieces {
            let read = self.read_piece(piece).await?;
            hasher.update(&read);
            bytes += read.len() as u64;
        }
        if bytes == content.bytes && hasher.finalize().to_hex().as_str() == content.blake3 {
            return Ok(());
        }
        Err(Error::corrupt(line, "the pieces of a content do not make it up"))
    }
}

/// Adds a line of JSON.
pub(super) fn write_description(text: &mut Vec<u8>, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *text, line).map_err(|error| {
        Error::invalid_argument("a line of the backup cannot be written").with_source(error)
    })?;
    text.push(b'\n');
    Ok(())
}
