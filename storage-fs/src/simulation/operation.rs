//! What the simulated program does: few operations on few names, chosen so that they meet.

use std::fmt;
use std::sync::Arc;

use storage_core::bson::rawdoc;
use storage_core::{
    AppendRequest, Area, Condition, DeleteDocumentRequest, DeleteRequest, DocumentId, ErrorKind, Index, Key,
    Name, PutRequest, Result, StorageAdapter, StorageBackend, Timestamp, Version, WriteRequest,
};

use crate::{Fs, FsConfig};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_000);

/// One step of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `a`, where there is none.
    Create,
    /// `a`, whatever is there.
    Overwrite,
    /// `a`, only over the version that is there.
    Swap,
    Delete,
    /// `a/b`: a directory beside the file of `a`.
    WriteBeside,
    DeleteBeside,
    /// Two pieces, into new directories.
    Stream,
    /// From `a` to `a/c`, another name in the directory of `a/b`.
    Copy,
    PutDocument,
    PutOtherDocument,
    DeleteDocument,
    EnsureIndex,
    /// Two entries.
    Append,
    CloseLog,
    DeleteLog,
    /// Another handle, which knows nothing of what the first one synced.
    Reopen,
}

/// What an operation that did not fail came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// Its condition did not hold, or there was nothing to do: it only looked.
    Nothing,
}

impl Operation {
    pub(crate) const ALL: [Self; 16] = [
        Self::Create,
        Self::Overwrite,
        Self::Swap,
        Self::Delete,
        Self::WriteBeside,
        Self::DeleteBeside,
        Self::Stream,
        Self::Copy,
        Self::PutDocument,
        Self::PutOtherDocument,
        Self::DeleteDocument,
        Self::EnsureIndex,
        Self::Append,
        Self::CloseLog,
        Self::DeleteLog,
        Self::Reopen,
    ];

    /// Does it, as the step of this number.
    pub(crate) async fn run(self, fs: &mut Fs, config: &FsConfig, step: usize) -> Result<Answer> {
        match self.attempt(fs, config, step).await {
            Ok(true) => Ok(Answer::Done),
            Ok(false) => Ok(Answer::Nothing),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed | ErrorKind::LogClosed
                ) =>
            {
                Ok(Answer::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// What it changes, in the words of [`PARTS`](super::observation::PARTS).
    pub(crate) const fn changes(self) -> &'static [&'static str] {
        match self {
            Self::Create | Self::Overwrite | Self::Swap | Self::Delete => &["object a"],
            Self::WriteBeside | Self::DeleteBeside => &["object a/b"],
            Self::Stream => &["object n/e/w.txt"],
            Self::Copy => &["object a/c"],
            Self::PutDocument | Self::DeleteDocument => &["document x"],
            Self::PutOtherDocument => &["document y"],
            Self::EnsureIndex => &["index by_step"],
            Self::Append | Self::CloseLog | Self::DeleteLog => &["log events"],
            Self::Reopen => &[],
        }
    }

    /// What is done before it, so that it finds something.
    pub(crate) const fn needs(self) -> &'static [Self] {
        match self {
            Self::Swap | Self::Delete | Self::Overwrite | Self::Copy => &[Self::Create],
            Self::DeleteBeside => &[Self::WriteBeside],
            Self::DeleteDocument | Self::EnsureIndex => &[Self::PutDocument],
            Self::PutOtherDocument => &[Self::PutDocument, Self::EnsureIndex],
            Self::Append | Self::CloseLog | Self::DeleteLog => &[Self::Append],
            Self::Create | Self::WriteBeside | Self::Stream | Self::PutDocument | Self::Reopen => &[],
        }
    }

    /// Whether there was something to do.
    async fn attempt(self, fs: &mut Fs, config: &FsConfig, step: usize) -> Result<bool> {
        let bytes = format!("{self} in step {step}");
        let always = WriteRequest::default();
        match self {
            Self::Create => {
                let request = WriteRequest::when(Condition::IfAbsent);
                write(fs, "a", bytes, request).await
            }
            Self::Overwrite => write(fs, "a", bytes, always).await,
            Self::Swap => {
                let current = fs.stat(Area::Objects, &key("a")).await?;
                let version = current.map_or_else(|| Version::from_u128(1), |meta| meta.version);
                write(fs, "a", bytes, WriteRequest::when(Condition::IfVersion(version))).await
            }
            Self::Delete => delete(fs, "a").await,
            Self::WriteBeside => write(fs, "a/b", bytes, always).await,
            Self::DeleteBeside => delete(fs, "a/b").await,
            Self::Stream => {
                let writer = Arc::new(fs.clone());
                let mut writer = writer
                    .open_writer(Area::Objects, &key("n/e/w.txt"), always)
                    .await?;
                writer.write("the first piece, ".into()).await?;
                writer.write(bytes.into()).await?;
                writer.finish().await.map(|_| true)
            }
            Self::Copy => fs
                .copy(Area::Objects, &key("a"), &key("a/c"), always)
                .await
                .map(|copied| copied.is_some()),
            Self::PutDocument => put(fs, "x", step).await,
            Self::PutOtherDocument => put(fs, "y", step).await,
            Self::DeleteDocument => {
                let request = DeleteDocumentRequest::new(id("x"), NOW);
                // That there is nothing is an answer as good as having deleted it.
                fs.delete_document(&collection(), request).await.map(|_| true)
            }
            Self::EnsureIndex => fs.ensure_index(&collection(), &index(), NOW).await,
            Self::Append => {
                // The first is the longest, so that a later one does not cover what may be left of it.
                let second = "and the second".repeat(3_usize.saturating_sub(step) + 1);
                let entries = vec![bytes.into(), second.into()];
                fs.append(&log(), AppendRequest::new(entries)).await.map(|_| true)
            }
            Self::CloseLog => fs.close_log(&log()).await.map(|()| true),
            Self::DeleteLog => fs.delete_log(&log()).await.map(|()| true),
            Self::Reopen => {
                *fs = Fs::open(config.clone()).await?;
                Ok(true)
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

async fn write(fs: &Fs, name: &str, bytes: String, request: WriteRequest) -> Result<bool> {
    fs.write(Area::Objects, &key(name), bytes.into(), request)
        .await
        .map(|_| true)
}

async fn delete(fs: &Fs, name: &str) -> Result<bool> {
    fs.delete(Area::Objects, &key(name), DeleteRequest::default())
        .await
        .map(|()| true)
}

async fn put(fs: &Fs, name: &str, step: usize) -> Result<bool> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let request = PutRequest::new(id(name), rawdoc! { "step": step }, NOW);
    fs.put(&collection(), request).await.map(|_| true)
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn id(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

pub(crate) fn collection() -> Name {
    Name::new("people").unwrap()
}

pub(crate) fn index() -> Index {
    Index::btree("by_step", ["step"])
}

pub(crate) fn log() -> Name {
    Name::new("events").unwrap()
}
