//! Documents: reading them, and writing them one by one, each in one exchange where nothing is in the way.

mod read;
mod unique;

use bson::RawDocumentBuf;
use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use storage_core::{
    Applied, Condition, DeleteDocumentRequest, DocumentId, Error, ErrorKind, Name, PutRequest, Result, Retry,
    Timestamp, Version,
};

pub(crate) use self::read::{get, get_many, there};
pub(crate) use self::unique::{Verdict, verdict};
use crate::body::{self, EXPIRES_AT, Stored, VERSION, decode, encode, version_value};
use crate::catalog::native::Duplicate;
use crate::error::DuplicateKey;
use crate::indexes;
use crate::names::collection;
use crate::store::Inner;

/// How often a write is tried. Each failure means that somebody else changed the very document meanwhile.
pub(crate) const ATTEMPTS: usize = 16;

/// The index by which the engine purges expired documents.
const EXPIRY_INDEX: &str = "_storage.expires_at";

/// How long after its expiry a document is purged, in seconds: longer than clocks differ, so that nobody misses it who still sees it.
const PURGE_SECONDS: u64 = 60;

/// Lets through what is not expired.
pub(crate) fn live(now: Timestamp) -> Document {
    doc! { EXPIRES_AT: { "$not": { "$lte": body::time(now) } } }
}

/// Lets through what is expired.
pub(crate) fn expired(now: Timestamp) -> Document {
    doc! { EXPIRES_AT: { "$lte": body::time(now) } }
}

/// Lets through exactly this document as another program wrote it, whole.
pub(crate) fn unchanged(id: &DocumentId, whole: &RawDocumentBuf) -> Result<Document> {
    let whole = Document::try_from(&**whole).map_err(storage_core::malformed)?;
    Ok(doc! { "_id": id.as_str(), "$expr": { "$eq": ["$$ROOT", { "$literal": whole }] } })
}

/// What is there, expired or not.
pub(crate) async fn current(inner: &Inner, name: &Name, id: &DocumentId) -> Result<Option<Stored>> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    let found = inner
        .read(documents.find_one(doc! { "_id": id.as_str() }))
        .await?;
    found.map(|found| decode(&found)).transpose()
}

/// What a write came to.
enum Outcome {
    Done,
    /// Somebody was in the way and is gone, or gave way.
    Again,
}

/// Writes one document that no guard concerns.
pub(crate) async fn put(inner: &Inner, name: &Name, request: &PutRequest) -> Result<Version> {
    // One for all attempts: whatever was answered, a document of this version is this write.
    let version = Version::random();
    let stored = encode(&request.id, &version, request.expires_at, &request.body)?;
    for _ in 0..ATTEMPTS {
        check(inner, name, request).await?;
        let outcome = match &request.condition {
            Condition::Always => put_always(inner, name, request, &stored).await?,
            Condition::IfAbsent => put_if_absent(inner, name, request, &version, &stored).await?,
            Condition::IfVersion(expected) => {
                put_if_version(inner, name, request, expected, &version, &stored).await?
            }
        };
        if let Outcome::Done = outcome {
            if request.expires_at.is_some() {
                ensure_expiry(inner, name).await;
            }
            return Ok(version);
        }
    }
    Err(contended())
}

/// Checks the document against the indexes of its collection.
async fn check(inner: &Inner, name: &Name, request: &PutRequest) -> Result<()> {
    let recent = inner.catalog.recent(inner, name).await?;
    if indexes::check(&recent, &request.body).is_ok() {
        return Ok(());
    }
    // The index may just have been dropped.
    let fresh = inner.catalog.fresh(inner, name).await?;
    let Err(refusal) = indexes::check(&fresh, &request.body) else {
        return Ok(());
    };
    if request.condition != Condition::Always {
        let current = current(inner, name, &request.id).await?;
        let current = current.filter(|stored| stored.is_live(request.now));
        request
            .condition
            .check(current.as_ref().map(|stored| &stored.document.version))?;
    }
    Err(refusal)
}

