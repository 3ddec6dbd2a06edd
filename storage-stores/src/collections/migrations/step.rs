//! [`Step`]: one thing a migration does.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use storage_core::bson::{Bson, Document, doc, serialize_to_bson};
use storage_core::value::FieldPath;
use storage_core::{Error, Index, Result, Storage};

use super::change::{Change, Edit, Keep};

/// What a step of one's own fails with: anything that is an error, a text included.
pub type StepError = Box<dyn StdError + Send + Sync>;

pub(super) type Work = Arc<dyn Fn(Storage) -> BoxFuture<'static, Result<(), StepError>> + Send + Sync>;

/// One thing a migration does, to the documents of a collection, to an index, or by code of one's own.
#[derive(Clone)]
pub struct Step {
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// Changes each document of a collection.
    Documents {
        collection: String,
        change: Change,
    },
    AddIndex {
        collection: String,
        index: Index,
    },
    DropIndex {
        collection: String,
        index: Index,
    },
    /// Puts back what this migration's filters removed.
    PutBack {
        collection: String,
    },
    Run {
        name: String,
        work: Work,
    },
}

impl Step {
    /// Gives each document a field with this value, where it does not have it yet. A nested field is added where the document it
    /// belongs to is there.
    pub fn add_field(
        collection: impl Into<String>,
        field: impl Into<FieldPath>,
        value: impl Into<Bson>,
    ) -> Self {
        let (field, value) = (field.into(), value.into());
        Self::documents(collection, Change::Add { field, value })
    }

    /// Calls a field otherwise; documents that do not have it stay as they are. One that has a field of the new name already fails
    /// the migration. Nested fields keep the document they belong to.
    pub fn rename_field(
        collection: impl Into<String>,
        from: impl Into<FieldPath>,
        to: impl Into<FieldPath>,
    ) -> Self {
        let (from, to) = (from.into(), to.into());
        Self::documents(collection, Change::Rename { from, to })
    }

    /// Removes a field. What it held is gone, so this step has no [inverse](Self::inverse).
    pub fn drop_field(collection: impl Into<String>, field: impl Into<FieldPath>) -> Self {
        Self::documents(collection, Change::Drop { field: field.into() })
    }

    /// Makes of each document another one. `name` stands for the function where migrations are compared: give it a new one with
    /// every change of what the function does.
    pub fn transform(
        collection: impl Into<String>,
        name: impl Into<String>,
        edit: impl Fn(Document) -> Result<Document, String> + Send + Sync + 'static,
    ) -> Self {
        let edit = Edit(Arc::new(edit));
        let name = name.into();
        Self::documents(collection, Change::Transform { name, edit })
    }

    /// Removes the documents for which `keep` is false. They are kept in the collection `migrations.removed`, and a rollback puts
    /// them back. `name` stands for the function, as in [`transform`](Self::transform).
    pub fn filter(
        collection: impl Into<String>,
        name: impl Into<String>,
        keep: impl Fn(&Document) -> bool + Send + Sync + 'static,
    ) -> Self {
        let keep = Keep(Arc::new(keep));
        let name = name.into();
        Self::documents(collection, Change::Filter { name, keep })
    }

    /// Makes an index exist.
    pub fn add_index(collection: impl Into<String>, index: Index) -> Self {
        let collection = collection.into();
        Self::of(Kind::AddIndex { collection, index })
    }

    /// Drops an index. Its definition is given whole, so that a rollback can make it again.
    pub fn drop_index(collection: impl Into<String>, index: Index) -> Self {
        let collection = collection.into();
        Self::of(Kind::DropIndex { collection, index })
    }

    /// Does anything else. It must be idempotent: after a crash or a failure it is done again from its start. `name` stands for the
    /// function, as in [`transform`](Self::transform).
    pub fn run<F>(name: impl Into<String>, work: impl Fn(Storage) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), StepError>> + Send + 'static,
    {
        let name = name.into();
        let work: Work = Arc::new(move |storage| work(storage).boxed());
        Self::of(Kind::Run { name, work })
    }

    /// The step that undoes this one, where that can be told from the step alone: not for [`drop_field`](Self::drop_field),
    /// [`transform`](Self::transform) and [`run`](Self::run).
    pub fn inverse(&self) -> Option<Self> {
        Some(match self.kind.clone() {
            Kind::Documents { collection, change } => match change {
                Change::Add { field, .. } => Self::drop_field(collection, field),
                Change::Rename { from, to } => Self::rename_field(collection, to, from),
                Change::Filter { .. } => Self::of(Kind::PutBack { collection }),
                Change::Drop { .. } | Change::Transform { .. } => return None,
            },
            Kind::AddIndex { collection, index } => Self::drop_index(collection, index),
            Kind::DropIndex { collection, index } => Self::add_index(collection, index),
            Kind::PutBack { .. } | Kind::Run { .. } => return None,
        })
    }

    fn documents(collection: impl Into<String>, change: Change) -> Self {
        let collection = collection.into();
        Self::of(Kind::Documents { collection, change })
    }

    pub(super) const fn of(kind: Kind) -> Self {
        Self { kind }
    }

    /// What the step is, as data: the text of a checksum, and of a migration in a file. Functions count by their names.
    pub(super) fn describe(&self) -> Result<Document> {
        self.kind.describe()
    }
}

impl Kind {
    pub(super) fn describe(&self) -> Result<Document> {
        Ok(match self {
            Self::Documents { collection, change } => change.describe(collection),
            Self::AddIndex { collection, index } => {
                doc! { "add_index": { "collection": collection, "index": definition(index)? } }
            }
            Self::DropIndex { collection, index } => {
                doc! { "drop_index": { "collection": collection, "index": definition(index)? } }
            }
            Self::PutBack { collection } => doc! { "put_back": { "collection": collection } },
            Self::Run { name, .. } => doc! { "run": { "name": name } },
        })
    }
}

fn definition(index: &Index) -> Result<Bson> {
    serialize_to_bson(index).map_err(|error| {
        Error::invalid_argument(format!("index {:?} cannot be written down", index.name)).with_source(error)
    })
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.describe() {
            Ok(description) => write!(f, "Step({description})"),
            Err(_) => f.write_str("Step"),
        }
    }
}
