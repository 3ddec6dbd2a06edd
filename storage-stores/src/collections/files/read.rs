//! [`FileReader`]: the content of a version, checked while it is read.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use storage_core::{Bytes, Error, ObjectReader, Result};

use super::Files;
use super::content;
use super::file::FileVersion;

const OPERATION: &str = "read file";

/// The content of one version, piece by piece. Whether it is what was stored is known at the end only: where it is not, the last item is
/// `Corrupt`.
pub struct FileReader {
    version: FileVersion,
    pieces: BoxStream<'static, Result<Bytes>>,
}

impl Files {
    /// The content of a version as a stream, of any size.
    ///
    /// # Errors
    /// `NotFound` when the project has no file of this id, or the file no such version; `Corrupt` when its content is gone; those of
    /// the medium.
    pub async fn read(&self, id: impl AsRef<str>, number: u64) -> Result<FileReader> {
        let (_, version) = self.existing(OPERATION, id.as_ref(), number).await?;
        let key = content::key(&version.hash);
        match self.storage().objects().reader(&key).await? {
            Some(reader) => Ok(FileReader {
                pieces: checked(reader, version.hash.clone(), key).boxed(),
                version,
            }),
            None => Err(damaged(&key, "the content of a version is gone")),
        }
    }

    /// The content of a version in memory, checked.
    ///
    /// # Errors
    /// As [`read`](Self::read); `Corrupt` when it is not what was stored.
    pub async fn content(&self, id: impl AsRef<str>, number: u64) -> Result<Bytes> {
        self.read(id, number).await?.bytes().await
    }
}

impl FileReader {
    /// The version that is read.
    pub const fn version(&self) -> &FileVersion {
        &self.version
    }

    /// All of it in memory.
    ///
    /// # Errors
    /// `Corrupt` when it is not what was stored; those of the medium.
    pub async fn bytes(mut self) -> Result<Bytes> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

impl Stream for FileReader {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next_unpin(context)
    }
}

/// The pieces, and an error behind them unless they were what the hash says.
fn checked(reader: ObjectReader, hash: String, key: String) -> impl Stream<Item = Result<Bytes>> + Send {
    let state = Some((reader, blake3::Hasher::new()));
    futures::stream::try_unfold(state, move |state| {
        let (hash, key) = (hash.clone(), key.clone());
        async move {
            let Some((mut reader, mut hasher)) = state else {
                return Ok(None);
            };
            if let Some(piece) = reader.try_next().await? {
                hasher.update(&piece);
                return Ok(Some((piece, Some((reader, hasher)))));
            }
            if hasher.finalize().to_hex().as_str() == hash {
                return Ok(None);
            }
            Err(damaged(&key, "the content of a version is not what was stored"))
        }
    })
}

fn damaged(key: &str, problem: &'static str) -> Error {
    Error::corrupt(key, problem).with_operation(OPERATION)
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
