//! [`Namespace`]: a storage within a storage, with walls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, Area, BatchOperation, BatchRequest, Changes, Declaration, DeleteDocumentRequest,
    DeleteRequest, DocumentGuard, DocumentId, Error, ErrorKind, Explanation, FindPage, FindRequest, Index,
    IndexInfo, IndexStats, Key, ListEntry, ListPage, ListRequest, LogPage, Name, Object, ObjectGuard,
    ObjectMeta, ObjectWriter, PutRequest, ReadRequest, Result, StorageAdapter, StorageBackend,
    StoredDocument, Timestamp, Version, WatchRequest, WriteRequest,
};

use crate::forward::forward;

/// The longest name of a namespace, in bytes. Names of collections lose two more than it has; MongoDB and our limits leave them 64.
const MAX_NAME_BYTES: usize = 32;

/// Everything under a name of its own: objects, collections, indexes, logs and leases. What is inside sees nothing else, and nobody in
/// another namespace sees it.
///
/// It promises a boundary, not a convention. Every name that goes down is put behind the namespace's own, every name that comes up has
/// it taken off, and a name is data: `..`, a leading slash or another namespace's prefix are parts of a name like any other, on every
/// backend. Leases and guards are kept inside too. What is outside, the storage itself, sees all of it, under `@name/key` and
/// `@name.collection`: it is the landlord.
///
/// It costs a copy of each name. In a stack it stands below what seals and caches and above what retries. A quota right above it is the
/// namespace's own, since it counts and keeps its record inside: [`Quota::open`](crate::Quota::open). For `Encrypt` its
/// [`name`](Self::name) belongs into the derived keys.
///
/// # Declaration
/// The longest key, collection and log name are shorter by what the prefix takes. `health`, `close` and `sweep` are those of the storage
/// below, all of it.
#[derive(Debug)]
pub struct Namespace<A: ?Sized> {
    name: Box<str>,
    declaration: Declaration,
    inner: Arc<A>,
}

impl<A: StorageBackend> Namespace<A> {
    /// The namespace of this name in a storage: 1 to 32 bytes of `a-z`, `0-9`, `-` and `_`.
    ///
    /// # Errors
    /// `InvalidName` for any other name; `LimitExceeded` where the prefix leaves no room for names of collections or logs.
    pub fn new(inner: A, name: &str) -> Result<Self> {
        check(name)?;
        Ok(Self {
            declaration: declare(inner.declaration(), name.len() as u64 + 2)?,
            name: name.into(),
            inner: Arc::new(inner),
        })
    }

    /// Its name, for keys derived from it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn key(&self, key: &Key) -> Result<Key> {
        Key::new(self.text(key.as_str()))
    }

    fn text(&self, text: &str) -> String {
        format!("@{}/{text}", self.name)
    }

    fn inside<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.strip_prefix('@')?
            .strip_prefix(&*self.name)?
            .strip_prefix('/')
    }

    fn guarded(&self, request: WriteRequest) -> Result<WriteRequest> {
        let mut mapped = request;
        if let Some(ObjectGuard { key, version }) = mapped.guard {
            mapped.guard = Some(ObjectGuard {
                key: self.key(&key)?,
                version,
            });
        }
        Ok(mapped)
    }

    /// The entry under its name inside. What is not inside is a defect of the backend, and is never shown.
    fn entry(&self, entry: ListEntry) -> Result<ListEntry> {
        let inside = |text: &str| self.inside(text).map(str::to_owned).ok_or_else(|| strayed(text));
        Ok(match entry {
            ListEntry::Object(key, meta) => ListEntry::Object(Key::new(inside(key.as_str())?)?, meta),
            ListEntry::Prefix(prefix) => ListEntry::Prefix(inside(&prefix)?),
        })
    }

    /// A collection or a log under its name outside.
    fn collection(&self, name: &Name) -> Result<Name> {
        Name::new(format!("@{}.{name}", self.name))
    }

    fn guard(&self, guard: Option<DocumentGuard>) -> Result<Option<DocumentGuard>> {
        let map = |guard: DocumentGuard| {
            let collection = self.collection(&guard.collection)?;
            Ok(DocumentGuard { collection, ..guard })
        };
        guard.map(map).transpose()
    }

    fn put_inside(&self, request: PutRequest) -> Result<PutRequest> {
        let mut mapped = request;
        mapped.guard = self.guard(mapped.guard)?;
        Ok(mapped)
    }

    fn delete_inside(&self, request: DeleteDocumentRequest) -> Result<DeleteDocumentRequest> {
        let mut mapped = request;
        mapped.guard = self.guard(mapped.guard)?;
        Ok(mapped)
    }

    /// One page of names, of which those inside stand together.
    fn names(&self, page: Vec<Name>) -> Result<Vec<Name>> {
        let prefix = format!("@{}.", self.name);
        page.iter()
            .map_while(|name| name.as_str().strip_prefix(&prefix))
            .map(Name::new)
            .collect()
    }

    /// Where such a page begins: right behind the prefix, which by itself is no collection's name.
    fn names_after(&self, after: Option<&Name>) -> Result<Name> {
        match after {
            Some(after) => self.collection(after),
            None => Name::new(format!("@{}.", self.name)),
        }
    }
}

