//! Files become objects, and each has a document.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use futures::stream::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage_core::bson::DateTime;
use storage_core::{Capability, Collection, ErrorKind, Index, Query, Storage, WriteOptions};

use super::files::{File, Files, Met};
use crate::command::objects::piece;
use crate::failure::{Failure, Result};

/// Every object of a tour is under this.
pub(super) const PREFIX: &str = "tour/";

/// The collection; a name that needs no quotes in SQL.
pub(super) const COLLECTION: &str = "tour_files";

/// How many files are on their way at a time: enough to hide the wait for a disk, and a few MiB of memory.
pub(super) const AT_ONCE: usize = 8;

/// How many documents are written in one call.
const DOCUMENTS_AT_ONCE: usize = 200;

/// Where a tour puts things.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) storage: Storage,
    pub(super) records: Collection<Record>,
}

/// What is known about a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) extension: Option<String>,
    pub(super) sha256: String,
    pub(super) modified: Option<DateTime>,
}

/// What was stored. It holds the path of every file, and of no file more than that.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) left_out: u64,
    pub(super) extensions: BTreeMap<String, u64>,
    paths: HashSet<String>,
}

impl Shelf {
    pub(super) fn new(storage: &Storage) -> Self {
        Self {
            storage: storage.clone(),
            records: storage.collection(COLLECTION),
        }
    }

    pub(super) async fn ensure_indexes(&self) -> Result<()> {
        self.records
            .ensure_index(Index::hash("by_extension", ["extension"]))
            .await?;
        self.records
            .ensure_index(Index::btree("by_size", ["size"]))
            .await?;
        Ok(())
    }

    /// Stores every file: first its bytes, then its document, so that no document names bytes that are not there.
    pub(super) async fn keep(&self, files: Files) -> Result<Kept> {
        let walk = futures::stream::unfold(files.walk(), |mut met| async move {
            let next = met.recv().await?;
            Some((next, met))
        });
        let stored = walk.map(|met| self.keep_one(met)).buffer_unordered(AT_ONCE);
        let mut stored = std::pin::pin!(stored.chunks(DOCUMENTS_AT_ONCE));
        let mut kept = Kept::default();
        while let Some(some) = stored.next().await {
            let mut records = Vec::with_capacity(some.len());
            for one in some {
                match one? {
                    Ok(record) => records.push(record),
                    Err(reason) => {
                        eprintln!("storage: left out {reason}");
                        kept.left_out += 1;
                    }
                }
            }
            let documents = records.iter().map(|record| (self.id(&record.path), record));
            for written in self.records.put_many(documents).await? {
                written?;
            }
            for record in records {
                kept.add(record);
            }
        }
        Ok(kept)
    }

    /// Stores the bytes of one file, or says why it is left out.
    async fn keep_one(&self, met: Met) -> Result<Result<Record, String>> {
        let file = match met {
            Ok(file) => file,
            Err(reason) => return Ok(Err(reason)),
        };
        match self.write(&file).await {
            Ok(record) => Ok(Ok(record)),
            // A file that went, or that this user may not read, or that is too much for this backend, is no reason to stop.
            Err(Failure::Local(_, error)) => Ok(Err(format!("{}: {error}", file.name))),
            Err(Failure::Storage(error)) if error.kind() == ErrorKind::LimitExceeded => {
                Ok(Err(error.to_string()))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn write(&self, File { path, name }: &File) -> Result<Record> {
        let local = || Failure::local(format!("read {name}"));
        let mut file = tokio::fs::File::open(path).await.map_err(local())?;
        let modified = file.metadata().await.map_err(local())?.modified().ok();
        let key = format!("{PREFIX}{name}");
        let objects = self.storage.objects();
        let (mut hasher, mut size) = (Sha256::new(), 0);

        let first = piece(&mut file).await.map_err(local())?.unwrap_or_default();
        hasher.update(&first);
        size += first.len() as u64;
        let mut next = piece(&mut file).await.map_err(local())?;
        if next.is_none() {
            objects.write(&key, first).await?;
        } else if self
            .storage
            .declaration()
            .support(Capability::StreamingWrite)
            .is_present()
        {
            let mut upload = objects.upload(&key, WriteOptions::new()).await?;
            upload.write(first).await?;
            while let Some(bytes) = next {
                hasher.update(&bytes);
                size += bytes.len() as u64;
                upload.write(bytes).await?;
                next = match piece(&mut file).await {
                    Ok(next) => next,
                    Err(error) => {
                        upload.abort().await?;
                        return Err(local()(error));
                    }
                };
            }
            upload.finish().await?;
        } else {
            let mut whole = first.to_vec();
            while let Some(bytes) = next {
                hasher.update(&bytes);
                size += bytes.len() as u64;
                whole.extend_from_slice(&bytes);
                next = piece(&mut file).await.map_err(local())?;
            }
            objects.write(&key, whole).await?;
        }
        Ok(Record {
            path: name.clone(),
            size,
            extension: extension(name),
            sha256: hex(&hasher.finalize()),
            modified: modified.map(DateTime::from_system_time),
        })
    }

    /// Removes what an earlier tour left that is not in this one, and says how many files.
    pub(super) async fn remove_others(&self, kept: &Kept) -> Result<u64> {
        let mut entries = self.storage.objects().list(PREFIX);
        let mut gone = Vec::new();
        let mut removed = 0;
        while let Some(entry) = entries.try_next().await? {
            if !kept.has(&entry.name()[PREFIX.len()..]) {
                gone.push(entry.name().to_owned());
                removed += 1;
            }
            if gone.len() == DOCUMENTS_AT_ONCE {
                self.remove_objects(&mut gone).await?;
            }
        }
        self.remove_objects(&mut gone).await?;
        let mut records = self.records.find(Query::all()).await?;
        while let Some(record) = records.next().await? {
            if !kept.has(&record.value.path) {
                self.records.delete(&record.id).await?;
            }
        }
        Ok(removed)
    }

    async fn remove_objects(&self, keys: &mut Vec<String>) -> Result<()> {
        for removed in self.storage.objects().delete_many(keys.drain(..)).await? {
            removed?;
        }
        Ok(())
    }

    /// The id of a file's document: its path, or the hash of one that is too long for an id.
    pub(super) fn id(&self, path: &str) -> String {
        let longest = self
            .storage
            .declaration()
            .documents
            .as_ref()
            .map_or(0, |section| section.max_id_bytes);
        if path.len() as u64 <= longest {
            path.to_owned()
        } else {
            hex(&Sha256::digest(path))
        }
    }
}

impl Kept {
    fn add(&mut self, record: Record) {
        self.files += 1;
        self.bytes += record.size;
        if let Some(extension) = record.extension {
            *self.extensions.entry(extension).or_default() += 1;
        }
        self.paths.insert(record.path);
    }

    fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }
}

fn extension(name: &str) -> Option<String> {
    Path::new(name).extension()?.to_str().map(str::to_lowercase)
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
