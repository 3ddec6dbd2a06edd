//! The public suite, on a database file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place};
use storage_core::{Result, StorageAdapter};
use storage_sqlite::{Sqlite, SqliteConfig};

/// A directory for each place; a second client is a second handle of the same file.
struct Files(tempfile::TempDir);

#[async_trait]
impl Harness for Files {
    fn label(&self) -> Label {
        Label::new("sqlite", "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        Ok(Arc::new(
            Sqlite::open(SqliteConfig::new(
                self.0.path().join(place.as_str()).join("app.db"),
            ))
            .await?,
        ))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        let _ = std::fs::remove_dir_all(self.0.path().join(place.as_str()));
        Ok(())
    }
}

conformance_tests::suite!(Files(tempfile::tempdir().unwrap()));
conformance_tests::expected!(Files(tempfile::tempdir().unwrap()), "tests/conformance.txt");
