//! Running migrations, there and back.

use serde::Serialize;
use storage_core::{Error, ErrorKind, Result};

use super::Migrations;
use super::check;
use super::documents::Way;
use super::migration::{Definition, Job};
use super::state::{Record, Stage};
use super::step::StepError;
use super::turn::{Documents, Turn, while_kept};
use crate::collections::backup::{Backups, Scope};
use crate::collections::schema::{SchemaVersion, parse_version};

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The versions that were applied, in order.
    pub applied: Vec<SchemaVersion>,
    /// The versions that were rolled back, in order.
    pub rolled_back: Vec<SchemaVersion>,
    /// The backup that was made before, if there was anything to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// Where a run is to end.
enum Goal {
    /// Everything up to this version is applied, or everything.
    Up(Option<SchemaVersion>),
    /// Nothing after this version is applied.
    Down(SchemaVersion),
}

impl Migrations {
    /// Applies every registered migration that is not applied, in order. One migrator works at a time: another one waits, and finds
    /// nothing left to do. What a crash cut short is finished first.
    ///
    /// A step that fails ends the run: its message is recorded, later migrations do not run, and the backup is restored where there is
    /// one. Where the medium fails, what was done stays, and the next call goes on from there.
    ///
    /// # Errors
    /// Before any effect, `PreconditionFailed` for an applied migration whose steps were changed, and for one registered below the
    /// current version that was never applied; `FormatTooNew` for applied migrations that are not registered; `Timeout` where
    /// another migrator is at work for too long. What a step fails with, with the context `migration`; `LeaseLost`; those of the
    /// medium.
    pub async fn migrate(&self) -> Result<MigrationReport> {
        self.pursue(Goal::Up(None)).await
    }

    /// Applies every migration up to this version.
    ///
    /// # Errors
    /// `NotFound` for a version that is not registered; `InvalidArgument` for one below the current version: see
    /// [`rollback_to`](Self::rollback_to); as [`migrate`](Self::migrate).
    pub async fn migrate_to(&self, version: &str) -> Result<MigrationReport> {
        let target = parse_version(version)?;
        if self.definitions.get(&target).is_none() {
            return Err(check::unknown(&target, &self.definitions));
        }
        self.pursue(Goal::Up(Some(target))).await
    }

    /// Rolls back every migration above this version, the highest first; `0.0.0` rolls back all.
    ///
    /// Nothing is rolled back unless all of them can be: each has to be registered as it was applied, and to support it.
    ///
    /// # Errors
    /// `Unsupported` naming a migration without a way back; `FormatTooNew` for one that is not registered; as
    /// [`migrate`](Self::migrate).
    pub async fn rollback_to(&self, version: &str) -> Result<MigrationReport> {
        self.pursue(Goal::Down(parse_version(version)?)).await
    }

    async fn pursue(&self, goal: Goal) -> Result<MigrationReport> {
        let (mut turn, mut keep) = Turn::take(&self.storage, &self.options).await?;
        let done = while_kept(&mut keep, self.go(&mut turn, goal)).await;
        turn.end().await;
        done.map_err(|error| {
            let backend = self.storage.declaration().backend.clone();
            error.with_operation("migrate").with_backend(backend)
        })
    }

    async fn go(&self, turn: &mut Turn, goal: Goal) -> Result<MigrationReport> {
        let backups = self.backups();
        if turn.state().restore.is_some() {
            backups.finish_restore(turn).await?;
        }
        let mut report = MigrationReport::default();
        let (down, up) = self.work(turn, &goal)?;
        if down.is_empty() && up.is_empty() {
            return Ok(report);
        }
        if self.options.backup {
            let steps = down
                .iter()
                .flat_map(|definition| definition.down.iter().flatten());
            let mut steps = steps.chain(up.iter().flat_map(|definition| &definition.up));
            // Steps of the application's own may do anything; all others change documents.
            let scope = if steps.any(|job| matches!(job, Job::Run { .. })) {
                Scope::Everything
            } else {
                Scope::Documents
            };
            report.backup = Some(backups.create_within(turn, None, "backup", scope).await?);
        }
        for definition in down {
            match self.roll_back(turn, definition).await {
                Ok(()) => report.rolled_back.push(definition.version.clone()),
                Err(error) => return Err(self.failed(turn, &backups, definition, &report, error).await),
            }
        }
        for definition in &up {
            match self.apply(turn, definition).await {
                Ok(()) => report.applied.push(definition.version.clone()),
                Err(error) => return Err(self.failed(turn, &backups, definition, &report, error).await),
            }
        }
        if let Some(last) = up.last()
            && let Err(error) = self.post_check().await
        {
            return Err(self.failed(turn, &backups, last, &report, error).await);
        }
        Ok(report)
    }

