//! Several operations, all or none, and operations guarded by another document: in one transaction.

mod collision;
mod decide;
mod read;
mod send;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use mongodb::ClientSession;
use storage_core::{BatchOperation, DocumentGuard, DocumentId, Error, ErrorKind, Name, Result, Version};

use self::collision::explain;
use self::decide::touch;
use crate::catalog::native::Duplicate;
use crate::documents::{ATTEMPTS, Verdict, contended, ensure_expiry};
use crate::session::transaction;
use crate::store::Inner;

type Operations = Vec<(Name, BatchOperation)>;

/// Applies every operation or none. Gives the new version of each put and `None` for each delete.
pub(crate) async fn commit(inner: &Arc<Inner>, operations: Operations) -> Result<Vec<Option<Version>>> {
    let applied = apply(inner, operations).await.map_err(|(at, error)| match at {
        Some(at) => error.with_context("operation", at.to_string()),
        None => error,
    })?;
    Ok(applied
        .into_iter()
        .map(|applied| match applied {
            Done::Put(version) => Some(version),
            Done::Delete(_) => None,
        })
        .collect())
}

/// Applies one operation that depends on another document.
pub(crate) async fn guarded(inner: &Arc<Inner>, name: &Name, operation: BatchOperation) -> Result<Done> {
    let mut applied = apply(inner, vec![(name.clone(), operation)])
        .await
        .map_err(|(_, error)| error)?;
    applied
        .pop()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a transaction came to nothing"))
}

/// What an operation came to.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    Put(Version),
    /// Whether it was there.
    Delete(bool),
}

/// An error, and the operation it is about.
type Numbered = (Option<usize>, Error);

async fn apply(inner: &Arc<Inner>, operations: Operations) -> Result<Vec<Done>, Numbered> {
    let operations = Arc::new(operations);
    for _ in 0..ATTEMPTS {
        let trouble: Arc<Mutex<Trouble>> = Arc::default();
        let attempt = Attempt {
            inner: Arc::clone(inner),
            operations: Arc::clone(&operations),
            trouble: Arc::clone(&trouble),
        };
        let error = match transaction(inner, move |session| attempt.clone().run(session).boxed()).await {
            Ok(applied) => {
                expire(inner, &operations).await;
                return Ok(applied);
            }
            Err(error) => error,
        };
        let trouble = std::mem::take(&mut *trouble.lock().unwrap_or_else(PoisonError::into_inner));
        let (Some(at), Some(duplicate)) = (trouble.at, trouble.duplicate) else {
            if trouble.conflict {
                continue;
            }
            return Err((trouble.at, error));
        };
        match explain(inner, &operations, at, &duplicate).await {
            Ok(Verdict::Gone) => {}
            Ok(Verdict::Violation(error)) | Err(error) => return Err((Some(at), error)),
        }
    }
    Err((None, contended()))
}

async fn expire(inner: &Inner, operations: &Operations) {
    for (name, operation) in operations {
        if matches!(operation, BatchOperation::Put(put) if put.expires_at.is_some()) {
            ensure_expiry(inner, name).await;
        }
    }
}

/// What stood in the way, for whoever looks at the error.
#[derive(Debug, Default)]
struct Trouble {
    /// The operation concerned.
    at: Option<usize>,
    /// The unique index it collided with.
    duplicate: Option<Duplicate>,
    /// Whether it was only another writer.
    conflict: bool,
}

type Place = (Name, DocumentId);

/// One run of a transaction's steps.
#[derive(Clone)]
struct Attempt {
    inner: Arc<Inner>,
    operations: Arc<Operations>,
    trouble: Arc<Mutex<Trouble>>,
}

impl Attempt {
    async fn run(self, session: &mut ClientSession) -> Result<Vec<Done>> {
        // What a run before this one met says nothing about what becomes of this one.
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Trouble::default();
        let mut states = self.states(session).boxed().await?;
        let mut applied = Vec::with_capacity(self.operations.len());
        let mut changes = Vec::new();
        let mut guards = Vec::new();
        for (at, (name, operation)) in self.operations.iter().enumerate() {
            match self.step(at, name, operation, &mut states, &mut guards).await {
                Ok((outcome, change)) => {
                    applied.push(outcome);
                    changes.extend(change);
                }
                Err(error) => {
                    // An earlier operation that the engine refuses comes first.
                    self.send(session, &changes).boxed().await?;
                    self.concerns(at);
                    return Err(error);
                }
            }
        }
        let changed: HashSet<Place> = self.operations.iter().map(place).collect();
        for (guard, state) in guards {
            let place = (guard.collection, guard.id);
            // To read it is not enough: only what both write makes two transactions meet.
            if !changed.contains(&place) {
                changes.insert(0, touch(place, &state)?);
            }
        }
        self.send(session, &changes).boxed().await?;
        Ok(applied)
    }

    fn concerns(&self, at: usize) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).at = Some(at);
    }
}

fn guard(operation: &BatchOperation) -> Option<&DocumentGuard> {
    match operation {
        BatchOperation::Put(put) => put.guard.as_ref(),
        BatchOperation::Delete(delete) => delete.guard.as_ref(),
    }
}

fn place((name, operation): &(Name, BatchOperation)) -> Place {
    let id = match operation {
        BatchOperation::Put(put) => &put.id,
        BatchOperation::Delete(delete) => &delete.id,
    };
    (name.clone(), id.clone())
}
