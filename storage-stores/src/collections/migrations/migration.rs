//! [`Migration`]: a version, and how to get there and back.

use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::value::{FieldPath, Style, canonical, write_document};
use storage_core::{Error, Index, Result, Storage};

use super::change::Change;
use super::step::{Kind, Step, StepError, Work};
use crate::collections::schema::{SCHEMA_FIELD, SchemaVersion, parse_version};

/// How data of one version becomes data of the next, and back.
///
/// ```
/// use storage_stores::collections::{Migration, Step};
/// let migration = Migration::new("1.1.0", "users have a role")
///     .up(Step::add_field("users", "role", "member"))
///     .up(Step::rename_field("users", "mail", "email"));
/// ```
///
/// All changes of the documents of one collection are made of each document in one write, at the place of the first of them; a step
/// about the same collection's indexes, or of one's own, may stand before or after them, not in between.
#[derive(Debug, Clone)]
pub struct Migration {
    version: String,
    description: String,
    up: Vec<Step>,
    down: Vec<Step>,
}

/// A migration that was checked.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) version: SchemaVersion,
    pub(super) description: String,
    /// BLAKE3 over the version and what it does.
    pub(super) checksum: String,
    pub(super) up: Vec<Job>,
    /// `None` where there is no way back.
    pub(super) down: Option<Vec<Job>>,
}

/// A part of a migration that is done as one.
#[derive(Clone)]
pub(super) enum Job {
    /// These changes to each document of the collection, in one write.
    Documents {
        collection: String,
        changes: Vec<Change>,
    },
    AddIndex {
        collection: String,
        index: Index,
    },
    DropIndex {
        collection: String,
        index: Index,
    },
    PutBack {
        collection: String,
    },
    Run {
        name: String,
        work: Work,
    },
}

impl Migration {
    /// The migration to this version, such as `1.2.0`. What cannot be is refused when it is registered.
    pub fn new(version: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            description: description.into(),
            up: Vec::new(),
            down: Vec::new(),
        }
    }

    /// Then do this.
    #[must_use]
    pub fn up(mut self, step: Step) -> Self {
        self.up.push(step);
        self
    }

    /// Then do this to go back. Without any, going back is the inverses of the steps in reverse order, where each has one.
    #[must_use]
    pub fn down(mut self, step: Step) -> Self {
        self.down.push(step);
        self
    }

    /// Its version as given.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn check(self) -> Result<Definition> {
        let version = parse_version(&self.version)?;
        let refuse = |problem: String| Error::invalid_argument(format!("migration {version}: {problem}"));
        for step in self.up.iter().chain(&self.down) {
            check_step(step).map_err(refuse)?;
        }
        let up = jobs(&self.up).map_err(refuse)?;
        let down = match self.down.is_empty() {
            false => Some(self.down.clone()),
            true => self.up.iter().rev().map(Step::inverse).collect(),
        };
        let down = down
            .map(|steps| way_back(&self.up, &steps))
            .transpose()
            .map_err(refuse)?;
        Ok(Definition {
            checksum: checksum(&version, &self.up)?,
            description: self.description,
            version,
            up,
            down,
        })
    }
}

impl Definition {
    /// What it does to the documents of a collection; `None` where it does not touch them.
    pub(super) fn changes(&self, collection: &str) -> Option<&[Change]> {
        changes(&self.up, collection)
    }

    /// What going back does to the documents of a collection.
    pub(super) fn changes_back(&self, collection: &str) -> Option<&[Change]> {
        changes(self.down.as_deref()?, collection)
    }

    /// The collections whose documents it touches.
    pub(super) fn collections(&self) -> impl Iterator<Item = &str> {
        self.up.iter().filter_map(|job| match job {
            Job::Documents { collection, .. } => Some(collection.as_str()),
            _ => None,
        })
    }
}

fn changes<'a>(jobs: &'a [Job], wanted: &str) -> Option<&'a [Change]> {
    jobs.iter().find_map(|job| match job {
        Job::Documents { collection, changes } if collection == wanted => Some(changes.as_slice()),
        _ => None,
    })
}

fn check_step(step: &Step) -> Result<(), String> {
    match &step.kind {
        Kind::Documents { change, .. } => {
            let stamped = |field: &FieldPath| field.segments() == [SCHEMA_FIELD];
            let touches = match change {
                Change::Add { field, .. } | Change::Drop { field } => stamped(field),
                Change::Rename { from, to } => stamped(from) || stamped(to),
                Change::Transform { .. } | Change::Filter { .. } => false,
            };
            if touches {
                return Err(format!(
                    "field {SCHEMA_FIELD} is the stamp that migrations keep themselves"
                ));
            }
            change.problem().map_or(Ok(()), Err)
        }
        Kind::AddIndex { index, .. } | Kind::DropIndex { index, .. } => {
            index.check().map_err(|error| error.message().to_owned())
        }
        Kind::PutBack { .. } | Kind::Run { .. } => Ok(()),
    }
}

