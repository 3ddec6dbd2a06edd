//! Places as the public suite wants them.

use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, Waiver};
use storage_core::{Result, StorageAdapter};

use super::Places;

#[async_trait]
impl Harness for Places {
    fn label(&self) -> Label {
        let product = format!("{} {}", self.server.name, self.server.version);
        Label::new(self.server.kind.name(), product)
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        self.open(place.as_str()).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        self.wipe(place.as_str()).await
    }

    fn waivers(&self) -> &[Waiver] {
        self.waivers
    }

    /// A query over a bucket is hundreds of requests, and a test machine runs the server, too.
    fn patience(&self) -> u32 {
        5
    }
}
