//! The suite on OpenDAL's own S3 service, against every S3 server that can be had here: a prefix for each place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, Suite, absent, trials};
use opendal::{Operator, services};
use storage_core::{Consistency, Error, ErrorKind, Overlay, Result, StorageAdapter};
use storage_opendal::{OpenDal, OpenDalConfig};
use test_servers::{Kind, Native, Server, on_demand, run, steady, tier, up_to};

fn main() -> ExitCode {
    let on_server = |server: Server| {
        let prefix = format!("opendal-{}", server.name.to_lowercase());
        // It answers the races that opening a place tries with status 500, now and then.
        let unsteady = server.is(Native::Moto);
        let (tier, server) = (tier(&server), Arc::new(server));
        let of_bucket = Arc::clone(&server);
        let tests = trials(Suite::Adapter, &prefix, move || {
            let bucket = Bucket {
                server: Arc::clone(&of_bucket),
            };
            async move { bucket }
        });
        let tests = steady(&server, &prefix, up_to(tier, &prefix, tests));
        on_demand(tests, |_| unsteady)
    };
    run(&[Kind::S3], on_server, |name, reason| {
        absent(
            Suite::Adapter,
            &format!("opendal-{}", name.to_lowercase()),
            reason,
        )
    })
}

/// A prefix of the server's bucket for each place. Names are escaped here in a way that meets none of the faults that are waived for
/// `storage-cloud`.
struct Bucket {
    server: Arc<Server>,
}

impl Bucket {
    fn operator(&self, place: &Place) -> Operator {
        let server = &self.server;
        let credential = |name: &str| server.credentials.get(name).cloned().unwrap_or_default();
        let service = services::S3::default()
            .bucket(&server.bucket().unwrap())
            .endpoint(&server.option("endpoint").unwrap())
            .region(&server.option("region").unwrap())
            .access_key_id(&credential("AWS_ACCESS_KEY_ID"))
            .secret_access_key(&credential("AWS_SECRET_ACCESS_KEY"))
            .disable_config_load()
            .disable_ec2_metadata()
            .root(&format!("/{place}/"));
        Operator::new(service).unwrap().finish()
    }
}

#[async_trait]
impl Harness for Bucket {
    fn label(&self) -> Label {
        Label::new(
            "opendal s3",
            format!("{} {}", self.server.name, self.server.version),
        )
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        // What S3 promises; of a service it does not know the adapter says that others may see a write a minute late.
        let config = OpenDalConfig::new(self.operator(place)).consistency(Consistency::Linearizable);
        let backend = OpenDal::open(config).await?;
        Ok(Arc::new(Overlay::new(backend)))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        let wiped = self.operator(place).delete_with("/").recursive(true).await;
        wiped.map_err(|error| Error::new(ErrorKind::Io, "a place could not be wiped").with_source(error))
    }

    fn patience(&self) -> u32 {
        5
    }
}
