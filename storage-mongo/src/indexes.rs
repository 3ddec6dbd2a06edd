//! Indexes: making, dropping, building anew and counting them.
//!
//! An index is registered as building, [`LEASE`] is waited out so that every writer checks its documents against it, the documents that
//! are there are looked at, the engine builds its own index, and then the index is ready. Each of these can be repeated, so whoever
//! finds an index half made goes on with it: a process that died in between is in nobody's way.

mod build;

use std::collections::HashSet;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use sha2::{Digest, Sha256};
use storage_core::bson::RawDocumentBuf;
use storage_core::{Error, ErrorKind, Index, IndexInfo, IndexStats, Name, Result, Retry, Timestamp};

use self::build::{Built, build, examine};
use crate::body::{EXPIRES_AT, decode, names, time};
use crate::catalog::native::Native;
use crate::catalog::{Indexes, LEASE, Registered, State};
use crate::error::{INDEX_NOT_FOUND, Kind, NAMESPACE_NOT_FOUND, classify, code};
use crate::names::collection;
use crate::store::Inner;

/// The longest key, in bytes, as declared: what every backend of ours takes, so that data can move.
pub(crate) const MAX_KEY_BYTES: u64 = 512;

/// How often a change of the catalog is tried. Each failure means that somebody else changed the same collection's indexes.
const ATTEMPTS: usize = 64;

/// Checks a document against every index of its collection.
///
/// # Errors
/// As [`Index::keys`].
pub(crate) fn check(indexes: &Indexes, body: &bson::RawDocument) -> Result<()> {
    for index in &indexes.indexes {
        index.definition.keys(body, MAX_KEY_BYTES)?;
    }
    Ok(())
}

/// Makes an index exist; `true` for whoever made it ready.
pub(crate) async fn ensure(inner: &Inner, name: &Name, index: &Index, now: Timestamp) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let indexes = inner.catalog.fresh(inner, name).await?;
        let registered = match indexes.get(&index.name) {
            Some(found) if found.definition != *index => {
                let message = format!(
                    "index {:?} exists with another definition; drop it first",
                    index.name
                );
                return Err(Error::new(ErrorKind::AlreadyExists, message));
            }
            Some(found) if found.state == State::Ready => return Ok(false),
            // Somebody is at it, or died over it. To do the same is harmless; to wait for somebody dead is not.
            Some(found) => found.clone(),
            None if indexes.dropped.is_empty() => {
                let mut after = (*indexes).clone();
                let registered = after.register(index);
                if !inner.catalog.swap(inner, name, &indexes, after).await? {
                    continue;
                }
                registered
            }
            // The engine has no two indexes with the same keys, so the old ones go first.
            None => {
                finish_drops(inner, name, &indexes).await?;
                continue;
            }
        };
        tokio::time::sleep(LEASE).await;
        match build(inner, name, &registered, now).await {
            Ok(()) => match set_ready(inner, name, &registered).await? {
                Built::ByUs => return Ok(true),
                Built::BySomebodyElse => return Ok(false),
                // Whoever gave it up did not know of what was built since.
                Built::GivenUp => drop_natives(inner, name, &registered).await?,
            },
            Err(error) if is_refusal(&error) => {
                give_up(inner, name, &registered.token).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(contended())
}

/// Whether it is the documents, or the engine, that do not let the index be, now and later.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UniqueViolation
            | ErrorKind::InvalidArgument
            | ErrorKind::LimitExceeded
            | ErrorKind::AlreadyExists
            | ErrorKind::Internal
            | ErrorKind::PermissionDenied
            | ErrorKind::Unsupported
    )
}

async fn set_ready(inner: &Inner, name: &Name, registered: &Registered) -> Result<Built> {
    for _ in 0..ATTEMPTS {
        let indexes = inner.catalog.fresh(inner, name).await?;
        let mut after = (*indexes).clone();
        match after
            .indexes
            .iter_mut()
            .find(|index| index.token == registered.token)
        {
            None => return Ok(Built::GivenUp),
            Some(index) if index.state == State::Ready => return Ok(Built::BySomebodyElse),
            Some(index) => index.state = State::Ready,
        }
        if inner.catalog.swap(inner, name, &indexes, after).await? {
            return Ok(Built::ByUs);
        }
    }
    Err(contended())
}

