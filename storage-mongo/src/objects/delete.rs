//! Deleting: the head, then the bytes it named.

use bson::{Bson, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::options::FindOneAndDeleteOptions;
use storage_core::{Area, Condition, Error, Key, Result, Version};

use super::head::{Blob, named_blob, version_value};
use super::heads_of;
use super::publish::{current, free, only_blob};
use super::upload::remove_chunks;
use crate::store::Inner;

/// How many keys one exchange names: at the longest key a command of about 1 MiB.
const KEYS_PER_EXCHANGE: usize = 1000;

/// Deletes an object.
pub(crate) async fn delete(inner: &Inner, area: Area, key: &Key, if_version: Option<&Version>) -> Result<()> {
    let filter = match if_version {
        None => Some(doc! { "_id": key.as_str() }),
        Some(version) => {
            version_value(version).map(|version| doc! { "_id": key.as_str(), "version": version })
        }
    };
    if let Some(filter) = filter {
        let options = FindOneAndDeleteOptions::builder()
            .projection(only_blob(inner))
            .build();
        let heads = heads_of::<RawDocumentBuf>(inner, area);
        let delete = heads.find_one_and_delete(filter).with_options(options);
        if let Some(before) = inner.write(delete).await? {
            if let Some(blob) = named_blob(&before) {
                free(inner, blob).await;
            }
            return Ok(());
        }
    }
    match if_version {
        None => Ok(()),
        Some(expected) => {
            let found = current(inner, area, key).await?;
            // Whoever wrote it again meanwhile did so after the version was gone.
            Condition::IfVersion(expected.clone())
                .check(found.as_ref())
                .and(Err(Error::precondition_failed(found.as_ref())))
        }
    }
}

/// Deletes many objects, two exchanges for a thousand of them where all are small.
pub(crate) async fn delete_many(inner: &Inner, area: Area, keys: &[Key]) -> Vec<Result<()>> {
    let mut results = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS_PER_EXCHANGE) {
        let deleted = delete_some(inner, area, keys).await;
        results.extend(keys.iter().map(|key| match &deleted {
            Ok(()) => Ok(()),
            Err(error) => Err(same(error).with_key(key.as_str())),
        }));
    }
    results
}

async fn delete_some(inner: &Inner, area: Area, keys: &[Key]) -> Result<()> {
    let ids: Vec<Bson> = keys.iter().map(|key| Bson::from(key.as_str())).collect();
    let heads = heads_of::<RawDocumentBuf>(inner, area);
    let find = heads
        .find(doc! { "_id": { "$in": &ids }, "blob": { "$exists": true } })
        .projection(doc! { "_id": 0, "blob": 1 })
        .max_time(inner.config.operation_timeout);
    let named: Vec<RawDocumentBuf> = {
        let cursor = inner.read(find).await?;
        inner.read(cursor.try_collect()).await?
    };
    let blobs: Vec<Blob> = named.iter().filter_map(|head| named_blob(head)).collect();
    inner
        .write(heads.delete_many(doc! { "_id": { "$in": ids } }))
        .await?;
    // What was replaced between the two exchanges leaves a blob that sweep finds.
    if let Err(error) = remove_chunks(inner, &blobs).await {
        tracing::debug!(%error, "left the bytes of deleted objects to the next sweep");
    }
    Ok(())
}

/// One failure, told to each of those it is about.
fn same(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned())
        .with_applied(error.applied())
        .with_retry(error.retry())
}
