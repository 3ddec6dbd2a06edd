//! [`MigrationOptions`] and [`Progress`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use storage_core::Storage;

use super::step::StepError;
use crate::collections::schema::SchemaVersion;

type PostCheck = Arc<dyn Fn(Storage) -> BoxFuture<'static, Result<(), StepError>> + Send + Sync>;
type Listener = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How [`Migrations`](super::Migrations) and [`Backups`](crate::collections::Backups) behave.
#[derive(Clone)]
#[non_exhaustive]
pub struct MigrationOptions {
    pub(crate) backup: bool,
    pub(crate) post_check: Option<PostCheck>,
    pub(crate) listener: Option<Listener>,
    pub(crate) lease_ttl: Duration,
    pub(crate) wait: Duration,
}

/// How far a long piece of work has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub task: Task,
    /// On which collection; `(objects)` and `(logs)` stand for all objects and all logs.
    pub collection: String,
    /// Documents, objects or logs that were looked at.
    pub done: u64,
    /// How many there were when it began.
    pub total: u64,
}

/// What takes long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Task {
    /// Migrating to this version.
    Migrate(SchemaVersion),
    /// Going back from this version.
    RollBack(SchemaVersion),
    /// Writing the backup of this name.
    BackUp(String),
    /// Making everything as it is in the backup of this name.
    Restore(String),
}

impl MigrationOptions {
    /// A backup before each run; no check after it; a lease of 30 s, waited for up to 2 minutes.
    pub fn new() -> Self {
        Self {
            backup: true,
            post_check: None,
            listener: None,
            lease_ttl: Duration::from_secs(30),
            wait: Duration::from_secs(120),
        }
    }

    /// Whether each run begins with a backup, which is restored where a step or the check after the run fails. On by default.
    ///
    /// What others write while a run goes on is undone with it; it is in the backup that every restore makes first.
    #[must_use]
    pub const fn backup(mut self, backup: bool) -> Self {
        self.backup = backup;
        self
    }

    /// Looks at the storage after the last migration of a run. When it fails, the run has failed.
    #[must_use]
    pub fn post_check<F>(mut self, check: impl Fn(Storage) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), StepError>> + Send + 'static,
    {
        self.post_check = Some(Arc::new(move |storage| check(storage).boxed()));
        self
    }

    /// Is told how far the work has come, after every few hundred documents.
    #[must_use]
    pub fn progress(mut self, listener: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// How long a migrator that is gone keeps others out; 30 s by default. 10 ms to 7 days. It is renewed while there is work.
    #[must_use]
    pub const fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = ttl;
        self
    }

    /// How long to wait for another migrator before giving up with `Timeout`; 2 minutes by default. Less than the
    /// [lease's time to live](Self::lease_ttl), and one that is gone is never waited out.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    pub(crate) fn tell(&self, task: &Task, collection: &str, done: u64, total: u64) {
        if let Some(listener) = &self.listener {
            listener(&Progress {
                task: task.clone(),
                collection: collection.to_owned(),
                done,
                total,
            });
        }
    }
}

impl Default for MigrationOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MigrationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MigrationOptions")
            .field("backup", &self.backup)
            .field("post_check", &self.post_check.is_some())
            .field("progress", &self.listener.is_some())
            .field("lease_ttl", &self.lease_ttl)
            .field("wait", &self.wait)
            .finish()
    }
}
