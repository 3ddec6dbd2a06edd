//! [`Places`]: storage on a server, in as many places as tests want.

#[cfg(feature = "suite")]
mod harness;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "suite")]
use conformance_tests::Waiver;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use storage_cloud::{AzureConfig, Cloud, CloudConfig, GcsConfig, S3Config};
use storage_core::{Error, ErrorKind, Overlay, Result, StorageAdapter};
use storage_mongo::{Mongo, MongoConfig};

use crate::reach::mongo;
use crate::{Kind, Server};

/// How many objects are removed at once.
const PARALLEL: usize = 16;

/// Opens a database, or a prefix of the bucket, for each place on one server.
#[derive(Clone)]
pub struct Places {
    server: Arc<Server>,
    reach: Reach,
    #[cfg(feature = "suite")]
    waivers: &'static [Waiver],
}

impl Places {
    /// Places on this server.
    pub fn new(server: Server) -> Self {
        Self {
            reach: Reach::of(&server),
            server: Arc::new(server),
            #[cfg(feature = "suite")]
            waivers: &[],
        }
    }

    /// Cases this server is known to fail.
    #[cfg(feature = "suite")]
    #[must_use]
    pub const fn waive(mut self, waivers: &'static [Waiver]) -> Self {
        self.waivers = waivers;
        self
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Opens one client of the place of this name.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn open(&self, place: &str) -> Result<Arc<dyn StorageAdapter>> {
        match &self.reach {
            Reach::Bucket(bucket) => {
                let cloud = Cloud::open(bucket.clone().prefix(place)).await?;
                Ok(Arc::new(Overlay::new(cloud)))
            }
            Reach::Databases(databases) => {
                let mongo = Mongo::connect(databases.clone().database(place)).await?;
                Ok(Arc::new(mongo))
            }
        }
    }

    /// Removes everything in the place of this name.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn wipe(&self, place: &str) -> Result<()> {
        let done = if self.is_a_bucket() {
            self.wipe_prefix(place).await
        } else {
            self.drop_database(place).await
        };
        done.map_err(|error| {
            Error::new(ErrorKind::Io, format!("the place {place:?} cannot be wiped")).with_source(error)
        })
    }

    /// What is on the server under names that begin with this text: databases, or objects of the bucket.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn names(&self, beginning: &str) -> crate::Result<Vec<String>> {
        let mut names = if self.is_a_bucket() {
            let store = self.server.object_store()?;
            let objects = store.list(None);
            objects
                .map_ok(|object| object.location.to_string())
                .try_collect()
                .await?
        } else {
            let client = mongo(&self.server.url).await?;
            let names = client.list_database_names().await?;
            client.shutdown().immediate(true).await;
            names
        };
        names.retain(|name: &String| name.starts_with(beginning));
        Ok(names)
    }

    const fn is_a_bucket(&self) -> bool {
        matches!(self.reach, Reach::Bucket(_))
    }

    async fn drop_database(&self, place: &str) -> crate::Result<()> {
        let client = mongo(&self.server.url).await?;
        client.database(place).drop().await?;
        client.shutdown().immediate(true).await;
        Ok(())
    }

    async fn wipe_prefix(&self, place: &str) -> crate::Result<()> {
        let store = self.server.object_store()?;
        let objects = store.list(Some(&place.into()));
        objects
            .map_ok(|object| {
                let store = Arc::clone(&store);
                async move {
                    match store.delete(&object.location).await {
                        Err(object_store::Error::NotFound { .. }) => Ok(()),
                        other => other,
                    }
                }
            })
            .try_buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        Ok(())
    }
}

/// How a place is opened. All places share it, so that the server is probed once.
#[derive(Clone)]
enum Reach {
    /// As a prefix.
    Bucket(CloudConfig),
    /// As one of these.
    Databases(MongoConfig),
}

impl Reach {
    fn of(server: &Server) -> Self {
        bucket(server).map_or_else(|| Self::Databases(MongoConfig::new(&server.url)), Self::Bucket)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The bucket or container of a server of objects.
fn bucket(server: &Server) -> Option<CloudConfig> {
    let name = server.bucket()?;
    let credential = |name: &str| server.credentials.get(name);
    let http = server.option("allow_http").as_deref() == Some("true");
    let config = match server.kind {
        Kind::Mongo => return None,
        Kind::S3 => {
            let mut config = S3Config::new(name).allow_http(http);
            if let Some(endpoint) = server.option("endpoint") {
                config = config.endpoint(endpoint);
            }
            if let Some(region) = server.option("region") {
                config = config.region(region);
            }
            if let (Some(id), Some(secret)) = (
                credential("AWS_ACCESS_KEY_ID"),
                credential("AWS_SECRET_ACCESS_KEY"),
            ) {
                config = config.access_key(id, secret);
            }
            config.into()
        }
        Kind::Gcs => {
            let mut config = GcsConfig::new(name).allow_http(http);
            if let Some(url) = server.option("base_url") {
                config = config.base_url(url);
            }
            config
                .anonymous(server.option("skip_signature").as_deref() == Some("true"))
                .into()
        }
        Kind::Azure => {
            let mut config = AzureConfig::new(name).allow_http(http);
            if let Some(endpoint) = server.option("endpoint") {
                config = config.endpoint(endpoint);
            }
            if let Some(account) = credential("AZURE_STORAGE_ACCOUNT_NAME") {
                config = config.account(account);
            }
            if let Some(key) = credential("AZURE_STORAGE_ACCOUNT_KEY") {
                config = config.account_key(key);
            }
            config.into()
        }
    };
    Some(config)
}
