//! The cases of `storage_stores::collections`.

mod backup_basics;
mod backup_contents;
mod backup_faults;
mod entity_basics;
mod entity_cache;
mod entity_crash;
mod entity_documents;
mod entity_index;
mod entity_lock;
mod entity_races;
mod entity_schema;
mod entity_upkeep;
mod file_paths;
mod file_races;
mod file_versions;
mod migration_basics;
mod migration_crash;
mod migration_failures;
mod migration_lazy;
mod migration_races;
mod migration_refusals;
mod migration_rollback;
mod migration_sample;
mod migration_steps;
mod sample;

use crate::suite::groups;

groups! { ($) collections_suite:
    backup_basics
    backup_contents
    backup_faults
    entity_basics
    entity_cache
    entity_crash
    entity_documents
    entity_index
    entity_lock
    entity_races
    entity_schema
    entity_upkeep
    file_races
    file_versions
    file_paths
    migration_basics
    migration_crash
    migration_failures
    migration_lazy
    migration_races
    migration_refusals
    migration_rollback
    migration_steps
}
