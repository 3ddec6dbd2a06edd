//! A harness for layers that are opened, not just made: they read or write something first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, Suite};
use futures::future::BoxFuture;
use libtest_mimic::Trial;
use storage_core::{Memory, Result, StorageAdapter};

type Open = fn(Memory) -> BoxFuture<'static, Result<Arc<dyn StorageAdapter>>>;

struct Opened {
    layer: &'static str,
    open: Open,
    places: Mutex<HashMap<Place, Memory>>,
}

#[async_trait]
impl Harness for Opened {
    fn label(&self) -> Label {
        Label::new(self.layer, "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let memory = self
            .places
            .lock()
            .unwrap()
            .entry(place.clone())
            .or_default()
            .clone();
        (self.open)(memory).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        self.places.lock().unwrap().remove(place);
        Ok(())
    }
}

/// The suite over a layer on the reference adapter.
pub(crate) fn over_memory(layer: &'static str, open: Open) -> Vec<Trial> {
    let harness = move || async move {
        Opened {
            layer,
            open,
            places: Mutex::default(),
        }
    };
    conformance_tests::trials(Suite::Adapter, &format!("{layer}::on_memory"), harness)
}
