//! Who holds a key of a unique index.

use bson::RawDocumentBuf;
use bson::raw::RawBsonRef;
use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};
use storage_core::{DocumentId, Error, ErrorKind, Index, Name, PutRequest, Result, Timestamp};

use super::expired;
use crate::body::names::path;
use crate::body::{Stored, VERSION, decode, name_of, version_value};
use crate::catalog::native::{Duplicate, is_ours};
use crate::indexes::drop_native;
use crate::names::collection;
use crate::query::filter::stored_value;
use crate::store::Inner;

/// What a collision with a unique index comes to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Another document has the key.
    Violation(Error),
    /// Nobody has it any more.
    Gone,
}

/// Finds the holder of the key a document collided with. Who is expired is removed.
pub(crate) async fn verdict(
    inner: &Inner,
    name: &Name,
    request: &PutRequest,
    duplicate: &Duplicate,
) -> Result<Verdict> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    let mut concerned = indexes.of_unique(duplicate).peekable();
    if concerned.peek().is_none() {
        return unknown(inner, name, duplicate).await;
    }
    for registered in concerned {
        if let Some(violation) = held(inner, name, request, &registered.definition).await? {
            return Ok(Verdict::Violation(violation));
        }
    }
    Ok(Verdict::Gone)
}

/// The violation, if another document has a key of this one in the index. Who is expired is removed.
async fn held(inner: &Inner, name: &Name, request: &PutRequest, index: &Index) -> Result<Option<Error>> {
    let Some(filter) = holder_filter(index, &request.body, &request.id)? else {
        return Ok(None);
    };
    let ours = index.keys(&request.body, u64::MAX)?.keys;
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    let mut cursor = inner.read(documents.find(filter)).await?;
    let mut violation = None;
    while let Some(found) = inner.read(cursor.try_next()).await? {
        let Ok(holder) = decode(&found) else {
            // The engine says that the key is taken, and by this one as likely as by any.
            violation = Some(Error::unique_violation(&index.name, name_of(&found)));
            continue;
        };
        let keys = index.keys(&holder.document.body, u64::MAX);
        if !keys.is_ok_and(|keys| keys.complete && keys.keys.iter().any(|key| ours.contains(key))) {
            continue;
        }
        if holder.is_live(request.now) {
            let id = holder.document.id.as_str();
            return Ok(Some(Error::unique_violation(&index.name, id)));
        }
        remove(inner, name, &holder, request.now).await?;
    }
    Ok(violation)
}

/// A unique index that is not in the catalog: a leftover of ours is dropped, another program's is to be obeyed.
async fn unknown(inner: &Inner, name: &Name, duplicate: &Duplicate) -> Result<Verdict> {
    let documents = inner.collection::<Document>(&collection(name));
    let mut natives = inner.read(documents.list_indexes()).await?;
    let mut foreign = None;
    while let Some(native) = inner.read(natives.try_next()).await? {
        let Some(native_name) = native.options.as_ref().and_then(|options| options.name.clone()) else {
            continue;
        };
        let concerned = match duplicate {
            Duplicate::Keys(keys) => native.keys.keys().eq(keys.keys()),
            Duplicate::Named(named) => *named == native_name,
        };
        if concerned && is_ours(&native_name) {
            // It was registered meanwhile, or whoever built it died before the catalog knew.
            let indexes = inner.catalog.fresh(inner, name).await?;
            if !indexes
                .indexes
                .iter()
                .any(|index| index.unique.as_ref() == Some(&native_name))
            {
                drop_native(inner, name, &native_name).await?;
            }
            return Ok(Verdict::Gone);
        }
        if concerned {
            foreign = Some(native_name);
        }
    }
    Ok(foreign.map_or(Verdict::Gone, |index| {
        let message = format!("a unique index of another program, {index:?}, refuses the document");
        Verdict::Violation(Error::new(ErrorKind::UniqueViolation, message).with_context("index", index))
    }))
}

/// Lets through other documents that may have a key in common with this one. `None` where it has no key.
pub(crate) fn holder_filter(
    index: &Index,
    body: &bson::RawDocument,
    id: &DocumentId,
) -> Result<Option<Document>> {
    let mut filter = doc! { "_id": { "$ne": id.as_str() } };
    for field in &index.fields {
        let Some(value) = field.lookup(body)? else {
            return Ok(None);
        };
        let condition = match value {
            RawBsonRef::Array(elements) if index.each => {
                let elements: Result<Vec<Bson>> = elements
                    .into_iter()
                    .map(|element| element.and_then(Bson::try_from).map_err(storage_core::malformed))
                    .collect();
                doc! { "$in": elements?.iter().map(stored_value).collect::<Vec<_>>() }
            }
            value => {
                let value = Bson::try_from(value).map_err(storage_core::malformed)?;
                doc! { "$eq": stored_value(&value), "$exists": true }
            }
        };
        filter.insert(path(field), condition);
    }
    Ok(Some(filter))
}

/// Removes an expired document, if it is still the one that was read.
async fn remove(inner: &Inner, name: &Name, holder: &Stored, now: Timestamp) -> Result<()> {
    let Some(version) = version_value(&holder.document.version) else {
        return Ok(());
    };
    let mut filter = expired(now);
    filter.insert("_id", holder.document.id.as_str());
    filter.insert(VERSION, version);
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    inner.write(documents.delete_one(filter)).await.map(drop)
}
