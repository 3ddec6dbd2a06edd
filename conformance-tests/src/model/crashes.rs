//! [`Crashes`]: places that other processes open too, one of which is killed now and then.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use storage_core::{Error, ErrorKind, Result, StorageAdapter};
use tempfile::TempDir;

use super::doomed::{Answer, Doomed};
use crate::case::Failure;
use crate::harness::{Harness, Label, Place};
use crate::processes::{Lane, Moment};

/// A directory for each place, which the lane opens here and in the processes that are killed.
#[derive(Debug)]
pub(super) struct Crashes {
    lane: Lane,
    root: TempDir,
    met: [AtomicU64; Met::ALL.len()],
}

/// How a write was met that a process was killed in or after.
#[derive(Debug, Clone, Copy)]
pub(super) enum Met {
    /// It had been answered, and was as it had been.
    Answered,
    /// It had not, and all of it was there.
    Done,
    /// It had not, and nothing of it was there.
    Undone,
}

impl Met {
    const ALL: [Self; 3] = [Self::Answered, Self::Done, Self::Undone];
}

impl Crashes {
    pub(super) fn of(lane: Lane) -> Self {
        let root = lane.fresh_directory();
        Self {
            lane,
            root,
            met: Default::default(),
        }
    }

    /// Counts one more.
    pub(super) fn met(&self, how: Met) {
        self.met[how as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn directory(&self, place: &Place) -> PathBuf {
        self.root.path().join(place.as_str())
    }

    /// Lets a process do this in a place and kills it. Gives its answer, if it had one.
    ///
    /// # Errors
    /// When the process ends by itself.
    pub(super) async fn crash(
        &self,
        place: &Place,
        doomed: Doomed,
        moment: Moment,
    ) -> std::result::Result<Option<Answer>, Failure> {
        let (lane, directory) = (self.lane.clone(), self.directory(place));
        let crash = tokio::task::spawn_blocking(move || lane.crash(&directory, &doomed, moment));
        crash.await.map_err(|stopped| stopped.to_string())?
    }
}

#[async_trait]
impl Harness for Crashes {
    fn label(&self) -> Label {
        Label::new(self.lane.name(), "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let directory = self.directory(place);
        std::fs::create_dir_all(&directory).map_err(refused)?;
        self.lane.adapter(&directory).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        std::fs::remove_dir_all(self.directory(place)).map_err(refused)
    }
}

impl fmt::Display for Crashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [answered, done, undone] = Met::ALL.map(|how| self.met[how as usize].load(Ordering::Relaxed));
        write!(
            f,
            "{}: {} processes killed among random operations, {answered} with an answer, {done} in a write that was done, {undone} in \
             one that was not; lost 0, torn 0",
            self.lane.name(),
            answered + done + undone
        )
    }
}

fn refused(error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        "the directory of a place cannot be made or removed",
    )
    .with_source(error)
}
