//! Building an index over documents that are there.

use std::collections::HashMap;

use storage_core::IndexKeys;

use super::*;
use crate::error::{DuplicateKey, INDEX_KEY_SPECS_CONFLICT, INDEX_OPTIONS_CONFLICT};

/// Who made an index ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Built {
    ByUs,
    BySomebodyElse,
    /// It was refused or dropped meanwhile.
    GivenUp,
}

/// Checks every document, and has the engine build what it has not.
///
/// # Errors
/// `InvalidArgument`, `LimitExceeded` or `UniqueViolation`, naming the document that does not fit.
pub(super) async fn build(inner: &Inner, name: &Name, registered: &Registered, now: Timestamp) -> Result<()> {
    let index = &registered.definition;
    examine(inner, name, index, now, |_, keys| keys.map(drop)).await?;
    let ordered = Native::ordered(index, &registered.ordered);
    create_native(inner, name, &ordered)
        .await
        .map_err(|error| foreign(index, error))?;
    let Some(unique) = &registered.unique else {
        return Ok(());
    };
    let unique = Native::unique(index, unique);
    match create_native(inner, name, &unique).await {
        Err(error) if DuplicateKey::of(&error).is_some() => {}
        answer => return answer.map_err(|error| foreign(index, error)),
    }
    // The engine counts expired documents, which have to give way.
    purge(inner, name, now).await?;
    match create_native(inner, name, &unique).await {
        Err(error) if DuplicateKey::of(&error).is_some() => {
            find_duplicate(inner, name, index, now).await?;
            // Nothing is there twice any more: whoever was in the way is gone.
            Err(contended())
        }
        answer => answer.map_err(|error| foreign(index, error)),
    }
}

/// Removes every expired document.
async fn purge(inner: &Inner, name: &Name, now: Timestamp) -> Result<()> {
    let documents = inner.collection::<Document>(&collection(name));
    let expired = doc! { EXPIRES_AT: { "$lte": time(now) } };
    inner.write(documents.delete_many(expired)).await.map(drop)
}

/// Names two documents with one key.
async fn find_duplicate(inner: &Inner, name: &Name, index: &Index, now: Timestamp) -> Result<()> {
    let mut holders: HashMap<Vec<u8>, String> = HashMap::new();
    examine(inner, name, index, now, |id, keys| {
        let keys = keys?;
        if !keys.complete {
            return Ok(());
        }
        for key in keys.keys {
            if let Some(holder) = holders.insert(key, id.to_owned()) {
                return Err(Error::unique_violation(&index.name, holder).with_context("document", id));
            }
        }
        Ok(())
    })
    .await
}

/// An index of somebody else's over the same fields: it is not for us to drop.
fn foreign(index: &Index, error: Error) -> Error {
    match code(&error) {
        Some(INDEX_OPTIONS_CONFLICT | INDEX_KEY_SPECS_CONFLICT) => {
            let message = format!(
                "another index over the fields of index {:?} stands in the collection with other options; drop it in the database",
                index.name
            );
            Error::new(ErrorKind::AlreadyExists, message).with_source(error)
        }
        _ => error,
    }
}

/// Hands over the keys of every live document. One that cannot be read is left out: queries name it.
///
/// # Errors
/// What `visit` says, with the document named.
pub(super) async fn examine(
    inner: &Inner,
    name: &Name,
    index: &Index,
    now: Timestamp,
    mut visit: impl FnMut(&str, Result<IndexKeys>) -> Result<()> + Send,
) -> Result<()> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    let live = doc! { EXPIRES_AT: { "$not": { "$lte": time(now) } } };
    let find = documents.find(live).projection(projection(index));
    let mut cursor = inner.read(find).await?;
    while let Some(found) = inner.read(cursor.try_next()).await? {
        let Ok(stored) = decode(&found) else { continue };
        let id = stored.document.id.as_str();
        let keys = index.keys(&stored.document.body, MAX_KEY_BYTES);
        visit(id, keys).map_err(|error| error.with_context("document", id))?;
    }
    Ok(())
}

/// Only what an index looks at. A path within another one's value comes with that.
fn projection(index: &Index) -> Document {
    let mut wanted = doc! { "_storage": 1 };
    for field in &index.fields {
        let within = |outer: &&storage_core::FieldPath| {
            outer.segments().len() < field.segments().len() && field.segments().starts_with(outer.segments())
        };
        if !index.fields.iter().any(|outer| within(&outer)) {
            wanted.insert(names::path(field), 1);
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_within_another_is_not_asked_for_twice() {
        let index = Index::btree("x", ["a.b", "a", "ab", "c.d"]);
        assert_eq!(
            projection(&index),
            doc! { "_storage": 1, "a": 1, "ab": 1, "c.d": 1 }
        );
    }
}
