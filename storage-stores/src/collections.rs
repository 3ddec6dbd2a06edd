//! Typed entities: for applications that keep their model in a store.

mod backup;
mod by_index;
mod cache;
mod entities;
mod entity;
mod extension;
mod find;
mod ids;
mod indexes;
mod keyed;
mod lock;
mod migrations;
mod options;
mod read;
mod record;
mod schema;
mod update;
mod write;

pub use self::backup::{BackupInfo, BackupList, Backups, RestoreReport};
pub use self::cache::CacheStats;
pub use self::entities::Entities;
pub use self::entity::{Entity, Stored};
pub use self::extension::EntityStorage;
pub use self::find::{EntityPage, FoundEntities};
pub use self::lock::EntityLock;
pub use self::migrations::{
    Migration, MigrationInfo, MigrationOptions, MigrationPlan, MigrationReport, MigrationState,
    MigrationStatus, Migrations, PlannedMigration, PlannedStep, Progress, Share, Step, StepError, Task,
};
pub use self::options::EntityOptions;
pub use self::schema::{SCHEMA_FIELD, SchemaVersion};
