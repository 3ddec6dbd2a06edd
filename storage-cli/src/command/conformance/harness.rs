//! [`UrlHarness`]: a place of its own for every case, beside what a URL names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place};
use futures::TryStreamExt;
use storage_core::bson::RawDocumentBuf;
use storage_core::{Error, ErrorKind, ListRequest, Query, Result, Storage, StorageAdapter};
use storage_factory::{Factory, Place as Names, StorageUrl};

/// Opens places through the factory. What it did not find empty it neither uses nor removes.
#[derive(Debug)]
pub(super) struct UrlHarness {
    factory: Factory,
    url: StorageUrl,
    names: Names,
    /// The places that were found empty, and their only adapter where a place cannot be opened twice.
    places: Mutex<BTreeMap<String, Option<Arc<dyn StorageAdapter>>>>,
}

impl UrlHarness {
    pub(super) fn new(factory: Factory, url: &str) -> Result<Self> {
        let url = factory.parse(url)?;
        let names = factory
            .scheme(url.scheme())
            .map_or(Names::Any, storage_factory::Scheme::place_kind);
        if names == Names::File && url.path() == ":memory:" {
            return Err(Error::invalid_argument(
                "a database in memory cannot be opened twice, which the suite has to; name a file",
            )
            .with_operation("test storage")
            .with_key(url.to_string()));
        }
        Ok(Self {
            factory,
            url,
            names,
            places: Mutex::default(),
        })
    }

    /// The URL of a place.
    fn url(&self, place: &str) -> StorageUrl {
        let path = self.url.path();
        match self.names {
            Names::Nothing => self.url.clone(),
            Names::Directory => self
                .url
                .with_path(&format!("{}/{place}", path.trim_end_matches('/'))),
            // The extension is what people know a file by.
            Names::File => match path
                .rsplit_once('.')
                .filter(|(_, extension)| !extension.contains('/'))
            {
                Some((stem, extension)) => self.url.with_path(&format!("{stem}-{place}.{extension}")),
                None => self.url.with_path(&format!("{path}-{place}")),
            },
            _ => self.url.with_path(&format!("{path}-{place}")),
        }
    }

    fn places(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Arc<dyn StorageAdapter>>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a place where something is.
    async fn check_empty(&self, url: &StorageUrl) -> Result<()> {
        let full = match self.names {
            Names::Nothing => false,
            Names::Directory | Names::File => files(self.names, url).iter().any(|path| path.exists()),
            _ => {
                let storage = self.factory.open(url.with_secrets()).await?;
                let full = is_full(&storage).await;
                storage.close().await?;
                full?
            }
        };
        if full {
            let message = "something is there already; the suite only uses places that are empty";
            return Err(Error::new(ErrorKind::AlreadyExists, message).with_key(url.to_string()));
        }
        // The directory all places are in; a database file wants its own to be there.
        if matches!(self.names, Names::Directory | Names::File)
            && let Some(above) = Path::new(url.path())
                .parent()
                .filter(|above| !above.as_os_str().is_empty())
        {
            std::fs::create_dir_all(above).map_err(|error| local("make the directory", above, error))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Harness for UrlHarness {
    fn label(&self) -> Label {
        Label::new(self.url.scheme(), "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let url = self.url(place.as_str());
        let known = self.places().get(place.as_str()).cloned();
        match known {
            Some(Some(shared)) => return Ok(shared),
            Some(None) => {}
            None => self.check_empty(&url).await?,
        }
        let adapter = self.factory.open_adapter(url.with_secrets()).await?;
        // What has only one place is empty with every opening, so its clients must share the first.
        let shared = (self.names == Names::Nothing).then(|| Arc::clone(&adapter));
        self.places().insert(place.as_str().to_owned(), shared);
        Ok(adapter)
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        if self.places().remove(place.as_str()).is_none() {
            return Ok(());
        }
        let url = self.url(place.as_str());
        match self.names {
            Names::Nothing => Ok(()),
            Names::Directory | Names::File => {
                files(self.names, &url).iter().try_for_each(|path| remove(path))
            }
            _ => {
                let storage = self.factory.open(url.with_secrets()).await?;
                let emptied = empty(&storage).await;
                storage.close().await?;
                emptied
            }
        }
    }
}

/// What a place of this kind is on the disk: SQLite keeps up to three more files beside the database.
fn files(names: Names, url: &StorageUrl) -> Vec<PathBuf> {
    let beside: &[&str] = if names == Names::File {
        &["", "-wal", "-shm", "-journal"]
    } else {
        &[""]
    };
    beside
        .iter()
        .map(|suffix| PathBuf::from(format!("{}{suffix}", url.path())))
        .collect()
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(local("remove", path, error)),
        _ => Ok(()),
    }
}

async fn is_full(storage: &Storage) -> Result<bool> {
    let mut request = ListRequest::new("");
    request.limit = 1;
    let objects = storage.objects().list_with(request).try_next().await?.is_some();
    let declaration = storage.declaration();
    let documents = declaration.documents.is_some() && !storage.collections().await?.is_empty();
    let logs = declaration.logs.is_some() && !storage.logs().await?.is_empty();
    Ok(objects || documents || logs)
}

/// Deletes everything through the contract: slow, and right for every backend.
async fn empty(storage: &Storage) -> Result<()> {
    let mut entries = storage.objects().list("");
    while let Some(entry) = entries.try_next().await? {
        storage.objects().delete(entry.name()).await?;
    }
    if storage.declaration().documents.is_some() {
        for name in storage.collections().await? {
            let collection = storage.collection::<RawDocumentBuf>(&name);
            let mut found = collection.find(Query::all()).await?;
            while let Some(document) = found.next().await? {
                collection.delete(&document.id).await?;
            }
            for index in collection.indexes().await? {
                collection.drop_index(index.index.name).await?;
            }
        }
    }
    if storage.declaration().logs.is_some() {
        for name in storage.logs().await? {
            storage.log(&name).delete().await?;
        }
    }
    Ok(())
}

fn local(what: &'static str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "the disk refuses")
        .with_operation(what)
        .with_key(path.display().to_string())
        .with_source(error)
}
