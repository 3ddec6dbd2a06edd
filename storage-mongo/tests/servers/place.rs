//! A database of a test's own, and what tests need of the server it is on.

use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use mongodb::{Client, Database};
use storage_core::random_u128;
use storage_mongo::{Mongo, MongoConfig};
use test_servers::Server;

/// How long a condition is waited for before the test fails: far beyond what a loaded machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test: its name, what it needs, and the check in a place.
#[derive(Clone, Copy)]
pub(crate) struct Law {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) check: for<'a> fn(&'a Place) -> LocalBoxFuture<'a, ()>,
}

/// What a test needs of the server.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    Nothing,
    /// Updates that decide and write in one step.
    Atomic,
    /// Also transactions.
    Transactions,
    /// A server whose updates are not atomic, to see that it is found out.
    Careless,
}

impl Law {
    /// FerretDB 1 updates in two steps and has no transactions. Every other server is to have both: where it does not, tests fail.
    pub(crate) fn is_for(&self, server: &Server) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Atomic | Needs::Transactions => server.name != "FerretDB",
            Needs::Careless => server.name == "FerretDB",
        }
    }
}

/// The tests of a file, each an `async fn` that takes a [`Place`].
macro_rules! laws {
    ($($needs:ident: $check:ident,)*) => {
        pub(crate) const LAWS: &[$crate::place::Law] = &[$($crate::place::Law {
            name: stringify!($check),
            needs: $crate::place::Needs::$needs,
            check: |place| Box::pin($check(place)),
        }),*];
    };
}
pub(crate) use laws;

/// A database of a test's own.
pub(crate) struct Place {
    pub(crate) server: Server,
    name: String,
    client: Client,
}

impl Place {
    pub(crate) async fn on(server: Server) -> Self {
        Self {
            client: Client::with_uri_str(&server.url).await.unwrap(),
            name: format!("t{:016x}", random_u128() >> 64),
            server,
        }
    }

    pub(crate) fn config(&self) -> MongoConfig {
        self.config_at(&self.server.url)
    }

    /// The same database by another way.
    pub(crate) fn config_at(&self, url: &str) -> MongoConfig {
        MongoConfig::new(url).database(&self.name)
    }

    pub(crate) async fn connect(&self) -> Mongo {
        Mongo::connect(self.config()).await.unwrap()
    }

    pub(crate) async fn connect_with(&self, change: impl FnOnce(MongoConfig) -> MongoConfig) -> Mongo {
        Mongo::connect(change(self.config())).await.unwrap()
    }

    /// The database as another program sees it.
    pub(crate) fn database(&self) -> Database {
        self.client.database(&self.name)
    }

    /// Removes all that is in the database.
    pub(crate) async fn empty(&self) {
        self.database().drop().await.unwrap();
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, so: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !so().await {
            assert!(begun.elapsed() < PATIENCE, "it did not become so");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
