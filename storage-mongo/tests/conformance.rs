//! The public suite on every server that speaks MongoDB's protocol and can be had here: a database for each place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, absent, trials};
use libtest_mimic::{Arguments, Trial};
use mongodb::Client;
use storage_core::{Error, ErrorKind, Result, StorageAdapter};
use storage_mongo::{Mongo, MongoConfig};
use test_servers::{Kind, Server, Servers};

/// One server.
#[derive(Clone)]
struct Databases(Arc<Server>);

fn database(place: &Place) -> String {
    format!("suite-{place}")
}

#[async_trait]
impl Harness for Databases {
    fn label(&self) -> Label {
        Label::new("mongo", format!("{} {}", self.0.name, self.0.version))
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let config = MongoConfig::new(&self.0.url).database(database(place));
        Ok(Arc::new(Mongo::connect(config).await?))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        let client = Client::with_uri_str(&self.0.url).await.map_err(failed)?;
        client.database(&database(place)).drop().await.map_err(failed)?;
        client.shutdown().immediate(true).await;
        Ok(())
    }
}

fn failed(error: mongodb::error::Error) -> Error {
    Error::new(ErrorKind::Io, "a place could not be removed").with_source(error)
}

fn main() -> ExitCode {
    let servers = Servers::load().unwrap();
    let mut tests: Vec<Trial> = Vec::new();
    for server in servers.of(Kind::Mongo) {
        let harness = Databases(Arc::new(server));
        let prefix = harness.0.name.to_lowercase();
        tests.extend(trials(&prefix, move || {
            let harness = harness.clone();
            async move { harness }
        }));
    }
    for missing in servers.missing(Kind::Mongo) {
        tests.extend(absent(&missing.name.to_lowercase(), &missing.reason));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
