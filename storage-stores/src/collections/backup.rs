//! [`Backups`]: everything there is, as it was.

mod content;
mod create;
mod logs;
mod manifest;
mod objects;
mod part;
mod restore;
mod verify;

use serde::Serialize;
use storage_core::{Error, ErrorKind, ListEntry, ListRequest, Result, Storage, Timestamp};

use self::manifest::Manifest;
pub use self::restore::RestoreReport;
use super::migrations::MigrationOptions;
use super::migrations::turn::{Turn, while_kept};
use super::schema::SchemaVersion;

/// What stands before the name in the key of everything that belongs to a backup.
const PREFIX: &str = "backups/";
/// What is written last, and makes a backup of it.
const MANIFEST: &str = "manifest.json";

/// The backups of a [`Storage`]: its documents, indexes and the state of its migrations, its objects and its logs, as objects on the
/// same storage or another.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let storage = storage_core::Storage::new(storage_core::Memory::new());
/// use storage_core::bson::{Document, doc};
/// use storage_stores::collections::Backups;
///
/// let users = storage.collection::<Document>("users");
/// users.put("ada", &doc! { "name": "Ada" }).await?;
/// let backups = Backups::new(storage);
/// backups.create(Some("before")).await?;
/// users.delete("ada").await?;
/// backups.restore("before").await?;
/// assert!(users.get("ada").await?.is_some());
/// # Ok(()) }
/// ```
///
/// A backup is `backups/<name>/manifest.json` and the parts it names: typed JSON, one document a line, as documents are written at
/// rest; a line for each object and each log, and what they hold in pieces of 4 MiB. The manifest is written last, with the BLAKE3 and
/// the counts of each part, so an unfinished backup is none. It is read beside writers, page by page, and is no snapshot: a document,
/// an object or a log that changes meanwhile is in it as it was before or after. Documents are read first, so the object that one
/// refers to is in the backup, unless it is deleted meanwhile.
///
/// What lies under `backups/` is not in it, whoever put it there. [`documents_only`](Self::documents_only) leaves out objects and logs.
#[derive(Debug, Clone)]
pub struct Backups {
    storage: Storage,
    /// Where the backups are.
    place: Storage,
    options: MigrationOptions,
    scope: Scope,
}

/// What a backup has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Documents,
    Everything,
}

/// What is known about a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupInfo {
    /// Its name.
    pub name: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The backend it is of.
    pub backend: String,
    /// The version the data had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<SchemaVersion>,
    /// Its collections.
    pub collections: u64,
    /// Its documents.
    pub documents: u64,
    /// Its objects; `None` where it was made without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// Its logs; `None` where it was made without, or the backend has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<u64>,
    /// The bytes of all of it.
    pub bytes: u64,
}

/// Every backup there is.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackupList {
    /// By name.
    pub backups: Vec<BackupInfo>,
    /// One error for each whose manifest cannot be read.
    pub unreadable: Vec<Error>,
}

impl Backups {
    /// The backups on the storage itself, with the default options.
    pub fn new(storage: Storage) -> Self {
        Self::with_options(storage, MigrationOptions::new())
    }

    /// The backups on the storage itself. Of the options those about the lease and the progress count.
    pub fn with_options(storage: Storage, options: MigrationOptions) -> Self {
        Self {
            place: storage.clone(),
            storage,
            options,
            scope: Scope::Everything,
        }
    }

    /// Makes backups without objects and logs, which restore neither: as a run of [`Migrations`](super::Migrations) does whose steps
    /// change documents only.
    #[must_use]
    pub const fn documents_only(mut self) -> Self {
        self.scope = Scope::Documents;
        self
    }

    /// Keeps and looks for backups on another storage.
    #[must_use]
    pub fn kept_on(mut self, place: Storage) -> Self {
        self.place = place;
        self
    }

    /// Makes a backup of everything. Without a name it is `backup-` and the time, such as `backup-2024-02-29T12-00-00-000Z`. Nobody
    /// migrates or restores meanwhile.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that is taken; `InvalidName`; `Corrupt` naming what cannot be read; `Conflict` where others
    /// replaced an object each time it was read; `Timeout` where a migrator is at work for too long; those of the medium.
    pub async fn create(&self, name: Option<&str>) -> Result<BackupInfo> {
        let (mut turn, mut keep) = Turn::take(&self.storage, &self.options).await?;
        let done = while_kept(&mut keep, async {
            if turn.state().restore.is_some() {
                self.finish_restore(&mut turn).await?;
            }
            let name = self.create_within(&mut turn, name, "backup", self.scope).await?;
            Ok(self.manifest(&name).await?.info())
        })
        .await;
        turn.end().await;
        done.map_err(|error| self.named(error, "create backup", name))
    }

