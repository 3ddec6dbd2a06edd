//! [`SqliteConfig`]: which database, and how it is opened.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use storage_core::{Durability, Error, Result};

/// Which database to open, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteConfig {
    pub(crate) place: Place,
    pub(crate) durability: Durability,
    pub(crate) busy_timeout: Duration,
    pub(crate) read_connections: usize,
    pub(crate) page_cache_bytes: u64,
    pub(crate) staging_age: Duration,
}

/// Where the data is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Memory,
}

impl SqliteConfig {
    /// A database file, created when it is not there; its directory too, but not the directory above. `:memory:` means
    /// [`in_memory`](Self::in_memory).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let place = if path.as_os_str() == ":memory:" {
            Place::Memory
        } else {
            Place::File(path)
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            place,
            durability: Durability::PowerLoss,
            busy_timeout: Duration::from_secs(5),
            read_connections: cores.min(4),
            page_cache_bytes: 8 * 1024 * 1024,
            staging_age: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// A database in memory, gone with the handle. It has one connection, which readers and the writer share.
    pub fn in_memory() -> Self {
        Self::new(":memory:")
    }

    /// What an acknowledged write survives: `PowerLoss` (default) or `ProcessCrash`, which spares the flush to disk of every
    /// transaction. Without effect in memory.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long a write waits while another process holds the write lock before it fails with `Timeout`; 5 seconds by default.
    #[must_use]
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many connections serve short reads on the calling thread, and how many more serve long reads on threads of their own;
    /// by default the number of processors, at most 4. At least 1. Without effect in memory.
    #[must_use]
    pub const fn read_connections(mut self, connections: usize) -> Self {
        self.read_connections = connections;
        self
    }

    /// The most memory each connection uses to keep pages of the file, in bytes; 8 MiB by default.
    #[must_use]
    pub const fn page_cache_bytes(mut self, bytes: u64) -> Self {
        self.page_cache_bytes = bytes;
        self
    }

    /// How long a streamed write may rest before `sweep` takes it for one that a crash cut short; a day by default.
    #[must_use]
    pub const fn staging_age(mut self, age: Duration) -> Self {
        self.staging_age = age;
        self
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        if matches!(&self.place, Place::File(path) if path.as_os_str().is_empty()) {
            return Err(Error::invalid_argument(
                "the path of the database is empty; name a file, or use `:memory:`",
            ));
        }
        if self.read_connections == 0 {
            return Err(Error::invalid_argument(
                "read_connections is 0; at least one connection has to read",
            ));
        }
        if !matches!(self.durability, Durability::PowerLoss | Durability::ProcessCrash) {
            return Err(Error::invalid_argument(format!(
                "durability {:?} is not one a database file has; choose PowerLoss or ProcessCrash",
                self.durability
            )));
        }
        Ok(())
    }

    /// What is declared.
    pub(crate) const fn declared_durability(&self) -> Durability {
        match self.place {
            Place::Memory => Durability::Memory,
            Place::File(_) => self.durability,
        }
    }
}
