//! `storage migrate`.

mod files;
pub(crate) mod progress;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use storage_core::Storage;
use storage_stores::collections::{
    MigrationOptions, MigrationPlan, MigrationState, Migrations, PlannedStep, SchemaVersion,
};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every migration and how it stands, one line of JSON each
    Status(Source),
    /// What `up` would do, or `down` to a version below the current one: one line of JSON a step; changes nothing
    Plan {
        #[command(flatten)]
        source: Source,
        /// The version to end at; the highest when not given
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// Apply what is not applied, in order, after a backup that is restored where a step fails
    Up {
        #[command(flatten)]
        source: Source,
        /// The version to end at; the highest when not given
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        safety: Safety,
    },
    /// Roll back the last one, or all above a version, after a backup that is restored where a step fails
    Down {
        #[command(flatten)]
        source: Source,
        /// The version to end at; 0.0.0 rolls back all
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        safety: Safety,
    },
}

/// Where migrations come from, beside those of this program.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The directory with a JSON file for each migration: version, description, up and, if need be, down; ./migrations when not given
    #[arg(long, value_name = "DIRECTORY")]
    from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Safety {
    /// Make no backup first; a run that fails is then not undone
    #[arg(long)]
    no_backup: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    version: &'a SchemaVersion,
    description: &'a str,
    #[serde(flatten)]
    step: &'a PlannedStep,
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        match self {
            Self::Status(source) => {
                session
                    .with_storage(async |storage| {
                        status(
                            &source.migrations(session, storage, MigrationOptions::new())?,
                            output,
                        )
                        .await
                    })
                    .await
            }
            Self::Plan { source, to } => {
                session
                    .with_storage(async |storage| {
                        let migrations = source.migrations(session, storage, MigrationOptions::new())?;
                        let plan = match to {
                            Some(version) => migrations.plan_to(&version).await?,
                            None => migrations.plan().await?,
                        };
                        print(&plan, output)
                    })
                    .await
            }
            Self::Up { source, to, safety } => {
                session
                    .with_storage(async |storage| {
                        let migrations = source.migrations(session, storage, safety.options())?;
                        let report = match to {
                            Some(version) => migrations.migrate_to(&version).await?,
                            None => migrations.migrate().await?,
                        };
                        output.json(&report)
                    })
                    .await
            }
            Self::Down { source, to, safety } => {
                session
                    .with_storage(async |storage| {
                        let migrations = source.migrations(session, storage, safety.options())?;
                        let to = match to {
                            Some(version) => version,
                            None => before_the_last(&migrations).await?,
                        };
                        output.json(&migrations.rollback_to(&to).await?)
                    })
                    .await
            }
        }
    }
}

impl Source {
    /// The migrations of this program and of the files.
    fn migrations(
        &self,
        session: &Session,
        storage: &Storage,
        options: MigrationOptions,
    ) -> Result<Migrations> {
        let mut migrations = Migrations::with_options(storage.clone(), options);
        for migration in session.migrations() {
            migrations.register(migration.clone())?;
        }
        for migration in files::read(self.from.as_deref())? {
            migrations.register(migration)?;
        }
        Ok(migrations)
    }
}

impl Safety {
    fn options(&self) -> MigrationOptions {
        progress::shown(MigrationOptions::new().backup(!self.no_backup))
    }
}

async fn status(migrations: &Migrations, output: &mut Output) -> Result<()> {
    let status = migrations.status().await?;
    for info in &status.migrations {
        output.json(info)?;
    }
    output.flush()?;
    if let Some(backup) = status.restoring {
        progress::say(&format!(
            "the restore of backup {backup:?} was begun and not finished; `storage migrate up` or `storage backup restore` does that first"
        ));
    }
    Ok(())
}

fn print(plan: &MigrationPlan, output: &mut Output) -> Result<()> {
    for planned in &plan.migrations {
        for step in &planned.steps {
            output.json(&Line {
                version: &planned.version,
                description: &planned.description,
                step,
            })?;
        }
    }
    output.flush()
}

/// The version below the last one that was begun.
async fn before_the_last(migrations: &Migrations) -> Result<String> {
    let status = migrations.status().await?;
    let mut begun = status
        .migrations
        .iter()
        .rev()
        .filter(|info| info.state != MigrationState::Pending)
        .map(|info| info.version.to_string());
    match begun.next() {
        Some(_) => Ok(begun.next().unwrap_or_else(|| "0.0.0".to_owned())),
        None => Err(Failure::NotFound(
            "migration to roll back: none is applied".to_owned(),
        )),
    }
}
