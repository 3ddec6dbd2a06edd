//! The public suite on a pair of servers: documents and logs in MongoDB, objects in an S3 bucket.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, Suite, Tier, Waiver, absent, trials};
use storage_core::{Composed, Result, StorageAdapter};
use test_servers::{Kind, Places, Servers, object_waivers, run, up_to, waivers};

#[derive(Clone)]
struct Pair {
    objects: Places,
    documents: Places,
    waivers: Arc<Vec<Waiver>>,
}

impl Pair {
    fn new(objects: Places, documents: Places) -> Self {
        let documents_fail = waivers(documents.server()).iter();
        let waivers = object_waivers(objects.server()).chain(documents_fail);
        Self {
            waivers: Arc::new(waivers.cloned().collect()),
            objects,
            documents,
        }
    }
}

#[async_trait]
impl Harness for Pair {
    fn label(&self) -> Label {
        let (objects, documents) = (self.objects.server(), self.documents.server());
        Label::new("s3+mongo", format!("{} and {}", objects.name, documents.name))
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let objects = self.objects.open(place.as_str()).await?;
        let documents = self.documents.open(place.as_str()).await?;
        Ok(Arc::new(Composed::new(objects, documents)))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        self.objects.wipe(place.as_str()).await?;
        self.documents.wipe(place.as_str()).await
    }

    fn waivers(&self) -> &[Waiver] {
        &self.waivers
    }

    fn patience(&self) -> u32 {
        self.objects.patience()
    }
}

fn main() -> ExitCode {
    let buckets = Servers::load()
        .unwrap_or_else(|error| panic!("the servers of the tests: {error}"))
        .of(Kind::S3);
    let bucket = buckets.into_iter().next();
    run(
        &[Kind::Mongo],
        |documents| match &bucket {
            // FerretDB offers no documents to make a pair with.
            _ if documents.name == "FerretDB" => Vec::new(),
            Some(bucket) => {
                let pair = Pair::new(Places::new(bucket.clone()), Places::new(documents));
                let all = trials(Suite::Adapter, "pair", move || {
                    let pair = pair.clone();
                    async move { pair }
                });
                // Each half runs the whole suite on its own server.
                up_to(Tier::Smoke, "pair", all)
            }
            None => absent(Suite::Adapter, "pair", "no S3 server is there for the objects"),
        },
        |_, reason| absent(Suite::Adapter, "pair", reason),
    )
}
