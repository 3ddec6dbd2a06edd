//! The public cases of a medium that fails, on files: each call that changes the disk fails in turn, and all after it.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Facility, Failing, Harness, Label, Place};
use rustix::io::Errno;
use storage_core::{Error, ErrorKind, Result, StorageAdapter};
use tempfile::TempDir;

use super::recorder::{Fault, Recorder};
use crate::system::System;
use crate::{Fs, FsConfig};

/// Each place is a directory of its own.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn directory(&self, place: &Place) -> PathBuf {
        self.0.path().join(place.as_str())
    }
}

#[async_trait]
impl Harness for Disk {
    fn label(&self) -> Label {
        Label::new("fs on a disk that fails", std::env::consts::OS)
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        Ok(Arc::new(Fs::open(FsConfig::new(self.directory(place))).await?))
    }

    async fn open_failing(
        &self,
        place: &Place,
        at: usize,
        fault: conformance_tests::Fault,
    ) -> Result<Option<Failing>> {
        let directory = self.directory(place);
        let recorder = Recorder::over(&directory).unwrap();
        let mut config = FsConfig::new(directory);
        config.system = System::recorded(&recorder);
        let fs = Fs::open(config).await?;
        recorder.fail(Some(Fault {
            only: "",
            first: at + 1,
            errno: Errno::IO,
            persistent: true,
            made: fault == conformance_tests::Fault::AfterTheCall,
        }));
        Ok(Some(Failing::new(Arc::new(fs), move || recorder.has_failed())))
    }

    fn facilities(&self) -> &[Facility] {
        &[Facility::Failures]
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        std::fs::remove_dir_all(self.directory(place))
            .map_err(|error| Error::new(ErrorKind::Io, "a place could not be removed").with_source(error))
    }
}

conformance_tests::failures!(Disk::new());
