//! How things stand, as data, and what a run would do.

use std::collections::BTreeMap;

use serde::Serialize;
use storage_core::value::{Style, write_document};
use storage_core::{Query, Result, Timestamp};

use super::Migrations;
use super::check;
use super::documents::raw;
use super::migration::{Definition, Job};
use super::state::{Record, Stage, State};
use super::turn::{Documents, read_state};
use crate::collections::schema::{SchemaVersion, parse_version, raw_stamp};

/// How the migrations stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// The highest version that is applied; `None` before the first.
    pub current: Option<SchemaVersion>,
    /// Every migration that is registered or recorded, by version.
    pub migrations: Vec<MigrationInfo>,
    /// The backup whose restore was begun and not finished. The next run, or restore, does that first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restoring: Option<String>,
}

/// How one migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationInfo {
    /// Its version.
    pub version: SchemaVersion,
    /// What it is for.
    pub description: String,
    /// How it stands.
    #[serde(flatten)]
    pub state: MigrationState,
    /// When it was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// Whether this program knows it.
    pub registered: bool,
}

/// How a migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MigrationState {
    /// It is done.
    Applied,
    /// Its last run failed.
    Failed {
        /// Why.
        message: String,
    },
    /// It was not begun.
    Pending,
    /// It was begun: somebody is at it, or was until a crash.
    Running(Share),
    /// Going back from it was begun.
    RollingBack(Share),
}

/// How far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// The collection last at work on; `None` before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Its documents that were looked at.
    pub done: u64,
    /// Its documents.
    pub total: u64,
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationPlan {
    /// In the order they would be run.
    pub migrations: Vec<PlannedMigration>,
}

/// What a run would do for one migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedMigration {
    /// Its version.
    pub version: SchemaVersion,
    /// What it is for.
    pub description: String,
    /// What is done, in order.
    pub steps: Vec<PlannedStep>,
}

/// What one step would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedStep {
    /// The step as JSON, as a file of migrations has it.
    pub step: String,
    /// How many documents it would be done to; `None` where it is not about documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
}

/// How many documents there are of each stamp.
type Stamps = BTreeMap<Option<SchemaVersion>, u64>;

impl Migrations {
    /// How every migration stands. Reads one document.
    ///
    /// # Errors
    /// `Corrupt` for a damaged state; those of the medium.
    pub async fn status(&self) -> Result<MigrationStatus> {
        let (state, _) = read_state(&self.storage).await?;
        let mut migrations: BTreeMap<SchemaVersion, MigrationInfo> = BTreeMap::new();
        for definition in self.definitions.iter() {
            let info = MigrationInfo {
                version: definition.version.clone(),
                description: definition.description.clone(),
                state: MigrationState::Pending,
                applied_at: None,
                registered: true,
            };
            migrations.insert(definition.version.clone(), info);
        }
        for record in &state.migrations {
            let info = MigrationInfo {
                version: record.version.clone(),
                description: record.description.clone(),
                state: stands(record),
                applied_at: record.applied_at,
                registered: self.definitions.get(&record.version).is_some(),
            };
            migrations.insert(record.version.clone(), info);
        }
        Ok(MigrationStatus {
            current: state.current().cloned(),
            migrations: migrations.into_values().collect(),
            restoring: state.restore.map(|restore| restore.backup),
        })
    }

    /// What [`migrate`](Self::migrate) would do now, and to how many documents. Reads every document concerned and writes nothing.
    ///
    /// # Errors
    /// What `migrate` refuses before any effect; those of the medium.
    pub async fn plan(&self) -> Result<MigrationPlan> {
        let (state, _) = read_state(&self.storage).await?;
        let pending = check::up(&state, &self.definitions, None)?;
        self.planned(pending, |stamps, version| {
            let lacking = stamps
                .iter()
                .filter(|(stamp, _)| stamp.as_ref().is_none_or(|stamp| stamp < version));
            lacking.map(|(_, documents)| documents).sum()
        })
        .await
    }

