//! Several operations, all or none, and operations guarded by another document: in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bson::RawDocumentBuf;
use futures::FutureExt;
use mongodb::ClientSession;
use mongodb::bson::{Bson, Document, doc};
use storage_core::{
    BatchOperation, Condition, DocumentGuard, DocumentId, Error, ErrorKind, Name, PutRequest, Result,
    Timestamp, Version,
};

use super::{BYTES, OPERATIONS, Update, raw, refused, update_command};
use crate::body::{GUARDED, decode, encode, is_live, version_value};
use crate::catalog::native::Duplicate;
use crate::documents::{ATTEMPTS, Verdict, contended, ensure_expiry, namespace, verdict};
use crate::error::of_write_error;
use crate::indexes;
use crate::names::collection;
use crate::session::transaction;
use crate::store::Inner;

type Operations = Vec<(Name, BatchOperation)>;

/// How many documents one exchange asks for.
const IDS: usize = 1000;

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

/// Who holds the key that operation `at` collided with: an earlier operation of the batch, or a document that is there.
async fn explain(
    inner: &Inner,
    operations: &Operations,
    at: usize,
    duplicate: &Duplicate,
) -> Result<Verdict> {
    let (name, BatchOperation::Put(put)) = &operations[at] else {
        return Ok(Verdict::Gone);
    };
    if duplicate.is_id() {
        return Ok(Verdict::Gone);
    }
    let mut before: HashMap<&DocumentId, Option<&PutRequest>> = HashMap::new();
    for (_, operation) in operations[..at].iter().filter(|(other, _)| other == name) {
        match operation {
            BatchOperation::Put(earlier) => before.insert(&earlier.id, Some(earlier)),
            BatchOperation::Delete(delete) => before.insert(&delete.id, None),
        };
    }
    let indexes = inner.catalog.fresh(inner, name).await?;
    for registered in indexes.of_unique(duplicate) {
        let index = &registered.definition;
        let ours = index.keys(&put.body, u64::MAX)?.keys;
        for earlier in before.values().flatten().filter(|earlier| earlier.id != put.id) {
            let theirs = index.keys(&earlier.body, u64::MAX)?;
            if theirs.complete && theirs.keys.iter().any(|key| ours.contains(key)) {
                let violation = Error::unique_violation(&index.name, earlier.id.as_str());
                return Ok(Verdict::Violation(violation));
            }
        }
    }
    match verdict(inner, name, put, duplicate).await? {
        // What the batch itself changed before is no longer the holder.
        Verdict::Violation(error)
            if error
                .context_value("holder")
                .is_some_and(|holder| before.keys().any(|id| id.as_str() == holder)) =>
        {
            Ok(Verdict::Gone)
        }
        verdict => Ok(verdict),
    }
}

/// A document as far as conditions look at it.
#[derive(Debug, Clone)]
struct State {
    version: Version,
    expires_at: Option<Timestamp>,
    foreign: bool,
}

type Place = (Name, DocumentId);

/// One run of a transaction's steps.
#[derive(Clone)]
struct Attempt {
    inner: Arc<Inner>,
    operations: Arc<Operations>,
    trouble: Arc<Mutex<Trouble>>,
}

/// A change to be sent, and the operation it is of.
struct Change {
    at: Option<usize>,
    name: Name,
    what: What,
}

enum What {
    Update(Update),
    Delete(DocumentId),
}

