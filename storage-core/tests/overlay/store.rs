//! Short words for what the tests do.

use bson::{RawDocumentBuf, rawdoc};
use storage_core::{
    Applied, Area, Condition, DeleteDocumentRequest, DocumentId, ErrorKind, FindRequest, Index, Key,
    MemoryBackend, Name, Overlay, PutRequest, Query, Result, StorageAdapter, StorageBackend, StoredDocument,
    Timestamp, Version, WriteRequest,
};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_000_000);

pub(crate) type Memory = Overlay<MemoryBackend>;

pub(crate) fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

pub(crate) fn id(id: &str) -> DocumentId {
    DocumentId::new(id).unwrap()
}

pub(crate) fn people() -> Name {
    name("people")
}

pub(crate) fn aged(age: i64) -> RawDocumentBuf {
    rawdoc! { "age": age }
}

pub(crate) fn put_of(key: &str, body: RawDocumentBuf) -> PutRequest {
    PutRequest::new(id(key), body, NOW)
}

pub(crate) fn put_if(key: &str, body: RawDocumentBuf, condition: Condition) -> PutRequest {
    let mut request = put_of(key, body);
    request.condition = condition;
    request
}

pub(crate) async fn put(store: &impl StorageAdapter, key: &str, body: RawDocumentBuf) -> Result<Version> {
    store.put(&people(), put_of(key, body)).await
}

pub(crate) async fn get(store: &impl StorageAdapter, key: &str) -> Result<Option<StoredDocument>> {
    store.get(&people(), &id(key), NOW).await
}

pub(crate) async fn delete(store: &impl StorageAdapter, key: &str) -> Result<bool> {
    store
        .delete_document(&people(), DeleteDocumentRequest::new(id(key), NOW))
        .await
}

/// The request of a query, as `Storage` makes it.
pub(crate) fn request(query: &Query) -> FindRequest {
    FindRequest::new(query.filter_ref().clone(), query.effective_sort(), NOW)
}

/// The ids of all pages of a query.
pub(crate) async fn ids(store: &impl StorageAdapter, query: &Query, page: usize) -> Result<Vec<String>> {
    paged(store, request(query), page).await
}

/// As [`ids`], without any index.
pub(crate) async fn scanned(store: &impl StorageAdapter, query: &Query) -> Result<Vec<String>> {
    let everything = paged(store, request(&Query::all()), 7).await?;
    let mut found = Vec::new();
    for key in everything {
        if let Some(document) = get(store, &key).await?
            && query.filter_ref().matches(&document.body)?
        {
            found.push((
                storage_core::sort_key(&document.body, &document.id, &query.effective_sort())?,
                key,
            ));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

async fn paged(store: &impl StorageAdapter, mut request: FindRequest, page: usize) -> Result<Vec<String>> {
    request.limit = page;
    let mut found = Vec::new();
    loop {
        let page = store.find(&people(), request.clone()).await?;
        assert!(page.documents.len() <= request.limit);
        found.extend(
            page.documents
                .iter()
                .map(|document| document.id.as_str().to_owned()),
        );
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(found),
        }
    }
}

pub(crate) fn by_age() -> Index {
    Index::btree("by_age", ["age"])
}

/// Every key of the overlay's area.
pub(crate) async fn keys(backend: &impl StorageBackend, prefix: &str) -> Vec<Key> {
    let mut request = storage_core::ListRequest::new(prefix);
    let mut keys = Vec::new();
    loop {
        let page = backend.list(Area::Overlay, request.clone()).await.unwrap();
        for entry in page.entries {
            if let storage_core::ListEntry::Object(key, _) = entry {
                keys.push(key);
            }
        }
        match page.next {
            Some(next) => request.start_after = Some(next),
            None => return keys,
        }
    }
}

/// Overwrites an object as damage would.
pub(crate) async fn damage(backend: &impl StorageBackend, key: &Key, bytes: &'static str) {
    backend
        .write(Area::Overlay, key, bytes.into(), WriteRequest::default())
        .await
        .unwrap();
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    let error = result.unwrap_err();
    assert_eq!(error.applied(), Applied::No, "{error}");
    error.kind()
}
