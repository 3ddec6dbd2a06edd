//! Typed entities, their migrations, and files with versions: for applications that keep their model in a store.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! # let storage = storage_core::Storage::new(storage_core::Memory::new());
//! use serde::{Deserialize, Serialize};
//! use storage_core::Index;
//! use storage_stores::collections::{Entity, EntityStorage};
//!
//! #[derive(Serialize, Deserialize)]
//! struct User { name: String, email: String, age: u32 }
//!
//! impl Entity for User {
//!     const COLLECTION: &'static str = "users";
//!     fn indexes() -> Vec<Index> {
//!         vec![Index::hash("by_email", ["email"]).unique(), Index::btree("by_age", ["age"])]
//!     }
//! }
//!
//! let users = storage.entities::<User>();
//! let ada = users.create(User { name: "Ada".into(), email: "ada@example.org".into(), age: 36 }).await?;
//! users.update(&ada.id, |user| user.age += 1).await?;
//!
//! let found = users.find_one_by("by_email", "ada@example.org").await?.expect("she is there");
//! assert_eq!((found.age, found.created), (37, ada.created));
//! let adults = users.find_range("by_age", 18..).await?.collect().await?;
//! assert_eq!(adults.len(), 1);
//!
//! let files = storage.files("thesis");
//! let notes = files.create("notes.md", "# Notes", Default::default()).await?;
//! files.create_version(&notes.id, "# Notes\n\nMore of them.").await?;
//! files.revert_to(&notes.id, 1).await?;
//! # Ok(()) }
//! ```
//!
//! # What is stored
//!
//! | where | what |
//! |---|---|
//! | collection [`Entity::COLLECTION`] | a document per entity under its id: the fields of the type, `created` and `updated` in milliseconds, and `_schema` once a migration concerned it |
//! | collection `files` | a document per file of every project, with its chain of versions |
//! | objects `files/content/<hash>` | contents of versions, each once |
//! | lease `entities/<collection>/<id>` | who holds the lock of an entity |
//! | lease `files/collect` | who deletes contents that no version has any more |
//!
//! What migrations and backups store is said at [`Migrations`] and [`Backups`].
//!
//! # What it costs
//!
//! | | |
//! |---|---|
//! | an entity by id | one read by key; from the cache none |
//! | by an index | as many keys as there are results, found by [hash or B-tree](storage_core::Index); `explain` shows which |
//! | a range | the way down the tree, then the results in order |
//! | a write | one conditional write, with the indexes it changes |
//!
//! Where the place tells of changes, [`Entities::watch`] tells of those of one type.
//!
//! Nobody who writes waits for who reads. Of those who change one entity at once each is applied to what the one before it made.

mod backup;
mod by_index;
mod cache;
mod entities;
mod entity;
mod extension;
mod files;
mod find;
mod ids;
mod indexes;
mod lock;
mod migrations;
mod options;
mod read;
mod record;
mod schema;
mod update;
mod upgrade;
mod watch;
mod write;

pub use self::backup::{BackupInfo, BackupList, Backups, RestoreReport};
pub use self::cache::CacheStats;
pub use self::entities::Entities;
pub use self::entity::{Entity, Stored};
pub use self::extension::EntityStorage;
pub use self::files::{CollectReport, File, FileReader, FileVersion, Files, Retention};
pub use self::find::{EntityPage, FoundEntities};
pub use self::lock::EntityLock;
pub use self::migrations::{
    Migration, MigrationInfo, MigrationOptions, MigrationPlan, MigrationReport, MigrationState,
    MigrationStatus, Migrations, PlannedMigration, PlannedStep, Progress, Share, Step, StepError, Task,
};
pub use self::options::EntityOptions;
pub use self::schema::{SCHEMA_FIELD, SchemaVersion};
