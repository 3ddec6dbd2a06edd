//! Housekeeping, in steps of bounded size.
//!
//! What it may remove is decided so that no reader or writer notices:
//!
//! - An upload that rested longer than its age is first turned from open to dead. Its writer, should it wake, finds that and fails.
//! - A blob without a record had one before its first chunk was written, so its writer is through with it: it was published, or is dead.
//!   If no head names it now, looked at after the record, none ever will again.
//! - A record of a committed upload is removed where a head names the blob. Where none does, a head may still be about to: the
//!   writer crashed, or its answer was lost, at that very point. The blob is left for good rather than taken from under a late head.
//! - An incarnation of a log that no head has is never had by one again.

mod blobs;
mod expired;
mod incarnations;
mod uploads;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bson::{DateTime, Document, doc};
use mongodb::IndexModel;
use storage_core::{Result, SweepReport, Timestamp};

use crate::names;
use crate::store::Inner;

/// The age at which what connecting tried the server with is taken for left by a crash. Trying takes less than a second.
const PROBE_AGE: Duration = Duration::from_secs(60 * 60);

/// Purges expired documents and removes what crashed writers left.
pub(crate) async fn sweep(inner: &Arc<Inner>, now: Timestamp) -> Result<SweepReport> {
    let mut report = SweepReport::default();
    if inner.deployment.compare_and_swap {
        expired::purge(inner, now, &mut report).await?;
        incarnations::remove_deleted(inner, &mut report).await?;
        uploads::remove_resting(inner, &mut report).await?;
        blobs::remove_unnamed(inner, &mut report).await?;
    }
    let probes = inner.collection::<Document>(names::PROBE);
    inner
        .write(probes.delete_many(doc! { "at": { "$lt": before(PROBE_AGE) } }))
        .await?;
    Ok(report)
}

/// The point in time so long ago.
fn before(age: Duration) -> DateTime {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(Timestamp::from(SystemTime::now()).as_millis().saturating_sub(age))
}

/// Makes sure that looking for a field does not read the whole collection.
async fn ensure_index(inner: &Inner, collection: &str, field: &str) -> Result<()> {
    let options = mongodb::options::IndexOptions::builder().sparse(true).build();
    let index = IndexModel::builder()
        .keys(doc! { field: 1 })
        .options(options)
        .build();
    inner
        .write(inner.collection::<Document>(collection).create_index(index))
        .await
        .map(drop)
}
