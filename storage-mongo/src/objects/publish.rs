//! [`publish`]: the one write by which an object changes.

use std::sync::Arc;

use bson::{Document, RawDocumentBuf, doc};
use mongodb::ClientSession;
use mongodb::options::{FindOneAndReplaceOptions, ReturnDocument};
use storage_core::{
    Applied, Area, Condition, Error, ErrorKind, Key, ObjectGuard, Result, Retry, Version, WriteRequest,
};

use super::head::{Blob, Head, meta, named_blob, version_value};
use super::heads_of;
use super::upload::remove_chunks;
use crate::error::DuplicateKey;
use crate::session::transaction;
use crate::store::Inner;

/// How often an unconditional write is tried that met another which created the key at the same moment. One that finds the key there
/// replaces it, so only a key that is deleted again and again gets this far.
const ATTEMPTS: u32 = 32;

/// Replaces a key's head under the condition and guard of the request, and removes the blob that was named before.
pub(super) async fn publish(
    inner: &Arc<Inner>,
    area: Area,
    key: &Key,
    head: &Head,
    request: &WriteRequest,
) -> Result<Version> {
    let document = head.encode(key);
    let replaced = match (&request.guard, &request.condition) {
        (Some(guard), condition) => {
            let write = Guarded {
                inner: Arc::clone(inner),
                area,
                key: key.clone(),
                document,
                condition: condition.clone(),
                guard: guard.clone(),
            };
            transaction(inner, |session| Box::pin(write.clone().apply(session))).await?
        }
        (None, Condition::Always) => always(inner, area, key, &document).await?,
        (None, Condition::IfAbsent) => {
            if_absent(inner, area, key, &document, &head.meta.version).await?;
            None
        }
        (None, Condition::IfVersion(expected)) => {
            if_version(inner, area, key, &document, expected, &head.meta.version).await?
        }
    };
    if let Some(blob) = replaced {
        free(inner, blob).await;
    }
    Ok(head.meta.version.clone())
}

/// Removes a blob whose head was replaced or deleted.
pub(super) async fn free(inner: &Inner, blob: Blob) {
    if let Err(error) = remove_chunks(inner, &[blob]).await {
        tracing::debug!(%error, ?blob, "left the bytes of a replaced object to the next sweep");
    }
}

/// Of a replaced head the answer brings the blob, and where the server can leave out the rest, nothing else.
pub(super) fn only_blob(inner: &Inner) -> Option<Document> {
    // FerretDB, whose updates are not atomic, refuses projections here as well.
    inner
        .deployment
        .compare_and_swap
        .then(|| doc! { "_id": 0, "blob": 1 })
}

fn replacing(inner: &Inner, upsert: bool) -> FindOneAndReplaceOptions {
    FindOneAndReplaceOptions::builder()
        .upsert(upsert)
        .return_document(ReturnDocument::Before)
        .projection(only_blob(inner))
        .build()
}

