//! Logs: a head for each, which holds the newest entries and decides everything; full ones move on into buckets.
//!
//! | collection | document |
//! |---|---|
//! | `_storage.logs` | `{ _id: name, incarnation, first, next, weight, closed, nonce, entries: [the entries from first up to next] }` |
//! | `_storage.log_entries` | `{ _id: { i: incarnation, f: first }, next, entries: [the entries from first up to next] }` |
//!
//! An append is one update of the head, so it happens whole or not at all, and its place is decided by the same step. A head that has
//! grown to its bound takes no more; whoever meets it copies it into a bucket, which is the same whoever does it, and then
//! empties it under the condition that nobody did so before. Every step can be cut off: the next who appends goes on.

mod append;
mod head;
mod read;
mod roll;

use std::sync::Arc;

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::options::{FindOneAndDeleteOptions, UpdateOptions};
use storage_core::{Error, ErrorKind, Name, Result, Retry, random_u128};

pub(crate) use self::append::append;
pub(crate) use self::head::{binary, bits, incarnation_of, of_incarnation};
pub(crate) use self::read::read;
use crate::error::DuplicateKey;
use crate::names;
use crate::store::Inner;

/// The weight from which a head takes no more entries. An append rewrites the head in the server's memory, so it is kept small; with the
/// largest append of 8 MiB on top it stays well under the 16 MiB of a document.
const HEAD_WEIGHT: i64 = 256 * 1024;
/// What an entry weighs beside its bytes, so that 512 small ones fill a head as well.
const ENTRY_WEIGHT: i64 = 512;
/// How often a step is tried again that met somebody else's. Each time that one went on, so only a storm gets this far.
const ATTEMPTS: u32 = 64;
/// The most names one exchange asks for. At the longest name this is about 256 KiB.
const NAMES_PER_EXCHANGE: usize = 1000;

/// Closes a log, which is created if need be.
pub(crate) async fn close(inner: &Arc<Inner>, log: &Name) -> Result<()> {
    let heads = inner.collection::<Document>(names::LOGS);
    for _ in 0..ATTEMPTS {
        let update = doc! { "$set": { "closed": true }, "$setOnInsert": {
            "incarnation": random(), "first": 0_i64, "next": 0_i64, "weight": 0_i64, "nonce": random(), "entries": [],
        } };
        let options = UpdateOptions::builder().upsert(true).build();
        let close = heads
            .update_one(doc! { "_id": log.as_str() }, update)
            .with_options(options);
        match inner.write(close).await {
            Ok(_) => return Ok(()),
            // Created by somebody else at this moment.
            Err(error) if DuplicateKey::of(&error).is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Err(restless())
}

/// Deletes a log and its entries. With the head the log is gone; its buckets nobody finds any more, and sweep removes what is left of
/// them after a crash.
pub(crate) async fn delete(inner: &Arc<Inner>, log: &Name) -> Result<()> {
    let heads = inner.collection::<RawDocumentBuf>(names::LOGS);
    let options = FindOneAndDeleteOptions::builder()
        .projection(doc! { "_id": 0, "incarnation": 1 })
        .build();
    let delete = heads
        .find_one_and_delete(doc! { "_id": log.as_str() })
        .with_options(options);
    if let Some(incarnation) = inner.write(delete).await?.as_deref().and_then(incarnation_of) {
        let buckets = inner.collection::<Document>(names::LOG_ENTRIES);
        if let Err(error) = inner
            .write(buckets.delete_many(of_incarnation(incarnation)))
            .await
        {
            tracing::debug!(%error, log = log.as_str(), "left the entries of a deleted log to the next sweep");
        }
    }
    Ok(())
}

/// The names of logs after one, in byte order.
pub(crate) async fn list(inner: &Arc<Inner>, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
    let heads = inner.collection::<RawDocumentBuf>(names::LOGS);
    let mut found: Vec<Name> = Vec::new();
    while found.len() < limit {
        // Every text is greater than the empty one.
        let from = found.last().or(after).map_or("", Name::as_str);
        let asked = (limit - found.len()).min(NAMES_PER_EXCHANGE);
        let find = heads
            .find(doc! { "_id": { "$gt": from } })
            .sort(doc! { "_id": 1 })
            .projection(doc! { "_id": 1 })
            .limit(i64::try_from(asked).unwrap_or(i64::MAX))
            // Above the limit, so that the first answer is also the last.
            .batch_size(u32::try_from(asked + 1).unwrap_or(u32::MAX))
            .max_time(inner.config.operation_timeout);
        let cursor = inner.read(find).await?;
        let page: Vec<RawDocumentBuf> = inner.read(cursor.try_collect()).await?;
        for head in &page {
            // The range holds texts only.
            if let Ok(name) = head.get_str("_id") {
                found.push(Name::new(name)?);
            }
        }
        if page.len() < asked {
            break;
        }
    }
    Ok(found)
}

/// The error of a log that others change at every attempt.
fn restless() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "others changed the log at every attempt; try again",
    )
    .with_retry(Retry::Later)
}

/// 128 random bits as they are stored.
fn random() -> Bson {
    head::binary(random_u128())
}
