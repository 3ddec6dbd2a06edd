//! [`Retention`]: which versions are kept.

use std::time::Duration;

use storage_core::Result;

use super::Files;
use super::content::is_older;
use super::file::{File, FileRecord};

/// Which versions of a file are kept. The latest always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    newest: Option<usize>,
    max_age: Option<Duration>,
}

impl Retention {
    /// All of them.
    pub const fn new() -> Self {
        Self {
            newest: None,
            max_age: None,
        }
    }

    /// At most so many, the newest.
    #[must_use]
    pub const fn newest(mut self, versions: usize) -> Self {
        self.newest = Some(versions);
        self
    }

    /// None that was made longer ago.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }
}

impl Files {
    /// Removes the versions of a file that are not to be kept. Their contents go with the next [`collect`](Self::collect).
    ///
    /// # Errors
    /// `NotFound` when the project has no file of this id; those of the medium.
    pub async fn retain(&self, id: impl AsRef<str>, retention: Retention) -> Result<File> {
        let now = self.storage().now();
        let change = |record: &mut FileRecord| {
            let latest = record.versions.last().map_or(0, |latest| latest.n);
            let newest = retention.newest.unwrap_or(usize::MAX);
            let skipped = record.versions.len().saturating_sub(newest);
            let first = record.versions.get(skipped).map_or(latest, |first| first.n);
            record.keep(|version| {
                let too_old = retention
                    .max_age
                    .is_some_and(|age| is_older(version.at, now, age));
                version.n == latest || (version.n >= first && !too_old)
            });
            Ok(())
        };
        self.change("retain versions of file", id.as_ref(), change).await
    }
}