    /// Every finished backup, by name.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn list(&self) -> Result<BackupList> {
        let mut list = BackupList {
            backups: Vec::new(),
            unreadable: Vec::new(),
        };
        for name in self.names().await? {
            match self.find_manifest(&name).await {
                Ok(Some(manifest)) => list.backups.push(manifest.info()),
                // It was never finished.
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => list.unreadable.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    /// Deletes a backup, and what is left of one that was never finished; `true` if there was anything.
    ///
    /// # Errors
    /// `InvalidName`; those of the medium: call it again.
    pub async fn delete(&self, name: &str) -> Result<bool> {
        let work = async {
            let directory = directory(name)?;
            let objects = self.place.objects();
            let manifest = format!("{directory}{MANIFEST}");
            // It is no backup from here on, whatever happens to the rest.
            let mut found = objects.stat(&manifest).await?.is_some();
            objects.delete(&manifest).await?;
            loop {
                let page = objects.list_page(ListRequest::new(&directory)).await?;
                let keys: Vec<String> = page.entries.iter().map(|entry| entry.name().to_owned()).collect();
                if keys.is_empty() && page.next.is_none() {
                    return Ok(found);
                }
                found = true;
                for deleted in objects.delete_many(keys).await? {
                    deleted?;
                }
            }
        };
        work.await
            .map_err(|error| self.named(error, "delete backup", Some(name)))
    }

    /// The manifest of a backup.
    async fn manifest(&self, name: &str) -> Result<Manifest> {
        match self.find_manifest(name).await? {
            Some(manifest) => Ok(manifest),
            None => Err(self.missing(name).await?),
        }
    }

    async fn find_manifest(&self, name: &str) -> Result<Option<Manifest>> {
        let key = format!("{}{MANIFEST}", directory(name)?);
        match self.place.objects().read(&key).await? {
            Some(bytes) => Manifest::read(&key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    async fn missing(&self, name: &str) -> Result<Error> {
        let names: Vec<String> = self
            .list()
            .await?
            .backups
            .into_iter()
            .map(|info| info.name)
            .collect();
        let known = match names.as_slice() {
            [] => "there are none; make one with `storage backup create`".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        let message = format!("Backup not found: {name}; {known}");
        Ok(Error::new(ErrorKind::NotFound, message))
    }

    async fn names(&self) -> Result<Vec<String>> {
        let mut request = ListRequest::new(PREFIX);
        request.delimiter = true;
        let mut names = Vec::new();
        loop {
            let page = self.place.objects().list_page(request.clone()).await?;
            for entry in page.entries {
                if let ListEntry::Prefix(prefix) = entry {
                    names.push(prefix[PREFIX.len()..].trim_end_matches('/').to_owned());
                }
            }
            match page.next {
                Some(next) => request.start_after = Some(next),
                None => {
                    // Directories come in the order of their keys: `a-2/` before `a/`.
                    names.sort_unstable();
                    return Ok(names);
                }
            }
        }
    }

    fn named(&self, error: Error, operation: &'static str, name: Option<&str>) -> Error {
        let backend = self.storage.declaration().backend.clone();
        let error = error.with_operation(operation).with_backend(backend);
        match name {
            Some(name) => error.with_key(name),
            None => error,
        }
    }
}

/// Where everything of a backup is.
fn directory(name: &str) -> Result<String> {
    /// As much room as a log has for its name, and some for what stands before and after it in a key.
    const LONGEST: usize = 200;
    let problem = if name.is_empty() {
        "must not be empty"
    } else if name.len() > LONGEST {
        "is longer than 200 bytes"
    } else if name.contains(|c: char| c == '/' || c.is_control()) {
        "must not contain `/` or control characters"
    } else {
        return Ok(format!("{PREFIX}{name}/"));
    };
    Err(Error::new(
        ErrorKind::InvalidName,
        format!("the name of the backup {name:?} {problem}"),
    ))
}