/// Over whatever this library wrote there; `_storage` tells that it did.
async fn put_always(
    inner: &Inner,
    name: &Name,
    request: &PutRequest,
    stored: &RawDocumentBuf,
) -> Result<Outcome> {
    let filter = doc! { "_id": request.id.as_str(), VERSION: { "$type": "binData" } };
    match upsert(inner, name, filter, stored).await? {
        None => Ok(Outcome::Done),
        Some(duplicate) if duplicate.is_id() => match current(inner, name, &request.id).await? {
            // Somebody else wrote it for the first time, or it is gone.
            None | Some(Stored { foreign: None, .. }) => Ok(Outcome::Again),
            Some(Stored {
                foreign: Some(whole), ..
            }) => put_over(inner, name, request, &whole, stored).await,
        },
        Some(duplicate) => give_way(inner, name, request, &duplicate).await,
    }
}

async fn put_if_absent(
    inner: &Inner,
    name: &Name,
    request: &PutRequest,
    ours: &Version,
    stored: &RawDocumentBuf,
) -> Result<Outcome> {
    let mut filter = expired(request.now);
    filter.insert("_id", request.id.as_str());
    filter.insert(VERSION, doc! { "$type": "binData" });
    match upsert(inner, name, filter, stored).await? {
        None => Ok(Outcome::Done),
        Some(duplicate) if duplicate.is_id() => {
            let current = unless_lost(current(inner, name, &request.id).await)?;
            match current.filter(|stored| stored.is_live(request.now)) {
                // The driver sends a write again whose answer was lost; a server that forgot the first then sees it twice.
                Some(found) if found.document.version == *ours => Ok(Outcome::Done),
                Some(_) => Err(Error::already_exists()),
                None => Ok(Outcome::Again),
            }
        }
        Some(duplicate) => {
            let current = unless_lost(current(inner, name, &request.id).await)?;
            if current.is_some_and(|stored| stored.is_live(request.now)) {
                return Err(Error::already_exists());
            }
            give_way(inner, name, request, &duplicate).await
        }
    }
}

async fn put_if_version(
    inner: &Inner,
    name: &Name,
    request: &PutRequest,
    expected: &Version,
    ours: &Version,
    stored: &RawDocumentBuf,
) -> Result<Outcome> {
    if let Some(version) = version_value(expected) {
        let mut filter = live(request.now);
        filter.insert("_id", request.id.as_str());
        filter.insert(VERSION, version);
        match replace(inner, name, filter, stored).await? {
            Replaced::Yes => return Ok(Outcome::Done),
            Replaced::No => {}
            Replaced::Duplicate(duplicate) => return give_way(inner, name, request, &duplicate).await,
        }
    }
    let current = unless_lost(current(inner, name, &request.id).await)?;
    if current
        .as_ref()
        .is_some_and(|stored| stored.document.version == *ours)
    {
        return Ok(Outcome::Done);
    }
    let current = current.filter(|stored| stored.is_live(request.now));
    request
        .condition
        .check(current.as_ref().map(|stored| &stored.document.version))?;
    match current.and_then(|stored| stored.foreign) {
        Some(whole) => put_over(inner, name, request, &whole, stored).await,
        None => Ok(Outcome::Again),
    }
}

/// What is there after a write was refused, which may have been done before when it was sent the first time: where that cannot be seen,
/// nobody knows.
fn unless_lost<T>(looked: Result<T>) -> Result<T> {
    looked.map_err(|error| match error.kind() {
        ErrorKind::Corrupt => error,
        _ => error.with_applied(Applied::Unknown),
    })
}

/// Over a document of another program, if it is still what was read.
async fn put_over(
    inner: &Inner,
    name: &Name,
    request: &PutRequest,
    whole: &RawDocumentBuf,
    stored: &RawDocumentBuf,
) -> Result<Outcome> {
    let filter = unchanged(&request.id, whole)?;
    match replace(inner, name, filter, stored).await? {
        Replaced::Yes => Ok(Outcome::Done),
        Replaced::No => Ok(Outcome::Again),
        Replaced::Duplicate(duplicate) => give_way(inner, name, request, &duplicate).await,
    }
}

/// Replaces what the filter lets through, or inserts. Gives the collision with a unique index, if there was one.
async fn upsert(
    inner: &Inner,
    name: &Name,
    filter: Document,
    stored: &RawDocumentBuf,
) -> Result<Option<Duplicate>> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    match inner
        .write(documents.replace_one(filter, stored).upsert(true))
        .await
    {
        Ok(_) => Ok(None),
        Err(error) => collision(inner, name, error).map(Some),
    }
}

