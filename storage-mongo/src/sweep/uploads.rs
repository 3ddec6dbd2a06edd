//! Uploads that rest.

use bson::{RawDocumentBuf, doc};
use futures::TryStreamExt;
use storage_core::{Area, Result, SweepReport};

use super::{before, ensure_index};
use crate::names;
use crate::objects::{Blob, heads, remove_chunks, state};
use crate::store::Inner;

/// Removes what uploads left that rested too long, and the records of those that were published.
pub(super) async fn remove_resting(inner: &Inner, report: &mut SweepReport) -> Result<()> {
    ensure_index(inner, heads(Area::Objects), "blob").await?;
    ensure_index(inner, heads(Area::Overlay), "blob").await?;
    let records = inner.collection::<RawDocumentBuf>(names::UPLOADS);
    let find = records.find(doc! { "touched": { "$lt": before(inner.config.upload_age) } });
    let mut resting = inner.read(find).await?;
    while let Some(record) = inner.read(resting.try_next()).await? {
        let blob = record.get("_id").ok().flatten().and_then(Blob::of);
        if let (Some(blob), Ok(found)) = (blob, record.get_str("state")) {
            report.temporaries += u64::from(remove_one(inner, blob, found).await?);
        }
    }
    Ok(())
}

/// `true` where chunks nobody sees were removed.
async fn remove_one(inner: &Inner, blob: Blob, found: &str) -> Result<bool> {
    let records = inner.collection::<RawDocumentBuf>(names::UPLOADS);
    if found == state::COMMITTED {
        if named(inner, blob).await? {
            inner
                .write(records.delete_one(doc! { "_id": blob.to_bson() }))
                .await?;
        }
        return Ok(false);
    }
    // A dead one is taken up again whose sweep was cut off.
    let resting = doc! {
        "_id": blob.to_bson(),
        "state": { "$in": [state::OPEN, state::DEAD] },
        "touched": { "$lt": before(inner.config.upload_age) },
    };
    let dead = doc! { "$set": { "state": state::DEAD } };
    if inner
        .write(records.update_one(resting, dead))
        .await?
        .matched_count
        == 0
    {
        return Ok(false);
    }
    remove_chunks(inner, &[blob]).await?;
    inner
        .write(records.delete_one(doc! { "_id": blob.to_bson() }))
        .await?;
    Ok(true)
}

async fn named(inner: &Inner, blob: Blob) -> Result<bool> {
    for area in [Area::Objects, Area::Overlay] {
        let heads = inner.collection::<RawDocumentBuf>(heads(area));
        let find = heads
            .find_one(doc! { "blob": blob.to_bson() })
            .projection(doc! { "_id": 1 })
            .max_time(inner.config.operation_timeout);
        if inner.read(find).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
