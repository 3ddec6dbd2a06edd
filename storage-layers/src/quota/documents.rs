//! Documents: each write is bound to the state whose size was seen.

use std::collections::{HashMap, HashSet};

use storage_core::{
    Applied, BatchOperation, BatchRequest, Condition, DeleteDocumentRequest, DocumentId, Error, Name,
    PutRequest, Result, StorageAdapter, StoredDocument, Version,
};

use super::amount::Usage;
use super::ledger::lost;
use super::recount::OWN;
use super::{Pinned, Quota, ours_was_lost};

impl<A: StorageAdapter> Quota<A> {
    pub(super) async fn put_counted(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        if is_own(collection) {
            return self.inner.put(collection, request).await;
        }
        loop {
            let before = self.inner.get(collection, &request.id, request.now).await?;
            let pinned = pin(&request, before.as_ref())?;
            let ticket = self.take(pinned.adds).await?;
            let mut bound = request.clone();
            bound.condition = pinned.condition;
            let answer = self.inner.put(collection, bound).await;
            ticket.settle(&answer, pinned.frees);
            match answer {
                Err(error) if ours_was_lost(&request.condition, &error) => {}
                answer => return answer,
            }
        }
    }

    pub(super) async fn delete_counted(
        &self,
        collection: &Name,
        request: DeleteDocumentRequest,
    ) -> Result<bool> {
        if is_own(collection) {
            return self.inner.delete_document(collection, request).await;
        }
        loop {
            let ticket = self.ledger.nothing();
            let before = self.inner.get(collection, &request.id, request.now).await?;
            let (mut bound, mut freed) = (request.clone(), Usage::default());
            if let Some(before) = before {
                let expected = request.if_version.as_ref();
                if expected.is_none_or(|expected| *expected == before.version) {
                    freed = of(&before);
                    bound.if_version = Some(before.version);
                }
            }
            let was_bound = bound.if_version.is_some();
            let answer = self.inner.delete_document(collection, bound).await;
            ticket.settle(&answer, freed);
            match answer {
                Err(error)
                    if was_bound
                        && request.if_version.is_none()
                        && lost(&error)
                        && !error.is_guard_failed() => {}
                answer => return answer,
            }
        }
    }