impl Attempt {
    async fn run(self, session: &mut ClientSession) -> Result<Vec<Done>> {
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

    /// What is there of everything the operations look at.
    async fn states(&self, session: &mut ClientSession) -> Result<HashMap<Place, Result<State>>> {
        let mut wanted: HashMap<Name, HashSet<DocumentId>> = HashMap::new();
        for entry in self.operations.iter() {
            let (name, id) = place(entry);
            wanted.entry(name).or_default().insert(id);
            if let Some(guard) = guard(&entry.1) {
                wanted
                    .entry(guard.collection.clone())
                    .or_default()
                    .insert(guard.id.clone());
            }
        }
        let mut states = HashMap::new();
        for (name, ids) in wanted {
            let ids: Vec<&str> = ids.iter().map(DocumentId::as_str).collect();
            for some in ids.chunks(IDS) {
                self.read(session, &name, some, &mut states).boxed().await?;
            }
        }
        Ok(states)
    }

    async fn read(
        &self,
        session: &mut ClientSession,
        name: &Name,
        ids: &[&str],
        states: &mut HashMap<Place, Result<State>>,
    ) -> Result<()> {
        // Heads of at most 1,000 documents fit into one answer many times over.
        let command = doc! {
            "find": &*collection(name),
            "filter": { "_id": { "$in": ids } },
            "projection": { "_storage": 1 },
            "batchSize": i64::try_from(IDS).unwrap_or(i64::MAX),
            "singleBatch": true,
        };
        let run = self.inner.database.run_command(command).session(&mut *session);
        let answer = self.inner.read(run).await?;
        let found = answer
            .get_document("cursor")
            .and_then(|cursor| cursor.get_array("firstBatch"))
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the server answered without a cursor").with_source(error)
            })?;
        let documents = self.inner.collection::<RawDocumentBuf>(&collection(name));
        for document in found.iter().filter_map(Bson::as_document) {
            let mut document = raw(document)?;
            let id = crate::body::name_of(&document);
            if document.get("_storage").is_ok_and(|system| system.is_none()) {
                // The version of another program's document is that of its whole content.
                let find = documents.find_one(doc! { "_id": &id }).session(&mut *session);
                match self.inner.read(find).await? {
                    Some(whole) => document = whole,
                    None => continue,
                }
            }
            let state = decode(&document).map(|stored| State {
                version: stored.document.version,
                expires_at: stored.document.expires_at,
                foreign: stored.foreign.is_some(),
            });
            states.insert((name.clone(), DocumentId::new(&id)?), state);
        }
        Ok(())
    }

    /// Decides one operation.
    async fn step(
        &self,
        at: usize,
        name: &Name,
        operation: &BatchOperation,
        states: &mut HashMap<Place, Result<State>>,
        guards: &mut Vec<(DocumentGuard, State)>,
    ) -> Result<(Done, Option<Change>)> {
        let (guard, now) = match operation {
            BatchOperation::Put(put) => (&put.guard, put.now),
            BatchOperation::Delete(delete) => (&delete.guard, delete.now),
        };
        if let Some(guard) = guard {
            let place = (guard.collection.clone(), guard.id.clone());
            match live(states, &place, now)? {
                Some(state) if state.version == guard.version => guards.push((guard.clone(), state)),
                _ => return Err(Error::guard_failed(guard.id.as_str())),
            }
        }
        let change = |what| Change {
            at: Some(at),
            name: name.clone(),
            what,
        };
        match operation {
            BatchOperation::Put(put) => {
                let place = (name.clone(), put.id.clone());
                let current = live(states, &place, now)?;
                put.condition
                    .check(current.as_ref().map(|state| &state.version))?;
                self.check(name, put).await?;
                let version = Version::random();
                let stored = encode(&put.id, &version, put.expires_at, &put.body)?;
                let state = State {
                    version: version.clone(),
                    expires_at: put.expires_at,
                    foreign: false,
                };
                states.insert(place, Ok(state));
                let update = Update::new(&doc! { "_id": put.id.as_str() }, stored, true)?;
                Ok((Done::Put(version), Some(change(What::Update(update)))))
            }
            BatchOperation::Delete(delete) => {
                let place = (name.clone(), delete.id.clone());
                // Whatever is there can be deleted, except by somebody who believes to know what it is.
                let was_there = match (live(states, &place, now), &delete.if_version) {
                    (Ok(current), None) => current.is_some(),
                    (Err(_), None) => true,
                    (current, Some(expected)) => {
                        let version = current?.map(|state| state.version);
                        Condition::IfVersion(expected.clone()).check(version.as_ref())?;
                        true
                    }
                };
                let known = states.remove(&place).is_some();
                let change = known.then(|| change(What::Delete(delete.id.clone())));
                Ok((Done::Delete(was_there), change))
            }
        }
    }

    async fn check(&self, name: &Name, put: &PutRequest) -> Result<()> {
        let recent = self.inner.catalog.recent(&self.inner, name).await?;
        if indexes::check(&recent, &put.body).is_ok() {
            return Ok(());
        }
        // The index may just have been dropped.
        let fresh = self.inner.catalog.fresh(&self.inner, name).await?;
        indexes::check(&fresh, &put.body)
    }

    /// Sends the changes in their order, those of one kind and collection together.
    async fn send(&self, session: &mut ClientSession, mut changes: &[Change]) -> Result<()> {
        while let Some(first) = changes.first() {
            let mut bytes = 0;
            let alike = |change: &&Change| match (&first.what, &change.what) {
                (What::Update(_), What::Update(update)) => {
                    bytes += update.bytes();
                    change.name == first.name && (bytes <= BYTES || bytes == update.bytes())
                }
                (What::Delete(_), What::Delete(_)) => change.name == first.name,
                _ => false,
            };
            let count = changes.iter().take(OPERATIONS).take_while(alike).count();
            let (chunk, rest) = changes.split_at(count);
            self.send_chunk(session, chunk).boxed().await?;
            changes = rest;
        }
        Ok(())
    }

    async fn send_chunk(&self, session: &mut ClientSession, chunk: &[Change]) -> Result<()> {
        let Some(first) = chunk.first() else { return Ok(()) };
        let command = match &first.what {
            What::Update(_) => {
                let updates = chunk.iter().filter_map(|change| match &change.what {
                    What::Update(update) => Some(update),
                    What::Delete(_) => None,
                });
                update_command(&collection(&first.name), updates, true)
            }
            What::Delete(_) => {
                let deletes: Vec<Document> = chunk
                    .iter()
                    .filter_map(|change| match &change.what {
                        What::Delete(id) => Some(doc! { "q": { "_id": id.as_str() }, "limit": 1 }),
                        What::Update(_) => None,
                    })
                    .collect();
                raw(&doc! { "delete": &*collection(&first.name), "deletes": deletes, "ordered": true })?
            }
        };
        let run = self.inner.database.run_raw_command(command).session(session);
        let answer = self.inner.write(run).await?;
        let Some(refused) = refused(&answer).into_iter().next() else {
            return Ok(());
        };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.at = chunk.get(refused.at).and_then(|change| change.at);
        trouble.duplicate = Duplicate::of_entry(&refused.entry, &namespace(&self.inner, &first.name));
        let code = refused.entry.get_i32("code").unwrap_or_default();
        let message = refused.entry.get_str("errmsg").unwrap_or_default();
        let error = of_write_error(code, message);
        trouble.conflict = error.kind() == ErrorKind::Conflict;
        Err(error)
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

/// What is there and not expired.
fn live(states: &HashMap<Place, Result<State>>, place: &Place, now: Timestamp) -> Result<Option<State>> {
    match states.get(place) {
        None => Ok(None),
        Some(Ok(state)) => Ok(is_live(state.expires_at, now).then(|| state.clone())),
        Some(Err(error)) => {
            Err(Error::new(error.kind(), error.message().to_owned()).with_key(place.1.as_str()))
        }
    }
}

/// Changes a guard without changing what it says.
fn touch((name, id): Place, state: &State) -> Result<Change> {
    let nonce = version_value(&Version::random()).unwrap_or(Bson::Null);
    let change = match version_value(&state.version) {
        Some(version) if state.foreign => {
            doc! { "$set": { "_storage": { "version": version, "guarded": nonce } } }
        }
        _ => doc! { "$set": { GUARDED: nonce } },
    };
    let update = Update::new(&doc! { "_id": id.as_str() }, raw(&change)?, false)?;
    Ok(Change {
        at: None,
        name,
        what: What::Update(update),
    })
}
