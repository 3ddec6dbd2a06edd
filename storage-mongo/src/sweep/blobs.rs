//! Chunks of blobs that have neither a record nor a head: of objects that were replaced or deleted just before a crash.

use std::collections::HashSet;

use bson::{Bson, RawDocumentBuf, doc};
use futures::TryStreamExt;
use storage_core::{Area, Result, SweepReport};

use crate::names;
use crate::objects::{Blob, heads, remove_chunks};
use crate::store::Inner;

/// How many blobs are looked up in one exchange.
const STEP_BLOBS: usize = 100;
/// How many names of chunks one answer brings: about 300 KiB.
const NAMES_PER_ANSWER: u32 = 5000;

/// Removes the chunks of blobs that nothing names.
pub(super) async fn remove_unnamed(inner: &Inner, report: &mut SweepReport) -> Result<()> {
    let chunks = inner.collection::<RawDocumentBuf>(names::CHUNKS);
    // In the order of the index and answered from it alone: the chunks of a blob stand together, and their bytes stay where they are.
    let find = chunks
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .projection(doc! { "_id": 1 })
        .batch_size(NAMES_PER_ANSWER);
    let mut names = inner.read(find).await?;
    let mut blobs: Vec<Blob> = Vec::new();
    while let Some(chunk) = inner.read(names.try_next()).await? {
        let Some(blob) = blob_of(&chunk) else { continue };
        if blobs.last() == Some(&blob) {
            continue;
        }
        if blobs.len() == STEP_BLOBS {
            report.temporaries += remove_some(inner, &blobs).await?;
            blobs.clear();
        }
        blobs.push(blob);
    }
    report.temporaries += remove_some(inner, &blobs).await?;
    Ok(())
}

fn blob_of(chunk: &RawDocumentBuf) -> Option<Blob> {
    Blob::of(chunk.get("_id").ok()??.as_document()?.get("b").ok()??)
}

/// Removes those of the blobs that nothing names, and says how many.
async fn remove_some(inner: &Inner, blobs: &[Blob]) -> Result<u64> {
    if blobs.is_empty() {
        return Ok(0);
    }
    // The order counts: a blob that has no record has all the heads it will ever have.
    let mut unnamed: HashSet<Blob> = blobs.iter().copied().collect();
    for (collection, field) in [
        (names::UPLOADS, "_id"),
        (heads(Area::Objects), "blob"),
        (heads(Area::Overlay), "blob"),
    ] {
        let asked: Vec<Bson> = unnamed.iter().map(|blob| blob.to_bson()).collect();
        let collection = inner.collection::<RawDocumentBuf>(collection);
        let find = collection
            .find(doc! { field: { "$in": asked } })
            .projection(doc! { field: 1 })
            .max_time(inner.config.operation_timeout);
        let cursor = inner.read(find).await?;
        let naming: Vec<RawDocumentBuf> = inner.read(cursor.try_collect()).await?;
        for blob in naming
            .iter()
            .filter_map(|naming| Blob::of(naming.get(field).ok()??))
        {
            unnamed.remove(&blob);
        }
    }
    let unnamed: Vec<Blob> = unnamed.into_iter().collect();
    remove_chunks(inner, &unnamed).await?;
    Ok(unnamed.len() as u64)
}