enum Replaced {
    Yes,
    No,
    Duplicate(Duplicate),
}

async fn replace(inner: &Inner, name: &Name, filter: Document, stored: &RawDocumentBuf) -> Result<Replaced> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    match inner.write(documents.replace_one(filter, stored)).await {
        Ok(done) if done.matched_count == 0 => Ok(Replaced::No),
        Ok(_) => Ok(Replaced::Yes),
        Err(error) => collision(inner, name, error).map(Replaced::Duplicate),
    }
}

/// With what a write collided; any other error as it is.
fn collision(inner: &Inner, name: &Name, error: Error) -> Result<Duplicate> {
    let Some(duplicate) = DuplicateKey::of(&error) else {
        return Err(error);
    };
    Duplicate::of(&duplicate, &namespace(inner, name)).ok_or(error)
}

/// What the server calls a collection.
pub(crate) fn namespace(inner: &Inner, name: &Name) -> String {
    format!("{}.{}", inner.database.name(), collection(name))
}

/// Who holds a unique key and is expired gives way; otherwise it is a violation.
async fn give_way(
    inner: &Inner,
    name: &Name,
    request: &PutRequest,
    duplicate: &Duplicate,
) -> Result<Outcome> {
    match verdict(inner, name, request, duplicate).await? {
        Verdict::Violation(error) => Err(error),
        Verdict::Gone => Ok(Outcome::Again),
    }
}

/// Deletes one document that no guard concerns; `true` if it was there.
pub(crate) async fn delete(inner: &Inner, name: &Name, request: &DeleteDocumentRequest) -> Result<bool> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    let mut filter = live(request.now);
    filter.insert("_id", request.id.as_str());
    let Some(expected) = &request.if_version else {
        let deleted = inner.write(documents.delete_one(filter)).await?;
        return Ok(deleted.deleted_count == 1);
    };
    for _ in 0..ATTEMPTS {
        if let Some(version) = version_value(expected) {
            let mut filter = filter.clone();
            filter.insert(VERSION, version);
            if inner.write(documents.delete_one(filter)).await?.deleted_count == 1 {
                return Ok(true);
            }
        }
        let current = current(inner, name, &request.id).await?;
        let current = current.filter(|stored| stored.is_live(request.now));
        Condition::IfVersion(expected.clone())
            .check(current.as_ref().map(|stored| &stored.document.version))?;
        if let Some(whole) = current.and_then(|stored| stored.foreign) {
            let filter = unchanged(&request.id, &whole)?;
            if inner.write(documents.delete_one(filter)).await?.deleted_count == 1 {
                return Ok(true);
            }
        }
    }
    Err(contended())
}

/// Lets the engine purge expired documents of a collection, once for each handle. It is housekeeping: expiry is decided where documents are
/// read, so a user who may not make indexes loses nothing but room.
pub(crate) async fn ensure_expiry(inner: &Inner, name: &Name) {
    if !inner.catalog.expiry_is_wanted(name) {
        return;
    }
    let options = IndexOptions::builder()
        .name(EXPIRY_INDEX.to_owned())
        .expire_after(std::time::Duration::from_secs(PURGE_SECONDS))
        .build();
    let index = IndexModel::builder()
        .keys(doc! { EXPIRES_AT: 1 })
        .options(options)
        .build();
    let documents = inner.collection::<Document>(&collection(name));
    match inner.write(documents.create_index(index)).await {
        Ok(_) => inner.catalog.expiry_is_ensured(name),
        Err(error) => tracing::warn!(collection = %name, %error, "expired documents are left to sweep"),
    }
}

/// The names of collections after one, in byte order.
pub(crate) async fn collections(inner: &Inner, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
    let stored = inner.read(inner.database.list_collection_names()).await?;
    let mut names: Vec<Name> = stored
        .iter()
        .filter(|stored| !crate::names::is_own(stored))
        .filter_map(|stored| crate::names::decode(stored))
        .filter(|name| after.is_none_or(|after| name > after))
        .collect();
    names.sort_unstable();
    names.truncate(limit);
    Ok(names)
}

/// Others kept changing the very documents.
pub(crate) fn contended() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "other writers were in the way of every attempt; try again",
    )
    .with_retry(Retry::Later)
}
