//! [`Facility`]: what a harness may offer beyond opening places, so that the suite gets at what no adapter shows.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage_core::StorageAdapter;

use crate::faulty::Faulty;

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
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct Failing {
    /// The adapter under test, on that medium.
    pub adapter: Arc<dyn StorageAdapter>,
    /// The medium, which knows whether it came to fail.
    pub medium: Arc<Faulty>,
}

/// The files in which a place is kept: what [`Harness::raw`](crate::Harness::raw) gives.
#[derive(Debug, Clone)]
pub struct RawFiles(PathBuf);

impl RawFiles {
    /// All files under a directory, which is not outside of the place.
    pub fn under(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// How many bytes they have together.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn bytes(&self) -> io::Result<u64> {
        size(&self.0)
    }

    /// How many there are.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn count(&self) -> io::Result<usize> {
        count(&self.0)
    }
}

fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

fn count(directory: &Path) -> io::Result<usize> {
    let mut files = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() {
            count(&entry.path())?
        } else {
            1
        };
    }
    Ok(files)
}
