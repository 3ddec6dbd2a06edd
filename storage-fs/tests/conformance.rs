//! Files, held to the contract.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::processes::{Lane, Opening};
use conformance_tests::{Facility, Harness, Label, Place, RawFiles};
use storage_core::{Error, ErrorKind, Result, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use tempfile::TempDir;

/// What other processes run.
fn lane() -> Lane {
    Lane::new("child_of_the_suite", open)
}

fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let fs = Fs::open(FsConfig::new(directory.join("processes"))).await?;
        Ok(Arc::new(fs) as Arc<dyn StorageAdapter>)
    })
}

#[test]
#[ignore = "cases of the suite start it"]
fn child_of_the_suite() {
    lane().child();
}

/// Each place is a directory of its own.
struct Directories(TempDir);

#[async_trait]
impl Harness for Directories {
    fn label(&self) -> Label {
        Label::new("fs", std::env::consts::OS)
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        Ok(Arc::new(
            Fs::open(FsConfig::new(self.0.path().join(place.as_str()))).await?,
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
        match std::fs::remove_dir_all(self.0.path().join(place.as_str())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::Io, "a place could not be removed").with_source(error))
            }
            _ => Ok(()),
        }
    }
}

conformance_tests::suite!(Directories(TempDir::new().expect("a temporary directory")));
conformance_tests::processes!(Directories(TempDir::new().expect("a temporary directory")));
conformance_tests::raw!(Directories(TempDir::new().expect("a temporary directory")));
conformance_tests::expected!(
    Directories(TempDir::new().expect("a temporary directory")),
    "tests/conformance.txt"
);
