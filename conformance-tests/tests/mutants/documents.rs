//! Faults of documents, batches, expiry and fences.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use storage_core::bson::{Bson, Document, RawDocumentBuf};
use storage_core::*;

use crate::frame::Fault;

/// The body with something done to it.
fn changed(body: &RawDocumentBuf, change: impl FnOnce(&mut Document)) -> RawDocumentBuf {
    let mut document = Document::try_from(body).unwrap();
    change(&mut document);
    RawDocumentBuf::try_from(&document).unwrap()
}

/// Lets others run for a while.
async fn give_way() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}

/// Adds the fields of a put to those that are there.
#[derive(Debug, Default)]
struct PutMerges;

#[async_trait]
impl Fault for PutMerges {
    async fn put(&self, memory: &Memory, collection: &Name, mut request: PutRequest) -> Result<Version> {
        if let Some(old) = memory.get(collection, &request.id, request.now).await? {
            request.body = changed(&request.body, |document| {
                for (field, value) in Document::try_from(&old.body).unwrap() {
                    document.entry(field).or_insert(value);
                }
            });
        }
        memory.put(collection, request).await
    }
}

/// Leaves out fields that are null.
#[derive(Debug, Default)]
struct NullIsMissing;

#[async_trait]
impl Fault for NullIsMissing {
    async fn put(&self, memory: &Memory, collection: &Name, mut request: PutRequest) -> Result<Version> {
        request.body = changed(&request.body, |document| {
            *document = document
                .clone()
                .into_iter()
                .filter(|(_, value)| *value != Bson::Null)
                .collect();
        });
        memory.put(collection, request).await
    }
}

/// Keeps numbers as floats.
#[derive(Debug, Default)]
struct IntegersAreFloats;

#[async_trait]
impl Fault for IntegersAreFloats {
    async fn get(
        &self,
        memory: &Memory,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        let mut found = memory.get(collection, id, now).await?;
        if let Some(found) = &mut found {
            found.body = changed(&found.body, |document| {
                for (_, value) in document.iter_mut() {
                    float(value);
                }
            });
        }
        Ok(found)
    }
}

#[allow(clippy::cast_precision_loss, reason = "that is the fault")]
fn float(value: &mut Bson) {
    match value {
        Bson::Int64(integer) => *value = Bson::Double(*integer as f64),
        Bson::Array(elements) => elements.iter_mut().for_each(float),
        _ => {}
    }
}

/// Writes whatever version is there.
#[derive(Debug, Default)]
struct PutIgnoresTheVersion;

#[async_trait]
impl Fault for PutIgnoresTheVersion {
    async fn put(&self, memory: &Memory, collection: &Name, mut request: PutRequest) -> Result<Version> {
        let there = memory.get(collection, &request.id, request.now).await?.is_some();
        if there && matches!(request.condition, Condition::IfVersion(_)) {
            request.condition = Condition::Always;
        }
        memory.put(collection, request).await
    }
}

/// Decides first and writes then.
#[derive(Debug, Default)]
struct PutChecksThenWrites;

#[async_trait]
impl Fault for PutChecksThenWrites {
    async fn put(&self, memory: &Memory, collection: &Name, mut request: PutRequest) -> Result<Version> {
        let current = memory
            .get(collection, &request.id, request.now)
            .await?
            .map(|document| document.version);
        request.condition.check(current.as_ref())?;
        give_way().await;
        request.condition = Condition::Always;
        memory.put(collection, request).await
    }
}

/// Deletes whatever version is there.
#[derive(Debug, Default)]
struct DeleteIgnoresTheVersion;

#[async_trait]
impl Fault for DeleteIgnoresTheVersion {
    async fn delete_document(
        &self,
        memory: &Memory,
        collection: &Name,
        mut request: DeleteDocumentRequest,
    ) -> Result<bool> {
        request.if_version = None;
        memory.delete_document(collection, request).await
    }
}

/// Writes whether or not the guard holds, and now and then only after a long pause.
#[derive(Debug, Default)]
struct IgnoresTheGuard(AtomicUsize);

#[async_trait]
impl Fault for IgnoresTheGuard {
    async fn put(&self, memory: &Memory, collection: &Name, mut request: PutRequest) -> Result<Version> {
        if request.guard.take().is_some() && self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            for _ in 0..10 {
                give_way().await;
            }
        }
        memory.put(collection, request).await
    }
}

/// Removes the record of a lease that is released, and with it the token.
#[derive(Debug, Default)]
struct ReleaseForgetsTheToken;

#[async_trait]
impl Fault for ReleaseForgetsTheToken {
    async fn put(&self, memory: &Memory, collection: &Name, request: PutRequest) -> Result<Version> {
        if collection.as_str() == "_storage.leases" && request.body.get_bool("held").ok() == Some(false) {
            memory
                .delete_document(collection, DeleteDocumentRequest::new(request.id, request.now))
                .await?;
            return Ok(Version::random());
        }
        memory.put(collection, request).await
    }
}

/// Stops at the first document of many that cannot be written.
#[derive(Debug, Default)]
struct PutManyStopsAtTheFirstError;

#[async_trait]
impl Fault for PutManyStopsAtTheFirstError {
    async fn put_many(
        &self,
        memory: &Memory,
        collection: &Name,
        requests: Vec<PutRequest>,
    ) -> Result<Vec<Result<Version>>> {
        let mut results: Vec<Result<Version>> = Vec::new();
        for request in requests {
            if results.iter().any(Result::is_err) {
                results.push(Err(Error::new(ErrorKind::UniqueViolation, "not attempted")));
            } else {
                results.push(memory.put(collection, request).await);
            }
        }
        Ok(results)
    }
}