fn check(name: &str) -> Result<()> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message = format!("a namespace is named by 1 to {MAX_NAME_BYTES} of a-z, 0-9, - and _, not {name:?}");
    Err(Error::new(ErrorKind::InvalidName, message))
}

fn strayed(text: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        "the backend listed a name that was not asked for",
    )
    .with_key(text)
}

/// The same, with shorter names.
fn declare(inner: &Declaration, prefix: u64) -> Result<Declaration> {
    let shorten = |what: &'static str, limit: &mut u64| match limit.checked_sub(prefix) {
        Some(rest @ 1..) => {
            *limit = rest;
            Ok(())
        }
        _ => Err(Error::limit_exceeded(what, *limit, prefix)),
    };
    let mut declaration = inner.clone();
    shorten("a key in this namespace", &mut declaration.objects.max_key_bytes)?;
    if let Some(documents) = &mut declaration.documents {
        shorten("a collection in this namespace", &mut documents.max_name_bytes)?;
    }
    if let Some(logs) = &mut declaration.logs {
        shorten("a log in this namespace", &mut logs.max_name_bytes)?;
    }
    Ok(declaration)
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Namespace<A> {
    forward! { inner: health, close }

    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.inner.read(area, &self.key(key)?, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.inner
            .write(area, &self.key(key)?, bytes, self.guarded(request)?)
            .await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.inner.stat(area, &self.key(key)?).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.inner.delete(area, &self.key(key)?, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut outside = ListRequest::new(self.text(&request.prefix));
        outside.start_after = request.start_after.as_deref().map(|after| self.text(after));
        outside.delimiter = request.delimiter;
        outside.limit = request.limit;
        outside.with_meta = request.with_meta;
        let page = self.inner.list(area, outside).await?;
        let entries = page
            .entries
            .into_iter()
            .map(|entry| self.entry(entry))
            .collect::<Result<_>>()?;
        let next = page.next.map(|next| {
            self.inside(&next)
                .map(str::to_owned)
                .ok_or_else(|| strayed(&next))
        });
        Ok(ListPage {
            entries,
            next: next.transpose()?,
        })
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let (key, request) = (self.key(key)?, self.guarded(request)?);
        Arc::clone(&self.inner).open_writer(area, &key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        let (from, to) = (self.key(from)?, self.key(to)?);
        self.inner.copy(area, &from, &to, self.guarded(request)?).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let keys = keys.iter().map(|key| self.key(key)).collect::<Result<Vec<_>>>()?;
        self.inner.delete_many(area, &keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.inner.presign(area, &self.key(key)?, valid_for).await
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Namespace<A> {
    forward! { inner: sweep }

    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.inner
            .put(&self.collection(collection)?, self.put_inside(request)?)
            .await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.inner.get(&self.collection(collection)?, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.inner.get_many(&self.collection(collection)?, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        let collection = self.collection(collection)?;
        self.inner
            .delete_document(&collection, self.delete_inside(request)?)
            .await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let mapped = requests.into_iter().map(|request| self.put_inside(request));
        let mapped = mapped.collect::<Result<_>>()?;
        self.inner.put_many(&self.collection(collection)?, mapped).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        let mut mapped = BatchRequest::default();
        for (collection, operation) in batch.operations {
            let operation = match operation {
                BatchOperation::Put(request) => BatchOperation::Put(self.put_inside(request)?),
                BatchOperation::Delete(request) => BatchOperation::Delete(self.delete_inside(request)?),
            };
            mapped.operations.push((self.collection(&collection)?, operation));
        }
        self.inner.commit(mapped).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.inner.find(&self.collection(collection)?, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.inner.count(&self.collection(collection)?, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.inner.explain(&self.collection(collection)?, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let after = self.names_after(after)?;
        self.names(self.inner.collections(Some(&after), limit).await?)
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.inner
            .ensure_index(&self.collection(collection)?, index, now)
            .await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.inner.drop_index(&self.collection(collection)?, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.inner.indexes(&self.collection(collection)?).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.inner
            .rebuild_index(&self.collection(collection)?, index, now)
            .await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.inner
            .index_stats(&self.collection(collection)?, index, now)
            .await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.inner.watch(&self.collection(collection)?, request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.inner.append(&self.collection(log)?, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.inner.read_log(&self.collection(log)?, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.inner.close_log(&self.collection(log)?).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.inner.delete_log(&self.collection(log)?).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let after = self.names_after(after)?;
        self.names(self.inner.logs(Some(&after), limit).await?)
    }
}
