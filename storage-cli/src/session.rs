//! [`Session`]: which storage this run of the command is about.

use storage_core::Storage;
use storage_factory::{Choice, Factory, StorageUrl};
use storage_stores::collections::Migration;

use crate::failure::Result;

/// The factory, the URL given with `--url`, and the migrations this program brings.
#[derive(Debug)]
pub(crate) struct Session {
    factory: Factory,
    url: Option<String>,
    migrations: Vec<Migration>,
}

/// Who said where the data is.
#[derive(Debug)]
pub(crate) enum Said {
    /// `--url`.
    Argument(StorageUrl),
    /// A variable, or nobody.
    Environment(Choice),
}

impl Session {
    pub(crate) const fn new(factory: Factory, url: Option<String>, migrations: Vec<Migration>) -> Self {
        Self {
            factory,
            url,
            migrations,
        }
    }

    /// The migrations of this program, beside those in files.
    pub(crate) fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    pub(crate) const fn factory(&self) -> &Factory {
        &self.factory
    }

    /// What `--url` said.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Where the data is, without opening it.
    pub(crate) fn said(&self) -> Result<Said> {
        Ok(match &self.url {
            Some(url) => Said::Argument(self.factory.parse(url)?),
            None => Said::Environment(self.factory.choose_from_env()?),
        })
    }

    /// The same storage without this layer: to look at what it would refuse to open.
    pub(crate) fn without_layer(&self, name: &str) -> Self {
        Self {
            factory: self.factory.clone().without_layer(name),
            url: self.url.clone(),
            migrations: Vec::new(),
        }
    }

    /// The same storage for a store that searches for these fields: layers that seal documents leave them readable.
    pub(crate) fn searching(&self, fields: &[&'static str]) -> Self {
        Self {
            factory: self.factory.clone().searching(fields),
            url: self.url.clone(),
            migrations: Vec::new(),
        }
    }

    /// The same for the storage of this URL, if one is given.
    pub(crate) fn at(self, url: Option<String>) -> Self {
        Self {
            url: url.or(self.url),
            ..self
        }
    }

    /// The layers of the environment are over what `--url` names too, unless it names its own.
    async fn open(&self) -> storage_core::Result<Storage> {
        match &self.url {
            Some(url) => self.factory.open_under_layers_from_env(url).await,
            None => self.factory.open_from_env().await,
        }
    }

    /// Opens the storage, does the work and closes it. Why the work failed matters more than why closing did.
    pub(crate) async fn with_storage<T>(&self, work: impl AsyncFnOnce(&Storage) -> Result<T>) -> Result<T> {
        let storage = self.open().await?;
        let done = work(&storage).await;
        let closed = storage.close().await;
        let done = done?;
        closed?;
        Ok(done)
    }
}

impl Said {
    /// The storage, and where documents and logs are when that is another one.
    pub(crate) const fn urls(&self) -> (&StorageUrl, Option<&StorageUrl>) {
        match self {
            Self::Argument(url) => (url, None),
            Self::Environment(choice) => choice.urls(),
        }
    }
}