/// The steps as jobs: what is done to one collection's documents becomes one.
fn jobs(steps: &[Step]) -> Result<Vec<Job>, String> {
    let mut jobs: Vec<Job> = Vec::new();
    for step in steps {
        let next = match step.kind.clone() {
            Kind::Documents { collection, change } => {
                let Some(at) = documents_of(&jobs, &collection) else {
                    let changes = vec![change];
                    jobs.push(Job::Documents { collection, changes });
                    continue;
                };
                if let Some(between) = jobs[at + 1..].iter().find(|job| job.parts(&collection)) {
                    return Err(format!(
                        "the documents of {collection:?} are changed before and after {between:?}; put what comes after it into a \
                         migration of its own"
                    ));
                }
                if let Job::Documents { changes, .. } = &mut jobs[at] {
                    changes.push(change);
                }
                continue;
            }
            Kind::AddIndex { collection, index } => Job::AddIndex { collection, index },
            Kind::DropIndex { collection, index } => Job::DropIndex { collection, index },
            Kind::PutBack { collection } => Job::PutBack { collection },
            Kind::Run { name, work } => Job::Run { name, work },
        };
        jobs.push(next);
    }
    Ok(jobs)
}

fn documents_of(jobs: &[Job], wanted: &str) -> Option<usize> {
    jobs.iter()
        .position(|job| matches!(job, Job::Documents { collection, .. } if collection == wanted))
}

/// The jobs of the way back. Every collection whose documents the way there stamps is stamped back, and gets back what filters removed.
fn way_back(up: &[Step], down: &[Step]) -> Result<Vec<Job>, String> {
    let mut jobs = jobs(down)?;
    let there = |wanted: &str| {
        up.iter()
            .any(|step| matches!(&step.kind, Kind::Documents { collection, .. } if collection == wanted))
    };
    for job in &jobs {
        if let Job::Documents { collection, .. } = job
            && !there(collection)
        {
            return Err(format!(
                "going back changes the documents of {collection:?}, which going there does not touch"
            ));
        }
    }
    let removes = down.iter().any(|step| {
        matches!(
            &step.kind,
            Kind::Documents {
                change: Change::Filter { .. },
                ..
            }
        )
    });
    if removes {
        return Err("going back cannot remove documents; let `up` of a further migration do that".to_owned());
    }
    for step in up {
        let Kind::Documents { collection, change } = &step.kind else {
            continue;
        };
        let collection = collection.clone();
        if documents_of(&jobs, &collection).is_none() {
            jobs.push(Job::Documents {
                collection: collection.clone(),
                changes: Vec::new(),
            });
        }
        let put_back = |job: &Job| matches!(job, Job::PutBack { collection: of } if *of == collection);
        if matches!(change, Change::Filter { .. }) && !jobs.iter().any(put_back) {
            jobs.push(Job::PutBack { collection });
        }
    }
    Ok(jobs)
}

impl Job {
    /// Whether it makes a difference to changes of this collection's documents whether they are made before or after it.
    fn parts(&self, wanted: &str) -> bool {
        match self {
            Self::Run { .. } => true,
            Self::AddIndex { collection, .. } | Self::DropIndex { collection, .. } => collection == wanted,
            // What was removed comes back as it was before any change.
            Self::Documents { .. } | Self::PutBack { .. } => false,
        }
    }

    /// Does the work of one's own.
    pub(super) async fn run(work: &Work, storage: &Storage) -> Result<(), StepError> {
        work(storage.clone()).await
    }

    /// The steps it is made of, as data.
    pub(super) fn describe(&self) -> Result<Vec<Document>> {
        let kind = match self.clone() {
            Self::Documents { collection, changes } => {
                return Ok(changes
                    .iter()
                    .map(|change| change.describe(&collection))
                    .collect());
            }
            Self::AddIndex { collection, index } => Kind::AddIndex { collection, index },
            Self::DropIndex { collection, index } => Kind::DropIndex { collection, index },
            Self::PutBack { collection } => Kind::PutBack { collection },
            Self::Run { name, work } => Kind::Run { name, work },
        };
        Ok(vec![kind.describe()?])
    }
}

/// One text for each migration: the version and the steps, functions by their names. The way back does not count, so that it can be
/// mended later.
fn checksum(version: &SchemaVersion, up: &[Step]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(version.to_string().as_bytes());
    for step in up {
        let step = RawDocumentBuf::try_from(&step.describe()?).map_err(|error| {
            Error::invalid_argument(format!("migration {version}: a step cannot be written down"))
                .with_source(error)
        })?;
        hasher.update(b"\n");
        hasher.update(write_document(&canonical(step)?, Style::Compact)?.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Documents { collection, .. } => write!(f, "the changes of the documents of {collection:?}"),
            Self::AddIndex { collection, index } => {
                write!(f, "making index {:?} of {collection:?}", index.name)
            }
            Self::DropIndex { collection, index } => {
                write!(f, "dropping index {:?} of {collection:?}", index.name)
            }
            Self::PutBack { collection } => write!(f, "putting back what was removed from {collection:?}"),
            Self::Run { name, .. } => write!(f, "step {name:?}"),
        }
    }
}