async fn always(inner: &Inner, area: Area, key: &Key, document: &RawDocumentBuf) -> Result<Option<Blob>> {
    let heads = heads_of::<RawDocumentBuf>(inner, area);
    for _ in 0..ATTEMPTS {
        let simple = heads.replace_one(without_blob(key), document).upsert(true);
        match inner.write(simple).await {
            Ok(_) => return Ok(None),
            // There is one with a blob.
            Err(error) if DuplicateKey::of(&error).is_some() => {}
            Err(error) => return Err(error),
        }
        let replace = heads
            .find_one_and_replace(doc! { "_id": key.as_str() }, document)
            .with_options(replacing(inner, true));
        match inner.write(replace).await {
            Ok(before) => return Ok(before.and_then(|before| named_blob(&before))),
            Err(error) if DuplicateKey::of(&error).is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Err(busy())
}

/// Lets through the head of an object that has no blob to be freed: most objects are small, and to replace one without asking what was
/// there takes a server half as long.
fn without_blob(key: &Key) -> Document {
    doc! { "_id": key.as_str(), "blob": null }
}

async fn if_absent(
    inner: &Inner,
    area: Area,
    key: &Key,
    document: &RawDocumentBuf,
    ours: &Version,
) -> Result<()> {
    let heads = heads_of::<RawDocumentBuf>(inner, area);
    match inner.write(heads.insert_one(document)).await {
        Ok(_) => Ok(()),
        // The driver sends a write again whose answer was lost; a server that forgot the first then sees it twice.
        Err(error) if DuplicateKey::of(&error).is_some() => match current(inner, area, key).await {
            Ok(Some(found)) if found == *ours => Ok(()),
            _ => Err(Error::already_exists()),
        },
        Err(error) => Err(error),
    }
}

async fn if_version(
    inner: &Inner,
    area: Area,
    key: &Key,
    document: &RawDocumentBuf,
    expected: &Version,
    ours: &Version,
) -> Result<Option<Blob>> {
    if let Some(version) = version_value(expected) {
        let heads = heads_of::<RawDocumentBuf>(inner, area);
        let mut simple = without_blob(key);
        simple.insert("version", version.clone());
        if inner
            .write(heads.replace_one(simple, document))
            .await?
            .matched_count
            == 1
        {
            return Ok(None);
        }
        let replace = heads
            .find_one_and_replace(doc! { "_id": key.as_str(), "version": version }, document)
            .with_options(replacing(inner, false));
        if let Some(before) = inner.write(replace).await? {
            return Ok(named_blob(&before));
        }
    }
    let found = current(inner, area, key).await;
    match found {
        // Ours, sent twice and applied the first time. What it replaced is left to sweep.
        Ok(Some(found)) if found == *ours => Ok(None),
        Ok(found) => Err(Error::precondition_failed(found.as_ref())),
        // That it was refused is certain; what is there instead is not.
        Err(error) if error.kind() == ErrorKind::Corrupt => Err(error),
        Err(_) => Err(Error::new(
            ErrorKind::PreconditionFailed,
            "it was changed since: the version asked for is not the current one",
        )),
    }
}

/// The version that is there now.
pub(super) async fn current(inner: &Inner, area: Area, key: &Key) -> Result<Option<Version>> {
    Ok(super::stat(inner, area, key).await?.map(|meta| meta.version))
}

fn busy() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the key was created and deleted by others at every attempt to write it; try again",
    )
    .with_retry(Retry::Later)
    .with_applied(Applied::No)
}

/// A write that depends on a second object.
#[derive(Clone)]
struct Guarded {
    inner: Arc<Inner>,
    area: Area,
    key: Key,
    document: RawDocumentBuf,
    condition: Condition,
    guard: ObjectGuard,
}

impl Guarded {
    async fn apply(self, session: &mut ClientSession) -> Result<Option<Blob>> {
        let current = self.version_of(session, &self.key).await?;
        self.condition.check(current.as_ref())?;
        let guarding = if self.guard.key == self.key {
            current.clone()
        } else {
            self.version_of(session, &self.guard.key).await?
        };
        if guarding.as_ref() != Some(&self.guard.version) {
            return Err(Error::guard_failed(self.guard.key.as_str()));
        }
        let heads = heads_of::<RawDocumentBuf>(&self.inner, self.area);
        if self.guard.key != self.key {
            // To read it is not enough: only what both write makes two transactions meet.
            let touch = doc! { "$set": { "guarded": version_value(&Version::random()) } };
            let touched = heads
                .update_one(doc! { "_id": self.guard.key.as_str() }, touch)
                .session(&mut *session);
            self.inner.write(touched).await?;
        }
        let replace = heads
            .find_one_and_replace(doc! { "_id": self.key.as_str() }, &self.document)
            .with_options(replacing(&self.inner, true))
            .session(session);
        match self.inner.write(replace).await {
            Ok(before) => Ok(before.and_then(|before| named_blob(&before))),
            // Created since the transaction began.
            Err(error) if DuplicateKey::of(&error).is_some() => Err(busy()),
            Err(error) => Err(error),
        }
    }

    async fn version_of(&self, session: &mut ClientSession, key: &Key) -> Result<Option<Version>> {
        let heads = heads_of::<RawDocumentBuf>(&self.inner, self.area);
        let find = heads
            .find_one(doc! { "_id": key.as_str() })
            .projection(doc! { "version": 1, "size": 1, "modified": 1 })
            .session(session);
        let found = self.inner.read(find).await?;
        found
            .map(|found| meta(key.as_str(), &found).map(|meta| meta.version))
            .transpose()
    }
}
