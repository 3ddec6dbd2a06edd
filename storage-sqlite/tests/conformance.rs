//! The public suite, on a database file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::processes::{Lane, Opening};
use conformance_tests::{Facility, Harness, Label, Place, RawFiles};
use storage_core::{Result, StorageAdapter};
use storage_sqlite::{Sqlite, SqliteConfig};

/// What other processes run.
fn lane() -> Lane {
    Lane::new("child_of_the_suite", open)
}

fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let sqlite = Sqlite::open(SqliteConfig::new(directory.join("app.db"))).await?;
        Ok(Arc::new(sqlite) as Arc<dyn StorageAdapter>)
    })
}

#[test]
#[ignore = "cases of the suite start it"]
fn child_of_the_suite() {
    lane().child();
}

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

    fn raw(&self, place: &Place) -> Option<RawFiles> {
        Some(RawFiles::under(self.0.path().join(place.as_str())))
    }

    fn lane(&self) -> Option<Lane> {
        Some(lane())
    }

    fn facilities(&self) -> &[Facility] {
        &[Facility::Processes, Facility::Raw]
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        let _ = std::fs::remove_dir_all(self.0.path().join(place.as_str()));
        Ok(())
    }
}

conformance_tests::suite!(Files(tempfile::tempdir().unwrap()));
conformance_tests::processes!(Files(tempfile::tempdir().unwrap()));
conformance_tests::raw!(Files(tempfile::tempdir().unwrap()));
conformance_tests::expected!(Files(tempfile::tempdir().unwrap()), "tests/conformance.txt");
