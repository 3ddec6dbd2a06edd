//! Places on a server that speaks MongoDB's protocol: databases. The library's own way leaves collections behind, so this asks the
//! driver, and only ever for a database that was found without any collection.

use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use storage_core::{Error, ErrorKind, Result};
use storage_factory::{Factory, StorageUrl};
use tokio::sync::OnceCell;

/// One client for all databases of the run.
#[derive(Debug, Default)]
pub(super) struct Databases(OnceCell<Option<Client>>);

/// Whether the URL is one of these.
pub(super) fn is_for(url: &StorageUrl) -> bool {
    matches!(url.scheme(), "mongodb" | "mongodb+srv")
}

impl Databases {
    /// Whether the database has a collection, anybody's.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn is_full(&self, factory: &Factory, url: &StorageUrl) -> Result<bool> {
        let Some(database) = self.at(factory, url).await else {
            return Ok(false);
        };
        let names = database.list_collection_names().await;
        Ok(!names
            .map_err(|error| refused("list collections", &database, error))?
            .is_empty())
    }

    /// Removes the database.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn remove(&self, factory: &Factory, url: &StorageUrl) -> Result<()> {
        let Some(database) = self.at(factory, url).await else {
            return Ok(());
        };
        let removed = database.drop().await;
        removed.map_err(|error| refused("drop the database", &database, error))
    }

    /// `None` for a URL the driver cannot use: nothing is there then, and opening it says why without its secrets.
    async fn at(&self, factory: &Factory, url: &StorageUrl) -> Option<Database> {
        let client = self.0.get_or_init(|| async {
            let own = factory.scheme(url.scheme())?.option_table();
            let text = url.without_options(|name| own.iter().any(|option| option.name == name));
            let options = ClientOptions::parse(text).await.ok()?;
            Client::with_options(options).ok()
        });
        let name = url.path().trim_matches('/');
        Some(client.await.as_ref()?.database(name))
    }
}

fn refused(what: &'static str, database: &Database, error: mongodb::error::Error) -> Error {
    Error::new(ErrorKind::Io, "the server refuses")
        .with_operation(what)
        .with_key(database.name().to_owned())
        .with_source(error)
}