async fn one_by_one(memory: &Memory, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
    let mut versions = Vec::new();
    for (at, (collection, operation)) in batch.operations.into_iter().enumerate() {
        let done = match operation {
            BatchOperation::Put(request) => memory.put(&collection, request).await.map(Some),
            BatchOperation::Delete(request) => {
                memory.delete_document(&collection, request).await.map(|_| None)
            }
        };
        versions.push(done.map_err(|error| error.with_context("operation", at.to_string()))?);
        tokio::task::yield_now().await;
    }
    Ok(versions)
}

/// Applies the operations before the one that is refused.
#[derive(Debug, Default)]
struct RefusedBatchIsHalfApplied;

#[async_trait]
impl Fault for RefusedBatchIsHalfApplied {
    async fn commit(&self, memory: &Memory, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        let copy = BatchRequest::clone(&batch);
        match memory.commit(batch).await {
            Ok(versions) => Ok(versions),
            Err(_) => one_by_one(memory, copy).await,
        }
    }
}

/// Shows a batch while it is being applied.
#[derive(Debug, Default)]
struct BatchShowsItsParts;

#[async_trait]
impl Fault for BatchShowsItsParts {
    async fn commit(&self, memory: &Memory, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        one_by_one(memory, batch).await
    }
}

/// Takes what `find` and `count` should leave out for what is there.
#[derive(Debug, Default)]
struct OnlyGetKnowsOfExpiry;

#[async_trait]
impl Fault for OnlyGetKnowsOfExpiry {
    async fn find(&self, memory: &Memory, collection: &Name, mut request: FindRequest) -> Result<FindPage> {
        request.now = Timestamp::from_millis(i64::MIN);
        memory.find(collection, request).await
    }

    async fn count(&self, memory: &Memory, collection: &Name, mut request: FindRequest) -> Result<u64> {
        request.now = Timestamp::from_millis(i64::MIN);
        memory.count(collection, request).await
    }
}

/// Keeps the expiry that was there unless a put gives another.
#[derive(Debug, Default)]
struct PutKeepsTheExpiry;

#[async_trait]
impl Fault for PutKeepsTheExpiry {
    async fn put(&self, memory: &Memory, collection: &Name, mut request: PutRequest) -> Result<Version> {
        if request.expires_at.is_none()
            && let Some(old) = memory.get(collection, &request.id, request.now).await?
        {
            request.expires_at = old.expires_at;
        }
        memory.put(collection, request).await
    }
}

/// Refuses an insert over an expired document that was not purged yet.
#[derive(Default)]
struct ExpiredStandInTheWay(Mutex<Vec<DocumentId>>);

impl fmt::Debug for ExpiredStandInTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpiredStandInTheWay")
    }
}

#[async_trait]
impl Fault for ExpiredStandInTheWay {
    async fn put(&self, memory: &Memory, collection: &Name, request: PutRequest) -> Result<Version> {
        if request.condition == Condition::IfAbsent && self.0.lock().unwrap().contains(&request.id) {
            return Err(Error::already_exists());
        }
        if request.expires_at.is_some() {
            self.0.lock().unwrap().push(request.id.clone());
        }
        memory.put(collection, request).await
    }
}

/// Purges what has not expired yet.
#[derive(Debug, Default)]
struct SweepsTooMuch;

#[async_trait]
impl Fault for SweepsTooMuch {
    async fn sweep(&self, memory: &Memory, now: Timestamp) -> Result<SweepReport> {
        memory
            .sweep(now.after(std::time::Duration::from_secs(7200)))
            .await
    }
}

crate::found! {
    PutMerges: 2,
    NullIsMissing: 1,
    IntegersAreFloats: 2,
    PutIgnoresTheVersion: 2,
    DeleteIgnoresTheVersion: 2,
    RefusedBatchIsHalfApplied: 2,
    OnlyGetKnowsOfExpiry: 1,
    PutKeepsTheExpiry: 2,
    ExpiredStandInTheWay: 2,
    SweepsTooMuch: 2,
    ReleaseForgetsTheToken: 2,
}

mod killed {
    crate::kills! {
        PutMerges: "documents.put-replaces-whole";
        NullIsMissing: "document-values.null-is-not-missing", "query.missing-and-null";
        IntegersAreFloats: "document-values.integers-and-floats-stay-apart", "document-values.every-type-comes-back";
        PutIgnoresTheVersion: "document-conditions.put-if-current", "document-conditions.put-if-race-has-one-winner",
            "document-conditions.change-and-change-back-is-noticed";
        PutChecksThenWrites: "document-conditions.insert-race-has-one-winner", "document-conditions.put-if-race-has-one-winner",
            "documents.update-loses-nothing";
        DeleteIgnoresTheVersion: "document-conditions.delete-if-current", "document-conditions.delete-if-race-has-one-winner";
        IgnoresTheGuard: "fence.paused-holder-never-writes-last";
        ReleaseForgetsTheToken: "lease.release-lets-others-in-at-once", "lease.token-is-never-given-twice";
        PutManyStopsAtTheFirstError: "unique.put-many-refuses-only-the-second";
        RefusedBatchIsHalfApplied: "batch.refusal-anywhere-applies-nothing", "batch.later-operations-see-earlier-ones";
        BatchShowsItsParts: "batch.observers-see-all-or-none", "batch.refusal-anywhere-applies-nothing";
        OnlyGetKnowsOfExpiry: "expiry.expired-is-invisible-everywhere";
        PutKeepsTheExpiry: "expiry.put-replaces-the-expiry";
        ExpiredStandInTheWay: "expiry.expired-counts-as-absent-for-insert";
        SweepsTooMuch: "expiry.sweep-changes-nothing-visible";
    }
}
