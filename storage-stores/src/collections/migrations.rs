//! [`Migrations`]: data that keeps up with the program.

mod change;
mod check;
mod declared;
mod definitions;
mod documents;
mod migration;
mod options;
mod run;
pub(super) mod state;
mod status;
mod step;
pub(super) mod turn;
pub(super) mod write;

use storage_core::bson::Document;
use storage_core::{Error, ErrorKind, Result, Storage};

use self::definitions::{Definitions, Outcome};
pub use self::migration::Migration;
pub use self::options::{MigrationOptions, Progress, Task};
pub use self::run::MigrationReport;
pub use self::status::{
    MigrationInfo, MigrationPlan, MigrationState, MigrationStatus, PlannedMigration, PlannedStep, Share,
};
pub use self::step::{Step, StepError};
use super::backup::{BackupInfo, Backups, RestoreReport};
use super::schema::{SchemaVersion, stamp};

/// The migrations of a program, on a [`Storage`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let storage = storage_core::Storage::new(storage_core::Memory::new());
/// use storage_core::bson::{Document, doc};
/// use storage_stores::collections::{Migration, Migrations, Step};
///
/// let users = storage.collection::<Document>("users");
/// users.put("ada", &doc! { "name": "Ada" }).await?;
///
/// let mut migrations = Migrations::new(storage);
/// migrations.register(Migration::new("1.1.0", "users have a role").up(Step::add_field("users", "role", "member")))?;
/// migrations.migrate().await?;
/// let ada = users.get("ada").await?.expect("she is there").value;
/// assert_eq!(ada, doc! { "name": "Ada", "role": "member", "_schema": "1.1.0" });
///
/// migrations.rollback_to("0.0.0").await?;
/// assert_eq!(users.get("ada").await?.expect("she is there").value, doc! { "name": "Ada" });
/// # Ok(()) }
/// ```
///
/// # What is stored
///
/// | where | what |
/// |---|---|
/// | field [`_schema`](super::SCHEMA_FIELD) of a document | the last migration that was applied to it |
/// | collection `migrations`, document `state` | every migration that was begun, and how it stands |
/// | collection `migrations.removed` | what filters removed |
/// | objects `backups/<name>/…` | [backups](Backups) |
/// | lease `migrations` | who is at work |
///
/// Dropping a future of any method, and a crash at any point, leaves nothing that the next call does not finish. Others may read and
/// write meanwhile: each document is replaced only as it was read. A program that writes whole documents without their stamp gives up
/// what migrations did to them: they count as older than every migration again.
#[derive(Debug, Clone)]
pub struct Migrations {
    storage: Storage,
    options: MigrationOptions,
    definitions: Definitions,
}

impl Migrations {
    /// No migrations yet, with the default options.
    pub fn new(storage: Storage) -> Self {
        Self::with_options(storage, MigrationOptions::new())
    }

    /// No migrations yet.
    pub fn with_options(storage: Storage, options: MigrationOptions) -> Self {
        Self {
            storage,
            options,
            definitions: Definitions::default(),
        }
    }

    /// Adds a migration. The order does not matter: they run in the order of their versions.
    ///
    /// # Errors
    /// `AlreadyExists` for a version that is registered; `InvalidArgument` for a version that is none, and for steps that cannot be.
    pub fn register(&mut self, migration: Migration) -> Result<&mut Self> {
        self.definitions
            .add(migration)
            .map_err(|error| error.with_operation("register migration"))?;
        Ok(self)
    }

    /// The storage underneath.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The backups of this storage, with the same options.
    pub fn backups(&self) -> Backups {
        Backups::with_options(self.storage.clone(), self.options.clone())
    }

    /// Makes a backup, named after the time where no name is given.
    ///
    /// # Errors
    /// As [`Backups::create`].
    pub async fn backup(&self, name: Option<&str>) -> Result<BackupInfo> {
        self.backups().create(name).await
    }

    /// Makes everything as it is in a backup.
    ///
    /// # Errors
    /// As [`Backups::restore`].
    pub async fn restore(&self, name: &str) -> Result<RestoreReport> {
        self.backups().restore(name).await
    }

    /// A document with every registered migration that it lacks, in memory: for migrating when documents are read. `None` where a
    /// filter removes it; that is left to [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// `FormatTooNew` for a document that a later program migrated; `InvalidArgument` for one that a step cannot change.
    pub fn upgrade(&self, collection: &str, document: Document) -> Result<Option<Document>> {
        let Some(latest) = self.definitions.latest(collection) else {
            return Ok(Some(document));
        };
        let named = |error: Error| {
            error
                .with_operation("migrate document of collection")
                .with_key(collection)
        };
        if let Some(stamp) = stamp(&document).map_err(named)?
            && stamp > *latest
        {
            let message = format!(
                "it was migrated to version {stamp}, and this program knows migrations of the collection up to {latest}; use a newer one"
            );
            return Err(named(Error::new(ErrorKind::FormatTooNew, message)));
        }
        let outcome = self
            .definitions
            .upgraded(collection, &document, latest)
            .map_err(named)?;
        Ok(match outcome {
            Outcome::Kept => Some(document),
            Outcome::Changed(changed) => Some(changed),
            Outcome::Removed(_) => None,
        })
    }

    /// The stamp a new document of this collection is given; `None` where no migration changes its documents.
    pub fn latest(&self, collection: &str) -> Option<SchemaVersion> {
        self.definitions.latest(collection).cloned()
    }
}
