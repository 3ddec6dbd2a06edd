//! Places of which only the contract is known, buckets among them: both of a backend's areas, and what an engine has beside them.

use storage_core::bson::RawDocumentBuf;
use storage_core::{Area, Key, ListEntry, ListRequest, Query, Result, Storage, StorageAdapter};
use storage_factory::{Factory, StorageUrl};

/// Whether something is there: objects, documents, logs, or what the overlay keeps of deleted ones.
///
/// # Errors
/// Those of opening and reading.
pub(super) async fn is_full(factory: &Factory, url: &StorageUrl) -> Result<bool> {
    let storage = factory.open(url.with_secrets()).await?;
    let full = holds_something(&storage).await;
    storage.close().await?;
    full
}

/// Removes everything, the marks of what was deleted before too.
///
/// # Errors
/// Those of opening, reading and deleting.
pub(super) async fn empty(factory: &Factory, url: &StorageUrl) -> Result<()> {
    let storage = factory.open(url.with_secrets()).await?;
    let removed = remove_all(&storage).await;
    storage.close().await?;
    removed
}

async fn holds_something(storage: &Storage) -> Result<bool> {
    for area in [Area::Objects, Area::Overlay] {
        let mut request = ListRequest::new("");
        request.limit = 1;
        if !storage.adapter().list(area, request).await?.entries.is_empty() {
            return Ok(true);
        }
    }
    let declaration = storage.declaration();
    let documents = declaration.documents.is_some() && !storage.collections().await?.is_empty();
    let logs = declaration.logs.is_some() && !storage.logs().await?.is_empty();
    Ok(documents || logs)
}

async fn remove_all(storage: &Storage) -> Result<()> {
    if storage.declaration().documents.is_some() {
        for name in storage.collections().await? {
            let collection = storage.collection::<RawDocumentBuf>(&name);
            let mut found = collection.find(Query::all()).await?;
            while let Some(document) = found.next().await? {
                collection.delete(&document.id).await?;
            }
            for index in collection.indexes().await? {
                collection.drop_index(index.index.name).await?;
            }
        }
    }
    if storage.declaration().logs.is_some() {
        for name in storage.logs().await? {
            storage.log(&name).delete().await?;
        }
    }
    for area in [Area::Objects, Area::Overlay] {
        remove_area(storage.adapter().as_ref(), area).await?;
    }
    Ok(())
}

/// What the overlay keeps is of no more use here, whatever state it is in: nobody else is there.
async fn remove_area(adapter: &dyn StorageAdapter, area: Area) -> Result<()> {
    let mut request = ListRequest::new("");
    loop {
        let page = adapter.list(area, request.clone()).await?;
        let keys: Vec<Key> = page
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                ListEntry::Object(key, _) => Some(key),
                _ => None,
            })
            .collect();
        for removed in adapter.delete_many(area, &keys).await? {
            removed?;
        }
        match page.next {
            Some(next) => request.start_after = Some(next),
            None => return Ok(()),
        }
    }
}
