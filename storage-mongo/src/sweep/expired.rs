//! Expired documents.

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt;
use storage_core::{Result, SweepReport, Timestamp};

use crate::names;
use crate::store::Inner;

/// How many documents one step removes.
const STEP_DOCUMENTS: i64 = 1000;
/// Where a document's expiry is.
const EXPIRES_AT: &str = "_storage.expires_at";

/// Removes the documents that are expired by now, in every collection.
pub(super) async fn purge(inner: &Inner, now: Timestamp, report: &mut SweepReport) -> Result<()> {
    let stored: Vec<String> = inner.read(inner.database.list_collection_names()).await?;
    for collection in stored.iter().filter(|name| names::decode(name).is_some()) {
        if has_expiry(inner, collection).await? {
            purge_one(inner, collection, now, report).await?;
        }
    }
    Ok(())
}

/// Whether documents of a collection may expire: the first that does brings an index. Without it every document would be read.
async fn has_expiry(inner: &Inner, collection: &str) -> Result<bool> {
    let indexes = inner.collection::<Document>(collection);
    let list = async { indexes.list_indexes().await?.try_collect::<Vec<_>>().await };
    let indexes = match inner.read(list).await {
        // Dropped since it was listed.
        Err(error) if crate::error::code(&error) == Some(crate::error::NAMESPACE_NOT_FOUND) => {
            return Ok(false);
        }
        indexes => indexes?,
    };
    Ok(indexes.iter().any(|index| index.keys.contains_key(EXPIRES_AT)))
}

async fn purge_one(inner: &Inner, collection: &str, now: Timestamp, report: &mut SweepReport) -> Result<()> {
    let documents = inner.collection::<Document>(collection);
    let expired = doc! { "$lte": DateTime::from_millis(now.as_millis()) };
    loop {
        let find = documents
            .find(doc! { EXPIRES_AT: expired.clone() })
            .projection(doc! { "_id": 1 })
            .limit(STEP_DOCUMENTS)
            .max_time(inner.config.operation_timeout);
        let found: Vec<Document> = {
            let cursor = inner.read(find).await?;
            inner.read(cursor.try_collect()).await?
        };
        let ids: Vec<Bson> = found
            .into_iter()
            .filter_map(|mut found| found.remove("_id"))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let some = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        // One that was written anew meanwhile stays.
        let still = doc! { "_id": { "$in": ids }, EXPIRES_AT: expired.clone() };
        let removed = inner.write(documents.delete_many(still)).await?;
        report.purged_documents += removed.deleted_count;
        if some < STEP_DOCUMENTS {
            return Ok(());
        }
    }
}
