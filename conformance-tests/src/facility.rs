//! [`Facility`]: what a harness may offer beyond opening places, so that the suite gets at what no adapter shows.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage_core::StorageAdapter;

/// What a harness may offer beyond opening places. A case that needs one that is not there is reported so, and never as passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Facility {
    /// [`Harness::open_failing`](crate::Harness::open_failing): a medium whose calls fail.
    Failures,
    /// [`Harness::lane`](crate::Harness::lane): other processes on the same place, which can be killed.
    Processes,
    /// [`Harness::raw`](crate::Harness::raw): the files of a place.
    Raw,
}

impl Facility {
    /// Every facility, in alphabetical order.
    pub const ALL: &[Self] = &[Self::Failures, Self::Processes, Self::Raw];

    /// Its name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Processes => "processes",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A client on a medium that fails at a given call: what [`Harness::open_failing`](crate::Harness::open_failing) gives.
pub struct Failing {
    adapter: Arc<dyn StorageAdapter>,
    was_reached: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Failing {
    /// The adapter under test on that medium, and whether the call was made at which the medium fails.
    pub fn new(
        adapter: Arc<dyn StorageAdapter>,
        was_reached: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            adapter,
            was_reached: Box::new(was_reached),
        }
    }

    /// The adapter under test, on that medium.
    pub const fn adapter(&self) -> &Arc<dyn StorageAdapter> {
        &self.adapter
    }

    /// Whether the call was made at which the medium fails.
    pub fn was_reached(&self) -> bool {
        (self.was_reached)()
    }
}

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failing")
            .field("adapter", &self.adapter)
            .field("was_reached", &self.was_reached())
            .finish()
    }
}

/// The files in which a place is kept: what [`Harness::raw`](crate::Harness::raw) gives.
#[derive(Debug, Clone)]
pub struct RawFiles(Vec<PathBuf>);

impl RawFiles {
    /// All files under a directory, which is not outside of the place.
    pub fn under(directory: impl Into<PathBuf>) -> Self {
        Self(vec![directory.into()])
    }

    /// These files, of which some but not all may be missing.
    pub fn of(files: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self(files.into_iter().map(Into::into).collect())
    }

    /// How many bytes they have together.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn bytes(&self) -> io::Result<u64> {
        let mut bytes = 0;
        self.each(&mut |length| bytes += length)?;
        Ok(bytes)
    }

    /// How many there are.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn count(&self) -> io::Result<usize> {
        let mut files = 0;
        self.each(&mut |_| files += 1)?;
        Ok(files)
    }

    /// Tells the length of each file.
    fn each(&self, tell: &mut dyn FnMut(u64)) -> io::Result<()> {
        let mut missing = 0;
        for path in &self.0 {
            match std::fs::metadata(path) {
                Ok(found) if found.is_dir() => lengths(path, tell)?,
                Ok(found) => tell(found.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing += 1,
                Err(error) => return Err(error),
            }
        }
        if missing == self.0.len() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is none of {:?}", self.0),
            ));
        }
        Ok(())
    }
}

fn lengths(directory: &Path, tell: &mut dyn FnMut(u64)) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            lengths(&entry.path(), tell)?;
        } else {
            tell(entry.metadata()?.len());
        }
    }
    Ok(())
}
