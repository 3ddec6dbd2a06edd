//! `storage put`, `get`, `ls`, `stat`, `rm`.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use clap::Args;
use futures::TryStreamExt;
use serde::Serialize;
use storage_core::{Capability, ListEntry, ListRequest, ObjectMeta, Storage, Version, WriteOptions};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::condition::WriteCondition;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

/// How much is read from a file at a time: what [`storage_core::ObjectReader`] reads from a backend.
pub(crate) const PIECE: usize = 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The object
    key: String,
    /// Where its bytes come from; - or nothing is standard input
    file: Option<PathBuf>,
    #[command(flatten)]
    condition: WriteCondition,
}

impl Put {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let file = self.file.filter(|file| file != Path::new("-"));
        let condition = self.condition.condition();
        // Before the storage is opened: a file that is not there creates no data directory.
        let from: Box<dyn AsyncRead + Send + Unpin> = match &file {
            Some(file) => {
                let what = format!("open {}", file.display());
                Box::new(tokio::fs::File::open(file).await.map_err(Failure::local(what))?)
            }
            None => Box::new(tokio::io::stdin()),
        };
        let source = file.map_or_else(|| "standard input".into(), |file| file.display().to_string());
        let options = WriteOptions::new().condition(condition);
        let version = session
            .with_storage(async |storage| write(storage, &self.key, from, &source, options).await)
            .await?;
        output.line(version)
    }
}

/// Writes an object from a reader, in pieces where the backend can.
async fn write(
    storage: &Storage,
    key: &str,
    mut from: impl AsyncRead + Send + Unpin,
    source: &str,
    options: WriteOptions,
) -> Result<Version> {
    if !storage
        .declaration()
        .support(Capability::StreamingWrite)
        .is_present()
    {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)
            .await
            .map_err(Failure::local(format!("read {source}")))?;
        return Ok(storage.objects().write_with(key, bytes, options).await?);
    }
    let mut upload = storage.objects().upload(key, options).await?;
    loop {
        match piece(&mut from).await {
            Ok(Some(bytes)) => upload.write(bytes).await?,
            Ok(None) => return Ok(upload.finish().await?),
            Err(error) => {
                upload.abort().await?;
                return Err(Failure::Local(format!("read {source}"), error));
            }
        }
    }
}

/// The next bytes, up to [`PIECE`]; `None` at the end.
pub(crate) async fn piece(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Bytes>> {
    let mut bytes = BytesMut::with_capacity(PIECE);
    while bytes.len() < PIECE {
        let room = PIECE - bytes.len();
        if from.take(room as u64).read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(Some(bytes.freeze()).filter(|bytes| !bytes.is_empty()))
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The object
    key: String,
}

impl Get {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| {
                let Some(mut reader) = storage.objects().reader(&self.key).await? else {
                    return Err(missing(&self.key));
                };
                while let Some(bytes) = reader.try_next().await? {
                    output.bytes(&bytes)?;
                }
                output.flush()
            })
            .await
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only keys that begin so: notes/ is a directory, no also matches notes.txt
    #[arg(default_value = "")]
    prefix: String,
    /// Show what lies in directories instead of the directories
    #[arg(short, long)]
    recursive: bool,
    /// Show size, time and version too
    #[arg(short, long)]
    long: bool,
    /// One line of JSON for each entry; keys exactly as they are
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

impl Ls {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let mut request = ListRequest::new(&self.prefix);
        request.delimiter = !self.recursive;
        request.with_meta = self.long || self.json;
        session
            .with_storage(async |storage| {
                let mut entries = storage.objects().list_with(request);
                while let Some(entry) = entries.try_next().await? {
                    match (self.json, self.long) {
                        (true, _) => output.json(&line(&entry))?,
                        (false, true) => output.line(long(&entry))?,
                        (false, false) => output.line(text::name(entry.name()))?,
                    }
                }
                output.flush()
            })
            .await
    }
}

fn line(entry: &ListEntry) -> Line<'_> {
    let (key, prefix, meta) = match entry {
        ListEntry::Object(key, meta) => (Some(key.as_str()), None, meta.as_ref()),
        ListEntry::Prefix(prefix) => (None, Some(prefix.as_str()), None),
    };
    Line {
        key,
        prefix,
        size: meta.map(|meta| meta.size),
        version: meta.map(|meta| &meta.version),
        modified: meta.and_then(|meta| meta.modified).map(text::time),
    }
}

fn long(entry: &ListEntry) -> String {
    let meta = match entry {
        ListEntry::Object(_, meta) => meta.as_ref(),
        ListEntry::Prefix(_) => None,
    };
    let shown = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    format!(
        "{:>12}  {:<24}  {:<32}  {}",
        shown(meta.map(|meta| meta.size.to_string())),
        shown(meta.and_then(|meta| meta.modified).map(text::time)),
        shown(meta.map(|meta| meta.version.to_string())),
        text::name(entry.name()),
    )
}

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// The object
    key: String,
}

impl Stat {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let meta = session
            .with_storage(async |storage| Ok(storage.objects().stat(&self.key).await?))
            .await?;
        let Some(ObjectMeta {
            size,
            version,
            modified,
        }) = meta
        else {
            return Err(missing(&self.key));
        };
        output.json(&Line {
            key: Some(&self.key),
            prefix: None,
            size: Some(size),
            version: Some(&version),
            modified: modified.map(text::time),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The objects
    #[arg(required = true)]
    keys: Vec<String>,
    /// Only where this is the current version; for one object (else exit 4)
    #[arg(long, value_name = "VERSION")]
    if_version: Option<Version>,
}

impl Rm {
    pub(crate) async fn run(self, session: &Session, _: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| {
                let objects = storage.objects();
                match (self.if_version, self.keys.as_slice()) {
                    (Some(version), [key]) => Ok(objects.delete_if(key, version).await?),
                    (Some(_), _) => Err(Failure::Usage("--if-version is about one object".into())),
                    // Every key is attempted; the first failure is the answer.
                    (None, keys) => Ok(objects
                        .delete_many(keys)
                        .await?
                        .into_iter()
                        .collect::<Result<(), _>>()?),
                }
            })
            .await
    }
}

fn missing(key: &str) -> Failure {
    Failure::NotFound(format!("object {key:?}"))
}