/// Takes an index out of the catalog and drops what the engine has of it; `true` if it was there.
async fn give_up(inner: &Inner, name: &Name, token: &str) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let indexes = inner.catalog.fresh(inner, name).await?;
        let mut after = (*indexes).clone();
        if !after.unregister(token) {
            return Ok(false);
        }
        if inner.catalog.swap(inner, name, &indexes, after.clone()).await? {
            let indexes = inner.catalog.fresh(inner, name).await?;
            finish_drops(inner, name, &indexes).await?;
            return Ok(true);
        }
    }
    Err(contended())
}

/// Drops the native indexes nobody needs, and forgets them.
async fn finish_drops(inner: &Inner, name: &Name, indexes: &Indexes) -> Result<()> {
    if indexes.dropped.is_empty() {
        return Ok(());
    }
    for native in &indexes.dropped {
        drop_native(inner, name, native).await?;
    }
    for _ in 0..ATTEMPTS {
        let before = inner.catalog.fresh(inner, name).await?;
        let mut after = (*before).clone();
        after.dropped.retain(|native| !indexes.dropped.contains(native));
        if after == *before || inner.catalog.swap(inner, name, &before, after).await? {
            return Ok(());
        }
    }
    Err(contended())
}

/// Drops the native indexes of an index that is no longer in the catalog, unless another one there shares them.
async fn drop_natives(inner: &Inner, name: &Name, registered: &Registered) -> Result<()> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    for native in [Some(&registered.ordered), registered.unique.as_ref()]
        .into_iter()
        .flatten()
    {
        let used = |index: &Registered| index.ordered == *native || index.unique.as_ref() == Some(native);
        if !indexes.indexes.iter().any(used) {
            drop_native(inner, name, native).await?;
        }
    }
    Ok(())
}

/// Drops an index of the engine, if it is there.
pub(crate) async fn drop_native(inner: &Inner, name: &Name, native: &str) -> Result<()> {
    let documents = inner.collection::<Document>(&collection(name));
    match inner.write(documents.drop_index(native)).await {
        Err(error) if matches!(code(&error), Some(INDEX_NOT_FOUND | NAMESPACE_NOT_FOUND)) => Ok(()),
        answer => answer,
    }
}

/// Creates an index of the engine, or does nothing where the same is there. However long it takes: the engine goes on with it even
/// where nobody waits.
async fn create_native(inner: &Inner, name: &Name, native: &Native) -> Result<()> {
    let documents = inner.collection::<Document>(&collection(name));
    documents
        .create_index(native.model())
        .await
        .map(drop)
        .map_err(|error| classify(error, Kind::Write))
}

/// Drops an index; `true` if it was there.
pub(crate) async fn remove(inner: &Inner, name: &Name, index: &Name) -> Result<bool> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    match indexes.get(index.as_str()) {
        Some(registered) => give_up(inner, name, &registered.token).await,
        None => Ok(false),
    }
}

/// The indexes of a collection, by name.
pub(crate) async fn list(inner: &Inner, name: &Name) -> Result<Vec<IndexInfo>> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    let info = |index: &Registered| IndexInfo {
        index: index.definition.clone(),
        ready: index.state == State::Ready,
    };
    Ok(indexes.indexes.iter().map(info).collect())
}

/// Looks at every document again, and has the engine build what somebody dropped behind our back. The engine keeps its entries right by
/// itself.
pub(crate) async fn rebuild(inner: &Inner, name: &Name, index: &Name, now: Timestamp) -> Result<()> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    let registered = indexes.get(index.as_str()).ok_or_else(|| missing(index))?.clone();
    if registered.state == State::Building {
        return ensure(inner, name, &registered.definition, now).await.map(drop);
    }
    build(inner, name, &registered, now).await
}

/// Figures about an index.
pub(crate) async fn stats(inner: &Inner, name: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    let registered = indexes.get(index.as_str()).ok_or_else(|| missing(index))?;
    let mut stats = IndexStats {
        unique_keys: 0,
        total_entries: 0,
    };
    // 128 bits of a hash for each key: equal ones do not meet by chance.
    let mut keys = HashSet::new();
    examine(inner, name, &registered.definition, now, |_, of_document| {
        for key in of_document?.keys {
            stats.total_entries += 1;
            let digest: [u8; 32] = Sha256::digest(&key).into();
            let mut short = [0; 16];
            short.copy_from_slice(&digest[..16]);
            keys.insert(short);
        }
        Ok(())
    })
    .await?;
    stats.unique_keys = keys.len() as u64;
    Ok(stats)
}

fn missing(index: &Name) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no index {:?}", index.as_str()),
    )
}

fn contended() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "others kept changing the indexes of the collection; try again",
    )
    .with_retry(Retry::Later)
}
