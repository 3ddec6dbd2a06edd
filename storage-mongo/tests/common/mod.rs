//! The servers there are, and databases of a test's own on them.

use mongodb::Client;
use storage_core::StorageBackend;
use storage_mongo::{Mongo, MongoConfig};
use test_servers::{Kind, Server, Servers};

/// A server, and the databases a test has there.
pub(crate) struct Place {
    server: Server,
    pub(crate) client: Client,
    prefix: String,
}

impl Place {
    /// A handle of one database.
    pub(crate) async fn open(&self, name: &str) -> Mongo {
        let config = MongoConfig::new(&self.server.url).database(self.database(name));
        Mongo::connect(config).await.unwrap()
    }

    /// What the database is called.
    pub(crate) fn database(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

/// Runs a test on every server whose updates are atomic, and removes what it left.
pub(crate) async fn on_every_server(test: impl AsyncFn(&Place)) {
    for server in Servers::load().unwrap().of(Kind::Mongo) {
        let place = Place {
            client: Client::with_uri_str(&server.url).await.unwrap(),
            prefix: format!("t{:016x}", storage_core::random_u128() >> 64),
            server,
        };
        let handle = place.open("first").await;
        let documents = handle.declaration().documents.is_some();
        handle.close().await.unwrap();
        if documents {
            test(&place).await;
        } else {
            eprintln!("{} has no documents: {}", place.server.name, handle.server());
        }
        for name in place.client.list_database_names().await.unwrap() {
            if name.starts_with(&place.prefix) {
                place.client.database(&name).drop().await.unwrap();
            }
        }
    }
}
