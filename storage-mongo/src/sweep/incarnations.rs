//! Buckets of logs that were deleted just before a crash.

use std::collections::HashSet;

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use storage_core::{Result, SweepReport};

use super::ensure_index;
use crate::logs::{binary, bits, incarnation_of, of_incarnation};
use crate::names;
use crate::store::Inner;

/// How many incarnations are looked up in one exchange.
const STEP_INCARNATIONS: usize = 100;
/// How many names of buckets one answer brings: about 300 KiB.
const NAMES_PER_ANSWER: u32 = 5000;

/// Removes the buckets of incarnations that no log has.
pub(super) async fn remove_deleted(inner: &Inner, report: &mut SweepReport) -> Result<()> {
    ensure_index(inner, names::LOGS, "incarnation").await?;
    let buckets = inner.collection::<RawDocumentBuf>(names::LOG_ENTRIES);
    let find = buckets
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .projection(doc! { "_id": 1 })
        .batch_size(NAMES_PER_ANSWER);
    let mut names = inner.read(find).await?;
    let mut incarnations: Vec<u128> = Vec::new();
    while let Some(bucket) = inner.read(names.try_next()).await? {
        let Some(incarnation) = incarnation_of_bucket(&bucket) else {
            continue;
        };
        if incarnations.last() == Some(&incarnation) {
            continue;
        }
        if incarnations.len() == STEP_INCARNATIONS {
            report.temporaries += remove_some(inner, &incarnations).await?;
            incarnations.clear();
        }
        incarnations.push(incarnation);
    }
    report.temporaries += remove_some(inner, &incarnations).await?;
    Ok(())
}

fn incarnation_of_bucket(bucket: &RawDocumentBuf) -> Option<u128> {
    bits(bucket.get("_id").ok()??.as_document()?.get("i").ok()??)
}

/// Removes the buckets of those that no log has, and says of how many.
async fn remove_some(inner: &Inner, incarnations: &[u128]) -> Result<u64> {
    if incarnations.is_empty() {
        return Ok(0);
    }
    let mut deleted: HashSet<u128> = incarnations.iter().copied().collect();
    let asked: Vec<Bson> = incarnations.iter().copied().map(binary).collect();
    let heads = inner.collection::<RawDocumentBuf>(names::LOGS);
    let find = heads
        .find(doc! { "incarnation": { "$in": asked } })
        .projection(doc! { "_id": 0, "incarnation": 1 })
        .max_time(inner.config.operation_timeout);
    let cursor = inner.read(find).await?;
    let having: Vec<RawDocumentBuf> = inner.read(cursor.try_collect()).await?;
    for incarnation in having.iter().filter_map(|head| incarnation_of(head)) {
        deleted.remove(&incarnation);
    }
    let buckets = inner.collection::<Document>(names::LOG_ENTRIES);
    for incarnation in &deleted {
        inner
            .write(buckets.delete_many(of_incarnation(*incarnation)))
            .await?;
    }
    Ok(deleted.len() as u64)
}