    /// Those that were overtaken are written again one by one, in their order.
    pub(super) async fn put_many_counted(
        &self,
        collection: &Name,
        requests: Vec<PutRequest>,
    ) -> Result<Vec<Result<Version>>> {
        let Some(first) = requests.first() else {
            return self.inner.put_many(collection, requests).await;
        };
        if is_own(collection) {
            return self.inner.put_many(collection, requests).await;
        }
        let ids: Vec<DocumentId> = requests.iter().map(|request| request.id.clone()).collect();
        if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
            // A later one depends on what an earlier one did.
            let mut results = Vec::with_capacity(requests.len());
            for request in requests {
                results.push(self.put_counted(collection, request).await);
            }
            return Ok(results);
        }
        let before = self.inner.get_many(collection, &ids, first.now).await?;
        let mut results: Vec<Option<Result<Version>>> = Vec::with_capacity(requests.len());
        let (mut bound, mut places, mut adds) = (Vec::new(), Vec::new(), Usage::default());
        for (at, (request, before)) in requests.iter().zip(&before).enumerate() {
            match pin(request, before.as_ref()) {
                Err(refused) => results.push(Some(Err(refused))),
                Ok(pinned) => {
                    let mut request = request.clone();
                    request.condition = pinned.condition;
                    bound.push(request);
                    adds = adds.plus(pinned.adds);
                    places.push((at, pinned.adds, pinned.frees));
                    results.push(None);
                }
            }
        }
        let ticket = self.take(adds).await?;
        let answers = match self.inner.put_many(collection, bound).await {
            Ok(answers) => answers,
            failed => {
                ticket.settle(&failed, Usage::default());
                return failed;
            }
        };
        let (mut done, mut freed, mut overtaken) = (Usage::default(), Usage::default(), Vec::new());
        for ((at, adds, frees), answer) in places.into_iter().zip(answers) {
            match &answer {
                Ok(_) => (done, freed) = (done.plus(adds), freed.plus(frees)),
                Err(error) if error.applied() == Applied::No => {
                    if ours_was_lost(&requests[at].condition, error) {
                        overtaken.push(at);
                    }
                }
                Err(_) => done = done.plus(adds),
            }
            results[at] = Some(answer);
        }
        ticket.settle_part(done, freed);
        for at in overtaken {
            results[at] = Some(self.put_counted(collection, requests[at].clone()).await);
        }
        Ok(results.into_iter().flatten().collect())
    }

    pub(super) async fn commit_counted(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        loop {
            let ticket_for_frees = self.ledger.nothing();
            let (bound, ours, adds, frees) = self.bind(&batch).await?;
            let ticket = self.take(adds).await?;
            let answer = self.inner.commit(bound).await;
            ticket.settle(&answer, Usage::default());
            ticket_for_frees.settle(&answer, frees);
            match answer {
                Err(error) if lost(&error) && !error.is_guard_failed() && ours_lost_at(&error, &ours) => {}
                answer => return answer,
            }
        }
    }

    /// Binds each document to the state seen, the first time the batch touches it; later operations see what earlier ones did. Gives
    /// the batch, which conditions are ours, and what it adds and takes away.
    async fn bind(&self, batch: &BatchRequest) -> Result<(BatchRequest, Vec<bool>, Usage, Usage)> {
        let mut sizes: HashMap<(Name, DocumentId), Usage> = HashMap::new();
        let mut bound = BatchRequest::default();
        let (mut ours, mut before, mut after) = (Vec::new(), Usage::default(), Usage::default());
        for (collection, operation) in &batch.operations {
            let (id, now) = match operation {
                BatchOperation::Put(request) => (&request.id, request.now),
                BatchOperation::Delete(request) => (&request.id, request.now),
            };
            let (mut operation, mut is_ours) = (operation.clone(), false);
            let place = (collection.clone(), id.clone());
            if !is_own(collection) {
                if !sizes.contains_key(&place) {
                    let there = self.inner.get(collection, id, now).await?;
                    is_ours = bind_one(&mut operation, there.as_ref());
                    let old = there.as_ref().map_or(Usage::default(), of);
                    before = before.plus(old);
                    sizes.insert(place.clone(), old);
                }
                let new = match &operation {
                    BatchOperation::Put(request) => Usage::document(request.body.as_bytes().len() as u64),
                    BatchOperation::Delete(_) => Usage::default(),
                };
                sizes.insert(place, new);
            }
            ours.push(is_ours);
            bound.operations.push((collection.clone(), operation));
        }
        for size in sizes.values() {
            after = after.plus(*size);
        }
        Ok((bound, ours, after.minus(before), before.minus(after)))
    }
}

/// Puts a condition on an operation that has none; `true` if it did.
fn bind_one(operation: &mut BatchOperation, there: Option<&StoredDocument>) -> bool {
    match operation {
        BatchOperation::Put(request) if request.condition == Condition::Always => {
            request.condition = there.map_or(Condition::IfAbsent, |there| {
                Condition::IfVersion(there.version.clone())
            });
            true
        }
        BatchOperation::Delete(request) if request.if_version.is_none() && there.is_some() => {
            request.if_version = there.map(|there| there.version.clone());
            true
        }
        _ => false,
    }
}

/// Whether the operation that was refused had a condition of ours; its position is in the error.
fn ours_lost_at(error: &Error, ours: &[bool]) -> bool {
    let at = error
        .context_value("operation")
        .and_then(|at| at.parse::<usize>().ok());
    at.and_then(|at| ours.get(at)).copied().unwrap_or(false)
}

fn pin(request: &PutRequest, before: Option<&StoredDocument>) -> Result<Pinned> {
    let after = Usage::document(request.body.as_bytes().len() as u64);
    Pinned::new(
        &request.condition,
        before.map(|before| (&before.version, of(before))),
        after,
    )
}

fn of(document: &StoredDocument) -> Usage {
    Usage::document(document.body.as_bytes().len() as u64)
}

fn is_own(collection: &Name) -> bool {
    collection.as_str().starts_with(OWN)
}
