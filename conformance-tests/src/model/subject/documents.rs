//! Operations on documents by their ids.

use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::{Collection, Condition, ErrorKind, PutOptions, Timestamp, Version};

use super::{Subject, answered, same};
use crate::case::{Failure, Verdict, ensure};
use crate::model::doomed::Work;
use crate::model::operation::{Operation, Put, When, Which, Write};
use crate::model::state::{Change, Stored};

/// Documents exactly as they are.
pub(super) type Raw = Collection<RawDocumentBuf>;

impl Subject<'_> {
    pub(super) async fn documents(&mut self, client: usize, operation: &Operation) -> Verdict {
        match operation {
            Operation::Put {
                collection,
                document,
                fence,
            } => self.put(client, collection, document, fence.as_deref()).await,
            Operation::PutMany {
                collection,
                documents,
            } => self.put_many(client, collection, documents).await,
            Operation::Remove {
                collection,
                id,
                version,
            } => self.remove(client, collection, id, *version).await,
            Operation::Get { collection, ids } => self.get(client, collection, ids).await,
            Operation::Commit { writes } => self.commit(client, writes).await,
            _ => Ok(()),
        }
    }

    pub(super) fn raw(&self, client: usize, collection: &str) -> Raw {
        self.storage(client).collection(collection)
    }

    pub(super) fn change_of(&mut self, collection: &str, put: &Put) -> Option<Change> {
        let now = self.now();
        let condition = match put.when {
            When::Always => Condition::Always,
            When::Absent => Condition::IfAbsent,
            When::Version(which) => {
                Condition::IfVersion(self.state.collection(collection).meant(&put.id, which, now)?)
            }
        };
        let expires_at = put
            .expires_in
            .map(|milliseconds| Timestamp::from_millis(now.as_millis() + milliseconds));
        Some(Change {
            id: put.id.clone(),
            body: Some(put.body.clone()),
            condition,
            expires_at,
        })
    }

    async fn put(&mut self, client: usize, collection: &str, put: &Put, fence: Option<&str>) -> Verdict {
        let Some(change) = self.change_of(collection, put) else {
            return Ok(());
        };
        let now = self.now();
        let mut refusals = self.state.collection(collection).refusals(&change, now);
        let mut options = options(&change);
        if let Some(lease) = fence {
            let Some(let_through) = self.state.leases.fenced(client, lease) else {
                return Ok(());
            };
            let held = self.clients[client].leases.get(lease);
            let held = held.ok_or("the model holds a lease the client does not")?;
            options = options.fence(held.fence());
            if !let_through {
                refusals.push(ErrorKind::LeaseLost);
            }
        }
        let body = raw(&put.body)?;
        let written = self
            .raw(client, collection)
            .put_with(&put.id, &body, options)
            .await;
        if let Some(version) = answered(written, &self.right(refusals))? {
            self.state.collection(collection).apply(change, Some(version))?;
        }
        Ok(())
    }

    async fn put_many(&mut self, client: usize, collection: &str, puts: &[Put]) -> Verdict {
        // Which of several that want one key of a unique index gets it is not said.
        let is_unique = |index: &storage_core::Index| index.unique;
        let model = self.state.collection(collection);
        if puts.len() > 1 && model.indexes.values().any(is_unique) {
            return Ok(());
        }
        let mut bodies = Vec::new();
        for put in puts {
            bodies.push((put.id.as_str(), raw(&put.body)?));
        }
        let twice = bodies
            .iter()
            .enumerate()
            .any(|(at, (id, _))| bodies[..at].iter().any(|(other, _)| other == id));
        let refusals = if twice {
            vec![ErrorKind::InvalidArgument]
        } else {
            Vec::new()
        };
        let documents = bodies.iter().map(|(id, body)| (*id, body));
        let written = self.raw(client, collection).put_many(documents).await;
        let Some(written) = answered(written, &self.right(refusals))? else {
            return Ok(());
        };
        same(&written.len(), &puts.len(), "how many results there are")?;
        for (put, written) in puts.iter().zip(written) {
            let change = Change {
                id: put.id.clone(),
                body: Some(put.body.clone()),
                condition: Condition::Always,
                expires_at: None,
            };
            let now = self.now();
            let model = self.state.collection(collection);
            if let Some(version) = answered(written, &model.refusals(&change, now))? {
                model.apply(change, Some(version))?;
            }
        }
        Ok(())
    }

    async fn remove(&mut self, client: usize, collection: &str, id: &str, which: Option<Which>) -> Verdict {
        let now = self.now();
        let documents = self.raw(client, collection);
        let there = self.state.collection(collection).get(id, now).is_some();
        let Some(change) = self.removal_of(collection, id, which) else {
            return Ok(());
        };
        let refusals = self.state.collection(collection).refusals(&change, now);
        let refusals = self.right(refusals);
        let removed = match change.condition.clone() {
            Condition::IfVersion(version) => {
                answered(documents.delete_if(id, version).await, &refusals)?.map(|()| true)
            }
            _ => answered(documents.delete(id).await, &refusals)?,
        };
        if let Some(removed) = removed {
            same(&removed, &there, "whether it was there")?;
            self.state.collection(collection).apply(change, None)?;
        }
        Ok(())
    }

    async fn get(&mut self, client: usize, collection: &str, ids: &[String]) -> Verdict {
        let documents = self.raw(client, collection);
        let got = match ids {
            [id] => documents.get(id).await.map(|document| vec![document]),
            ids => documents.get_many(ids).await,
        };
        let Some(got) = answered(got, &self.right(Vec::new()))? else {
            return Ok(());
        };
        same(&got.len(), &ids.len(), "how many results there are")?;
        let now = self.now();
        for (id, got) in ids.iter().zip(got) {
            match (self.state.collection(collection).get(id, now), got) {
                (None, None) => {}
                (Some(expected), Some(got)) => same_document(id, expected, &got)?,
                (expected, got) => {
                    return Err(Failure::new(format!(
                        "{id:?}: got {got:?}, expected {expected:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The deletion meant; `None` where there is no such version.
    pub(super) fn removal_of(&mut self, collection: &str, id: &str, which: Option<Which>) -> Option<Change> {
        let now = self.now();
        let version = match which {
            None => None,
            Some(which) => Some(self.state.collection(collection).meant(id, which, now)?),
        };
        Some(deletion(id, version))
    }

    /// The changes of a batch; `None` where one names a version there is not.
    pub(super) fn changes_of(&mut self, writes: &[Write]) -> Option<Vec<(String, Change)>> {
        let changes = writes.iter().map(|write| match write {
            Write::Put(collection, put) => Some((collection.clone(), self.change_of(collection, put)?)),
            Write::Remove(collection, id, which) => {
                Some((collection.clone(), self.removal_of(collection, id, *which)?))
            }
        });
        changes.collect()
    }

    async fn commit(&mut self, client: usize, writes: &[Write]) -> Verdict {
        let Some(changes) = self.changes_of(writes) else {
            return Ok(());
        };
        let refused = self.state.refused(&changes, self.now());
        let committed = Work::of(&changes, true).run(self.storage(client)).await;
        let at = committed
            .as_ref()
            .err()
            .and_then(|error| error.context_value("operation").map(str::to_owned));
        let refusals = refused
            .as_ref()
            .map(|(_, refusals)| refusals.clone())
            .unwrap_or_default();
        let Some(versions) = answered(committed, &self.right(refusals))? else {
            return match refused {
                Some((expected, _)) if !self.undeclared => {
                    same(&at, &Some(expected.to_string()), "which operation is refused")
                }
                _ => Ok(()),
            };
        };
        same(&versions.len(), &changes.len(), "how many results there are")?;
        for ((collection, change), version) in changes.into_iter().zip(versions) {
            same(
                &version.is_some(),
                &change.body.is_some(),
                "whether an operation gave a version",
            )?;
            self.state.collection(&collection).apply(change, version)?;
        }
        Ok(())
    }
}

/// Checks that a document is the one the model has.
pub(super) fn same_document(
    id: &str,
    expected: &Stored,
    got: &storage_core::Document<RawDocumentBuf>,
) -> Verdict {
    let body = raw(&expected.body)?;
    let what = |part: &str| format!("{part} of document {id:?}");
    same(&got.id.as_str(), &id, "the id of a document")?;
    same(&got.version, &expected.version, &what("the version"))?;
    same(&got.expires_at, &expected.expires_at, &what("the expiry"))?;
    ensure!(
        got.value.as_bytes() == body.as_bytes(),
        "{}: got {:?}, expected {:?}",
        what("the fields"),
        got.value,
        expected.body
    );
    Ok(())
}

fn options(change: &Change) -> PutOptions {
    let options = PutOptions::new().condition(change.condition.clone());
    match change.expires_at {
        Some(time) => options.expires_at(time),
        None => options,
    }
}

fn deletion(id: &str, version: Option<Version>) -> Change {
    Change {
        id: id.to_owned(),
        body: None,
        condition: version.map_or(Condition::Always, Condition::IfVersion),
        expires_at: None,
    }
}

fn raw(body: &Document) -> Result<RawDocumentBuf, Failure> {
    let raw = RawDocumentBuf::try_from(body).map_err(storage_core::malformed)?;
    Ok(storage_core::value::canonical(raw)?)
}
