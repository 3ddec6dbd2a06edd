//! A database of a test's own on each server there is.

use std::time::{Duration, Instant};

use mongodb::{Client, Database};
use storage_core::{StorageBackend, random_u128};
use storage_mongo::{Mongo, MongoConfig};
use test_servers::{Kind, Server, Servers};

/// How long a condition is waited for before the test fails: far beyond what a loaded machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database of a test's own.
pub(crate) struct Place {
    url: String,
    name: String,
    client: Client,
}

/// Runs a test on each server that speaks MongoDB's protocol, in a database that is dropped at the end.
pub(crate) fn on_every_server<F: Future<Output = ()>>(name: &str, test: impl Fn(std::sync::Arc<Place>) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for server in Servers::load().unwrap().of(Kind::Mongo) {
        runtime.block_on(async {
            let place = std::sync::Arc::new(Place::on(&server, name).await);
            eprintln!("on {} {}", server.name, server.version);
            test(std::sync::Arc::clone(&place)).await;
            place.client.database(&place.name).drop().await.unwrap();
        });
    }
}

impl Place {
    async fn on(server: &Server, name: &str) -> Self {
        Self {
            url: server.url.clone(),
            name: format!("{name}-{:08x}", random_u128() >> 96),
            client: Client::with_uri_str(&server.url).await.unwrap(),
        }
    }

    pub(crate) fn config(&self) -> MongoConfig {
        MongoConfig::new(&self.url).database(&self.name)
    }

    pub(crate) async fn connect(&self) -> Mongo {
        Mongo::connect(self.config()).await.unwrap()
    }

    #[allow(dead_code, reason = "each test file uses its part")]
    pub(crate) async fn connect_with(&self, change: impl FnOnce(MongoConfig) -> MongoConfig) -> Mongo {
        Mongo::connect(change(self.config())).await.unwrap()
    }

    /// The database as another program sees it.
    pub(crate) fn database(&self) -> Database {
        self.client.database(&self.name)
    }

    /// Whether the server decides and writes in one step.
    #[allow(dead_code, reason = "each test file uses its part")]
    pub(crate) fn is_atomic(&self, mongo: &Mongo) -> bool {
        mongo.declaration().objects.compare_and_swap.is_present()
    }

    /// Waits until something is so.
    #[allow(dead_code, reason = "each test file uses its part")]
    pub(crate) async fn until(&self, so: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !so().await {
            assert!(begun.elapsed() < PATIENCE, "it did not become so");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