    /// What [`migrate_to`](Self::migrate_to) a version would do now, or [`rollback_to`](Self::rollback_to) where that is below the
    /// current one.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub async fn plan_to(&self, version: &str) -> Result<MigrationPlan> {
        let target = parse_version(version)?;
        let (state, _) = read_state(&self.storage).await?;
        if state.current().is_some_and(|current| target < *current) {
            let back = check::down(&state, &self.definitions, &target)?;
            return self
                .planned(back, |stamps, version| {
                    stamps
                        .range(Some(version.clone())..)
                        .map(|(_, documents)| documents)
                        .sum()
                })
                .await;
        }
        let mut plan = self.plan().await?;
        plan.migrations.retain(|planned| planned.version <= target);
        Ok(plan)
    }

    /// How many documents of each collection lack a migration that is registered: what [`upgrade`](Self::upgrade) would have to do
    /// when they are read, or [`migrate`](Self::migrate) at once. Reads every document.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn remaining(&self) -> Result<BTreeMap<String, u64>> {
        let mut remaining = BTreeMap::new();
        for definition in self.definitions.iter() {
            for collection in definition.collections() {
                if remaining.contains_key(collection) {
                    continue;
                }
                let Some(latest) = self.definitions.latest(collection) else {
                    continue;
                };
                let stamps = self.stamps(collection).await?;
                let lacking = stamps
                    .iter()
                    .filter(|(stamp, _)| self.definitions.lacks(collection, stamp.as_ref(), latest));
                remaining.insert(
                    collection.to_owned(),
                    lacking.map(|(_, documents)| documents).sum(),
                );
            }
        }
        Ok(remaining)
    }

    async fn planned(
        &self,
        definitions: Vec<&Definition>,
        concerned: impl Fn(&Stamps, &SchemaVersion) -> u64 + Send + Sync,
    ) -> Result<MigrationPlan> {
        let (state, _) = read_state(&self.storage).await?;
        let mut known: BTreeMap<&str, Stamps> = BTreeMap::new();
        let mut migrations = Vec::new();
        for definition in definitions {
            for collection in definition.collections() {
                if !known.contains_key(collection) {
                    known.insert(collection, self.stamps(collection).await?);
                }
            }
            let back = goes_back(&state, definition);
            let jobs = if back {
                definition.down.as_deref().unwrap_or(&[])
            } else {
                &definition.up
            };
            let mut steps = Vec::new();
            for job in jobs {
                let documents = match job {
                    Job::Documents { collection, .. } => known
                        .get(collection.as_str())
                        .map(|stamps| concerned(stamps, &definition.version)),
                    _ => None,
                };
                for step in job.describe()? {
                    let step = write_document(&raw(&step)?, Style::Compact)?;
                    steps.push(PlannedStep { step, documents });
                }
            }
            migrations.push(PlannedMigration {
                version: definition.version.clone(),
                description: definition.description.clone(),
                steps,
            });
        }
        Ok(MigrationPlan { migrations })
    }

    async fn stamps(&self, collection: &str) -> Result<Stamps> {
        let documents: Documents = self.storage.collection(collection);
        let mut stamps = Stamps::new();
        let mut found = documents.find(Query::all()).await?;
        while let Some(document) = found.next().await? {
            let stamp = raw_stamp(&document.value)
                .map_err(|error| error.with_key(format!("{collection}/{}", document.id)))?;
            *stamps.entry(stamp).or_default() += 1;
        }
        Ok(stamps)
    }
}

fn goes_back(state: &State, definition: &Definition) -> bool {
    state
        .record(&definition.version)
        .is_some_and(|record| matches!(record.state, Stage::Applied | Stage::RollingBack))
}

fn stands(record: &Record) -> MigrationState {
    let share = || match &record.progress {
        Some(counted) => Share {
            collection: Some(counted.collection.clone()),
            done: counted.done,
            total: counted.total,
        },
        None => Share::default(),
    };
    match record.state {
        Stage::Applied => MigrationState::Applied,
        Stage::Failed => MigrationState::Failed {
            message: record.error.clone().unwrap_or_default(),
        },
        Stage::Running => MigrationState::Running(share()),
        Stage::RollingBack => MigrationState::RollingBack(share()),
    }
}
