//! Appending: one update of the head where there is room in it.

use std::sync::Arc;

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, RawDocumentBuf, doc};
use bytes::Bytes;
use mongodb::options::{FindOneAndUpdateOptions, ReturnDocument};
use storage_core::{AppendRequest, Appended, Applied, Error, ErrorKind, Name, Result, random_u128};

use super::head::{Head, binary, load, sequence, stored, weight};
use super::read::read;
use super::roll::roll;
use super::{ATTEMPTS, HEAD_WEIGHT, random, restless};
use crate::error::DuplicateKey;
use crate::names;
use crate::store::Inner;

/// Appends entries, all or none.
pub(crate) async fn append(inner: &Arc<Inner>, log: &Name, request: &AppendRequest) -> Result<Appended> {
    let AppendRequest {
        entries, expected, ..
    } = request;
    let count = entries.len() as u64;
    if count == 0 {
        return nothing(inner, log, *expected).await;
    }
    let nonce = random_u128();
    // Who expects the beginning most likely means to make it.
    if *expected == Some(0) && create(inner, log, entries, nonce).await? {
        return Ok(ending(count, count));
    }
    for _ in 0..ATTEMPTS {
        if let Some(next) = push(inner, log, entries, *expected, nonce).await? {
            return Ok(ending(next, count));
        }
        // The driver sends an append again whose answer was lost. A server that forgot the first finds it done.
        let head = load(inner, log)
            .await
            .map_err(|error| error.with_applied(Applied::Unknown))?;
        let Some(head) = head else {
            match expected {
                None | Some(0) => {}
                Some(expected) => return Err(Error::log_moved(*expected, 0)),
            }
            if create(inner, log, entries, nonce).await? {
                return Ok(ending(count, count));
            }
            continue;
        };
        if head.nonce == Some(nonce) {
            return Ok(ending(head.next, count));
        }
        if let Some(expected) = *expected
            && expected != head.next
        {
            return appended_before(inner, log, expected, entries, &head).await;
        }
        if head.closed {
            return Err(closed());
        }
        if head.is_full() {
            // Whatever became of that, nothing of this append is done.
            roll(inner, log, &head)
                .await
                .map_err(|error| error.with_applied(Applied::No))?;
        }
    }
    Err(restless())
}

/// Adds the entries to the head and gives its new end; `None` where there is none, it takes no more, or it ends elsewhere.
async fn push(
    inner: &Inner,
    log: &Name,
    entries: &[Bytes],
    expected: Option<u64>,
    nonce: u128,
) -> Result<Option<u64>> {
    let heads = inner.collection::<RawDocumentBuf>(names::LOGS);
    let mut at = doc! {
        "_id": log.as_str(),
        "closed": false,
        "weight": { "$lt": HEAD_WEIGHT },
        "nonce": { "$ne": binary(nonce) },
    };
    if let Some(expected) = expected {
        at.insert("next", stored(expected));
    }
    let added: Vec<Bson> = entries.iter().map(entry).collect();
    let update = doc! {
        "$push": { "entries": { "$each": added } },
        "$inc": { "next": stored(entries.len() as u64), "weight": weight(entries) },
        "$set": { "nonce": binary(nonce) },
    };
    let options = FindOneAndUpdateOptions::builder()
        .return_document(ReturnDocument::After)
        .projection(doc! { "_id": 0, "next": 1 })
        .build();
    let push = heads.find_one_and_update(at, update).with_options(options);
    let after = inner.write(push).await?;
    after.map(|after| end_of(log, &after)).transpose()
}

/// Begins a log with its first entries; `false` where there is one. Not by an upsert: of those that race, a server may answer nothing
/// though it appended.
async fn create(inner: &Inner, log: &Name, entries: &[Bytes], nonce: u128) -> Result<bool> {
    let added: Vec<Bson> = entries.iter().map(entry).collect();
    let head = doc! {
        "_id": log.as_str(),
        "incarnation": random(),
        "first": 0_i64,
        "next": stored(entries.len() as u64),
        "weight": weight(entries),
        "closed": false,
        "nonce": binary(nonce),
        "entries": added,
    };
    let heads = inner.collection::<Document>(names::LOGS);
    match inner.write(heads.insert_one(head)).await {
        Ok(_) => Ok(true),
        Err(error) if DuplicateKey::of(&error).is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

fn entry(bytes: &Bytes) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

fn end_of(log: &Name, head: &RawDocumentBuf) -> Result<u64> {
    let next = head.get("next").ok().flatten().and_then(sequence);
    next.ok_or_else(|| {
        Error::corrupt(
            log.as_str(),
            "the head of the log cannot be read; restore it, or delete the log",
        )
        .with_applied(Applied::Unknown)
    })
}

const fn ending(next: u64, count: u64) -> Appended {
    Appended {
        first: next.saturating_sub(count),
        next,
    }
}

/// An append of nothing: it stands everywhere up to the end.
async fn nothing(inner: &Inner, log: &Name, expected: Option<u64>) -> Result<Appended> {
    let head = load(inner, log).await?;
    let end = head.as_ref().map_or(0, |head| head.next);
    match expected {
        None if head.is_some_and(|head| head.closed) => Err(closed()),
        Some(expected) if expected > end => Err(Error::log_moved(expected, end)),
        expected => {
            let first = expected.unwrap_or(end);
            Ok(Appended { first, next: first })
        }
    }
}

/// Whether exactly these entries already stand where they were expected.
async fn appended_before(
    inner: &Inner,
    log: &Name,
    expected: u64,
    entries: &[Bytes],
    head: &Head,
) -> Result<Appended> {
    let moved = || Error::log_moved(expected, head.next);
    let next = expected
        .checked_add(entries.len() as u64)
        .filter(|next| *next <= head.next)
        .ok_or_else(moved)?;
    let mut rest = entries;
    while !rest.is_empty() {
        let page = read(inner, log, next - rest.len() as u64, rest.len()).await?;
        let same_life = page.incarnation.and_then(|life| life.as_u128()) == Some(head.incarnation);
        let equal = page
            .entries
            .iter()
            .zip(rest)
            .all(|(standing, entry)| standing.bytes == *entry);
        if !same_life || !equal || page.entries.is_empty() {
            return Err(moved());
        }
        rest = &rest[page.entries.len()..];
    }
    Ok(Appended {
        first: expected,
        next,
    })
}

fn closed() -> Error {
    Error::new(ErrorKind::LogClosed, "the log is closed; delete it to begin anew")
}