    /// What there is to do, or why nothing may be done: first what is rolled back, then what is applied.
    fn work(&self, turn: &Turn, goal: &Goal) -> Result<(Vec<&Definition>, Vec<&Definition>)> {
        let state = turn.state();
        match goal {
            Goal::Down(target) => Ok((check::down(state, &self.definitions, target)?, Vec::new())),
            Goal::Up(target) => {
                let interrupted = check::interrupted(state, &self.definitions)?;
                Ok((interrupted, check::up(state, &self.definitions, target.as_ref())?))
            }
        }
    }

    async fn apply(&self, turn: &mut Turn, definition: &Definition) -> Result<()> {
        let version = &definition.version;
        turn.record(|state| state.set(definition, Stage::Running, None))
            .await?;
        for job in &definition.up {
            self.job(turn, version, job, Way::Up).await?;
        }
        let now = self.storage.now();
        turn.record(|state| state.set(definition, Stage::Applied, Some(now)))
            .await
    }

    async fn roll_back(&self, turn: &mut Turn, definition: &Definition) -> Result<()> {
        let version = &definition.version;
        turn.record(|state| state.set(definition, Stage::RollingBack, None))
            .await?;
        for job in definition.down.iter().flatten() {
            self.job(turn, version, job, Way::Down).await?;
        }
        turn.record(|state| state.forget(version)).await
    }

    async fn job(&self, turn: &mut Turn, version: &SchemaVersion, job: &Job, way: Way) -> Result<()> {
        turn.check_held()?;
        match job {
            Job::Documents { collection, .. } => self.documents(turn, version, collection, way).await,
            Job::PutBack { collection } => self.put_back(turn, version, collection).await,
            Job::AddIndex { collection, index } => {
                let documents: Documents = self.storage.collection(collection);
                documents.ensure_index(index.clone()).await.map(|_| ())
            }
            Job::DropIndex { collection, index } => {
                let documents: Documents = self.storage.collection(collection);
                documents.drop_index(&index.name).await.map(|_| ())
            }
            Job::Run { name, work } => Job::run(work, &self.storage)
                .await
                .map_err(|error| own(&format!("step {name:?}"), error)),
        }
    }

    async fn post_check(&self) -> Result<()> {
        match &self.options.post_check {
            Some(check) => check(self.storage.clone())
                .await
                .map_err(|error| own("the check after the migrations", error)),
            None => Ok(()),
        }
    }

    /// Records a failure, and undoes the run where it was not the medium that failed and there is a backup. Gives the error, with
    /// what could not be done about it.
    async fn failed(
        &self,
        turn: &mut Turn,
        backups: &Backups,
        definition: &Definition,
        report: &MigrationReport,
        error: Error,
    ) -> Error {
        let message = error.to_string();
        let error = match error.context_value("migration") {
            Some(_) => error,
            None => error.with_context("migration", definition.version.to_string()),
        };
        let rolling_back = turn
            .state()
            .record(&definition.version)
            .is_some_and(|record| record.state == Stage::RollingBack);
        if error.kind() == ErrorKind::LeaseLost {
            return error;
        }
        match &report.backup {
            Some(backup) if is_the_steps_own(&error) => {
                let failed = (!rolling_back).then(|| failure(definition, message, true));
                match backups.restore_within(turn, backup, failed).await {
                    Ok(_) => error.with_context("restored", backup),
                    Err(why) => error
                        .with_context("not restored", format!("{backup}: failed to {why}"))
                        .with_context(
                            "what to do",
                            "run `storage migrate up` again, which finishes the restore",
                        ),
                }
            }
            _ if rolling_back => error,
            _ => {
                // Where this cannot be written either, the migration stays recorded as running, and is resumed all the same.
                let failure = failure(definition, message, false);
                let _ = turn.record(|state| state.put(failure)).await;
                error
            }
        }
    }
}

fn failure(definition: &Definition, message: String, undone: bool) -> Record {
    Record {
        version: definition.version.clone(),
        description: definition.description.clone(),
        checksum: definition.checksum.clone(),
        state: Stage::Failed,
        applied_at: None,
        error: Some(message),
        undone,
        progress: None,
    }
}

/// What code of one's own failed with: an error of the storage as it is, anything else by its text.
fn own(what: &str, error: StepError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error.with_context("step", what),
        Err(error) => Error::invalid_argument(format!("{what}: {error}")),
    }
}

/// Whether it is the migration that is wrong, so that what it did is undone; where the medium failed, a retry goes on instead.
fn is_the_steps_own(error: &Error) -> bool {
    error.applied() == storage_core::Applied::No
        && error.retry() == storage_core::Retry::Never
        && matches!(
            error.kind(),
            ErrorKind::AlreadyExists
                | ErrorKind::IndexRequired
                | ErrorKind::InvalidArgument
                | ErrorKind::InvalidName
                | ErrorKind::LimitExceeded
                | ErrorKind::LogClosed
                | ErrorKind::NotFound
                | ErrorKind::PreconditionFailed
                | ErrorKind::UniqueViolation
                | ErrorKind::Unsupported
        )
}
