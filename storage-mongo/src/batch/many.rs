//! Many documents, each for itself: in as few commands as they fit into.

use std::collections::HashSet;

use bson::raw::cstr;
use futures::StreamExt;
use mongodb::bson::{Document, doc};
use storage_core::{Condition, Error, Name, PutRequest, Result, Version};

use super::{
    BYTES, OPERATIONS, Update, check_confirmed, insert_command, raw, refused, update_command, write_concern,
};
use crate::body::{VERSION, encode};
use crate::documents::{ensure_expiry, expired, put, there};
use crate::indexes;
use crate::names::collection;
use crate::store::Inner;

/// How many writes that cannot share a command are under way at a time: half of the connections there are by default.
const PARALLEL: usize = 16;

/// From so many writes on it is worth an exchange to know which of their documents are there.
const LOOK_FROM: usize = 16;

/// How writes are sent together.
#[derive(Clone, Copy)]
enum How {
    /// Over what is there, or as a new document.
    Upsert,
    /// As a new document; refused where one is. It costs a server a part of an upsert.
    Insert,
}

/// A write that can share a command with others.
struct Prepared {
    /// Its place in the call.
    at: usize,
    version: Version,
    update: Update,
}

/// Writes documents, one result each. Two writes of one id happen in their order.
pub(crate) async fn put_many(
    inner: &Inner,
    name: &Name,
    requests: &[PutRequest],
) -> Result<Vec<Result<Version>>> {
    let mut results: Vec<Option<Result<Version>>> = Vec::new();
    results.resize_with(requests.len(), || None);
    let mut start = 0;
    while start < requests.len() {
        let end = start + distinct(&requests[start..]);
        wave(inner, name, requests, start..end, &mut results).await?;
        start = end;
    }
    let expiring = requests
        .iter()
        .zip(&results)
        .any(|(request, result)| request.expires_at.is_some() && matches!(result, Some(Ok(_))));
    if expiring {
        ensure_expiry(inner, name).await;
    }
    Ok(results.into_iter().flatten().collect())
}

/// How many requests from the first on are for different ids.
fn distinct(requests: &[PutRequest]) -> usize {
    let mut ids = HashSet::new();
    requests
        .iter()
        .take_while(|request| ids.insert(&request.id))
        .count()
}

async fn wave(
    inner: &Inner,
    name: &Name,
    requests: &[PutRequest],
    places: std::ops::Range<usize>,
    results: &mut [Option<Result<Version>>],
) -> Result<()> {
    let indexes = inner.catalog.recent(inner, name).await?;
    let mut alone = Vec::new();
    let mut together = Vec::new();
    for at in places {
        let request = &requests[at];
        // What does not fit an index, or a command, is told why by the way of a single write.
        let prepared = match indexes::check(&indexes, &request.body) {
            Ok(()) => prepare(at, request)?,
            Err(_) => None,
        };
        match prepared {
            Some(prepared) => together.push(prepared),
            None => alone.push(at),
        }
    }
    let (known, new) = apart(inner, name, requests, together).await;
    for (prepared, how) in [(known, How::Upsert), (new, How::Insert)] {
        for chunk in chunks(&prepared) {
            match send(inner, name, chunk, how).await {
                Ok(refused) => {
                    for (place, prepared) in chunk.iter().enumerate() {
                        // Nothing was changed by what was refused; alone it finds out by what.
                        if refused.contains(&place) {
                            alone.push(prepared.at);
                        } else {
                            results[prepared.at] = Some(Ok(prepared.version.clone()));
                        }
                    }
                }
                Err(error) => {
                    for prepared in chunk {
                        results[prepared.at] = Some(Err(again(&error)));
                    }
                }
            }
        }
    }
    let mut done = futures::stream::iter(alone)
        .map(|at| async move { (at, put(inner, name, &requests[at]).await) })
        .buffer_unordered(PARALLEL);
    while let Some((at, result)) = done.next().await {
        results[at] = Some(result);
    }
    Ok(())
}

fn prepare(at: usize, request: &PutRequest) -> Result<Option<Prepared>> {
    let mut filter = match request.condition {
        Condition::Always => Document::new(),
        Condition::IfAbsent => expired(request.now),
        Condition::IfVersion(_) => return Ok(None),
    };
    filter.insert("_id", request.id.as_str());
    filter.insert(VERSION, doc! { "$type": "binData" });
    let version = Version::random();
    let Ok(stored) = encode(&request.id, &version, request.expires_at, &request.body) else {
        return Ok(None);
    };
    let update = Update::new(&filter, stored, true)?;
    let fits = update.bytes() <= BYTES;
    Ok(fits.then_some(Prepared { at, version, update }))
}

/// Those whose documents are there, as far as one can tell, and those that are most likely new.
async fn apart(
    inner: &Inner,
    name: &Name,
    requests: &[PutRequest],
    together: Vec<Prepared>,
) -> (Vec<Prepared>, Vec<Prepared>) {
    if together.len() < LOOK_FROM {
        return (together, Vec::new());
    }
    let ids: Vec<_> = together
        .iter()
        .map(|prepared| &requests[prepared.at].id)
        .collect();
    match there(inner, name, &ids).await {
        Ok(there) => together
            .into_iter()
            .partition(|prepared| there.contains(requests[prepared.at].id.as_str())),
        // To write them needs no knowledge.
        Err(error) => {
            tracing::debug!(%error, "wrote documents without knowing which are there");
            (together, Vec::new())
        }
    }
}

/// As many at a time as one command takes.
fn chunks(mut prepared: &[Prepared]) -> impl Iterator<Item = &[Prepared]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = prepared.iter().take(OPERATIONS).take_while(|one| {
            bytes += one.update.bytes();
            bytes <= BYTES
        });
        let (chunk, rest) = prepared.split_at(fit.count());
        prepared = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Sends one command; gives the places in it that were refused.
async fn send(inner: &Inner, name: &Name, chunk: &[Prepared], how: How) -> Result<HashSet<usize>> {
    let (name, updates) = (collection(name), chunk.iter().map(|prepared| &prepared.update));
    let mut command = match how {
        How::Upsert => update_command(&name, updates, false),
        How::Insert => insert_command(&name, updates.map(|update| &update.change)),
    };
    command.append(cstr!("writeConcern"), raw(&write_concern())?);
    let answer = inner.write(inner.database.run_raw_command(command)).await?;
    check_confirmed(&answer)?;
    Ok(refused(&answer).into_iter().map(|refused| refused.at).collect())
}

/// The same once more, for each of those it concerns.
fn again(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned())
        .with_applied(error.applied())
        .with_retry(error.retry())
        .with_source(error.to_string())
}
