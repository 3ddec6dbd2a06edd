//! [`ChunkOptions`]: how a store of chunks behaves, and the variables of the environment that say so.

use std::time::Duration;

use storage_core::{Error, Result};

/// How a [`ChunkStore`](super::ChunkStore) behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkOptions {
    pub(super) max_items_per_session: u64,
    pub(super) max_items_to_send: u64,
    pub(super) cleanup_interval: Duration,
    pub(super) upload_age: Duration,
    pub(super) max_items_per_cleanup: u64,
    pub(super) max_session_bytes: Option<u64>,
    pub(super) max_total_bytes: Option<u64>,
    pub(super) max_chunk_bytes: Option<u64>,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkOptions {
    /// The defaults, each named at its setter.
    pub const fn new() -> Self {
        Self {
            max_items_per_session: 20,
            max_items_to_send: 5,
            cleanup_interval: Duration::from_secs(3600),
            upload_age: Duration::from_secs(24 * 3600),
            max_items_per_cleanup: 1000,
            max_session_bytes: None,
            max_total_bytes: None,
            max_chunk_bytes: None,
        }
    }

    /// The defaults, with what the environment says: `MAX_ITEMS_PER_SESSION`, `MAX_ITEMS_TO_SEND` and `CLEANUP_INTERVAL`, in
    /// milliseconds. Each is a whole number greater than 0.
    ///
    /// # Errors
    /// `InvalidArgument` naming the variable and its value when it is anything else, empty included.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Error::invalid_argument(format!("{name} is not UTF-8")))
            }
        })
    }

    /// The same, from variables that are looked up here.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(variable: impl Fn(&'static str) -> Result<Option<String>>) -> Result<Self> {
        let mut options = Self::new();
        if let Some(items) = positive(&variable, "MAX_ITEMS_PER_SESSION")? {
            options.max_items_per_session = items;
        }
        if let Some(items) = positive(&variable, "MAX_ITEMS_TO_SEND")? {
            options.max_items_to_send = items;
        }
        if let Some(milliseconds) = positive(&variable, "CLEANUP_INTERVAL")? {
            options.cleanup_interval = Duration::from_millis(milliseconds);
        }
        Ok(options)
    }

    /// How many unpinned complete items of a session a [cleanup](super::ChunkStore::cleanup) keeps; 20 by default.
    #[must_use]
    pub const fn max_items_per_session(mut self, items: u64) -> Self {
        self.max_items_per_session = items;
        self
    }

    /// How many items a [newcomer](super::ChunkStore::newest) is sent; 5 by default.
    #[must_use]
    pub const fn max_items_to_send(mut self, items: u64) -> Self {
        self.max_items_to_send = items;
        self
    }

    /// How long the store waits between two cleanups of its own; an hour by default, and never when it is zero.
    #[must_use]
    pub const fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.cleanup_interval = interval;
        self
    }

    /// How long an upload may rest before a cleanup removes it, and how old an object that no record names must be before a
    /// [repair](super::ChunkStore::repair) does; 24 hours by default.
    #[must_use]
    pub const fn upload_age(mut self, age: Duration) -> Self {
        self.upload_age = age;
        self
    }

    /// The most items one cleanup removes; 1,000 by default. The next goes on where it ended.
    #[must_use]
    pub const fn max_items_per_cleanup(mut self, items: u64) -> Self {
        self.max_items_per_cleanup = items;
        self
    }

    /// The most bytes of a session; unlimited by default. An upload under way counts from its first chunk on: with the bytes that were
    /// announced for it, or with as many as if each of its chunks were as large as the largest so far, whichever is more.
    #[must_use]
    pub const fn max_session_bytes(mut self, bytes: u64) -> Self {
        self.max_session_bytes = Some(bytes);
        self
    }

    /// The most bytes of all sessions together, counted as for one; unlimited by default. Every process has to open the store with a
    /// limit, or none: those without one do not count what they save. What an upload reserved whose sender crashed at that moment
    /// counts until the next [cleanup](super::ChunkStore::cleanup).
    #[must_use]
    pub const fn max_total_bytes(mut self, bytes: u64) -> Self {
        self.max_total_bytes = Some(bytes);
        self
    }

    /// The most bytes of one chunk; by default as much as the backend takes for an object.
    #[must_use]
    pub const fn max_chunk_bytes(mut self, bytes: u64) -> Self {
        self.max_chunk_bytes = Some(bytes);
        self
    }
}

fn positive(
    variable: &impl Fn(&'static str) -> Result<Option<String>>,
    name: &'static str,
) -> Result<Option<u64>> {
    let Some(value) = variable(name)? else {
        return Ok(None);
    };
    match value.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => {
            let message = format!("{name} must be a whole number greater than 0, and is {value:?}");
            Err(Error::invalid_argument(message).with_context("variable", name))
        }
    }
}
