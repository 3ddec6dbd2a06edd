//! The whole contract, from six operations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use conformance_tests::{Harness, Label, Place};
use storage_core::{Overlay, Result, StorageAdapter};
use storage_redb::Redb;
use tempfile::TempDir;

/// A file for each place. A second client is a second handle of the one process that has the file.
struct Files(TempDir, Mutex<HashMap<Place, Redb>>);

#[async_trait::async_trait]
impl Harness for Files {
    fn label(&self) -> Label {
        Label::new("redb", "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let mut files = self.1.lock().expect("nobody panics with it");
        let file = match files.get(place) {
            Some(file) => file.clone(),
            None => Redb::open(self.0.path().join(place.as_str()))?,
        };
        files.insert(place.clone(), file.clone());
        Ok(Arc::new(Overlay::new(file)))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        self.1.lock().expect("nobody panics with it").remove(place);
        // A place may be wiped again: what is not there is gone.
        let _ = std::fs::remove_file(self.0.path().join(place.as_str()));
        Ok(())
    }
}

conformance_tests::suite!(Files(TempDir::new().expect("a directory"), Mutex::default()));
