//! [`Collection`]: typed documents under ids.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bson::RawDocumentBuf;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lease::Fence;
use super::{Storage, check_limit};
use crate::adapter::{DeleteDocumentRequest, DocumentGuard, PutRequest, StoredDocument};
use crate::backend::Condition;
use crate::clock::Timestamp;
use crate::declaration::Capability;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::{DocumentId, Name};
use crate::value::canonical;
use crate::version::Version;

/// Names that begin so are the library's own.
const RESERVED: &str = "_storage.";

/// The documents of one type in one collection.
///
/// `T` is any type that serializes as a map. [`bson::RawDocumentBuf`] is exact for documents of any shape; through
/// [`bson::Document`] a nested map such as `{"$oid": "…"}` is read as what that means in Extended JSON, because serde does.
pub struct Collection<T> {
    pub(super) storage: Storage,
    pub(super) name: Arc<str>,
    /// The same where it can be used: reserved names by the library alone. Looked at once, not by every call.
    valid: Option<Name>,
    types: PhantomData<fn() -> T>,
}

/// A document: its id, the token of this state, and its value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Document<T> {
    /// Its id within the collection.
    pub id: DocumentId,
    /// The token of this state, for [`put_if`](Collection::put_if) and [`delete_if`](Collection::delete_if).
    pub version: Version,
    /// When it disappears; never when `None`.
    pub expires_at: Option<Timestamp>,
    /// The value.
    pub value: T,
}

/// How to write a document.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PutOptions {
    condition: Condition,
    expires_at: Option<Timestamp>,
    ttl: Option<Duration>,
    fence: Option<Fence>,
}

impl PutOptions {
    /// Unconditional, never expiring.
    pub fn new() -> Self {
        Self::default()
    }

    /// When the write may happen; always by default.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// The document disappears at this time. One that has passed already is taken, and the document is gone at once.
    #[must_use]
    pub const fn expires_at(mut self, time: Timestamp) -> Self {
        self.expires_at = Some(time);
        self
    }

    /// The document disappears after this long, by this client's clock.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Write only while the lease is still the one this fence is from, decided atomically with the write.
    #[must_use]
    pub fn fence(mut self, fence: Fence) -> Self {
        self.fence = Some(fence);
        self
    }
}

impl PutOptions {
    /// For where a fence cannot be honoured.
    pub(super) fn refuse_fence(self) -> Result<Self> {
        if self.fence.is_some() {
            return Err(Error::unsupported("a fence on an operation of a batch"));
        }
        Ok(self)
    }
}

impl<T> Collection<T> {
    pub(super) fn new(storage: Storage, name: &str) -> Self {
        Self::named(storage, name, false)
    }

    /// A collection of the library's own, under a reserved name.
    pub(super) fn own(storage: Storage, name: &str) -> Self {
        Self::named(storage, &format!("{RESERVED}{name}"), true)
    }

    fn named(storage: Storage, name: &str, own: bool) -> Self {
        Self {
            storage,
            valid: Name::new(name).ok().filter(|name| own || !is_reserved(name)),
            name: name.into(),
            types: PhantomData,
        }
    }

    /// Its name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes an index exist: creates and backfills it, or does nothing when the same definition is there. `true` if created.
    ///
    /// # Errors
    /// `AlreadyExists` when another definition has the name; `UniqueViolation`, `InvalidArgument` or `LimitExceeded` when a
    /// document does not fit, naming it, and the index then does not exist; `Unsupported` unless declared.
    pub async fn ensure_index(&self, index: Index) -> Result<bool> {
        self.call("ensure index of collection", async {
            // What was asked for is named, not what that would rest on.
            if index.unique {
                self.storage.require_one(Capability::UniqueIndexes)?;
            }
            self.storage.require_one(Capability::Indexes)?;
            index.check()?;
            self.index_name(&index.name)?;
            self.storage
                .adapter()
                .ensure_index(&self.checked_name()?, &index, self.storage.now())
                .await
        })
        .await
    }

    /// Drops an index; `true` if it was there.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn drop_index(&self, index: impl AsRef<str>) -> Result<bool> {
        let index = index.as_ref();
        self.call("drop index of collection", async {
            self.storage.require_one(Capability::Indexes)?;
            self.storage
                .adapter()
                .drop_index(&self.checked_name()?, &self.index_name(index)?)
                .await
        })
        .await
    }

    /// The indexes, by name.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn indexes(&self) -> Result<Vec<IndexInfo>> {
        self.call("list indexes of collection", async {
            self.storage.require_one(Capability::Indexes)?;
            self.storage.adapter().indexes(&self.checked_name()?).await
        })
        .await
    }

    /// Builds an index anew from the documents, while others read and write.
    ///
    /// # Errors
    /// `NotFound` where there is none; as [`ensure_index`](Self::ensure_index).
    pub async fn rebuild_index(&self, index: impl AsRef<str>) -> Result<()> {
        let index = index.as_ref();
        self.call("rebuild index of collection", async {
            self.storage.require_one(Capability::Indexes)?;
            let now = self.storage.now();
            self.storage
                .adapter()
                .rebuild_index(&self.checked_name()?, &self.index_name(index)?, now)
                .await
        })
        .await
    }

    /// Figures about an index.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub async fn index_stats(&self, index: impl AsRef<str>) -> Result<IndexStats> {
        let index = index.as_ref();
        self.call("read figures of index of collection", async {
            self.storage.require_one(Capability::Indexes)?;
            let now = self.storage.now();
            self.storage
                .adapter()
                .index_stats(&self.checked_name()?, &self.index_name(index)?, now)
                .await
        })
        .await
    }

    /// Deletes a document; `true` if it was there.
    ///
    /// # Errors
    /// `InvalidName`; those of the medium.
    pub async fn delete(&self, id: impl AsRef<str>) -> Result<bool> {
        self.delete_with(id.as_ref(), None, None).await
    }

    /// Deletes exactly this version of a document.
    ///
    /// # Errors
    /// `PreconditionFailed` when another version is there, or nothing.
    pub async fn delete_if(&self, id: impl AsRef<str>, version: Version) -> Result<()> {
        self.delete_with(id.as_ref(), Some(version), None)
            .await
            .map(|_| ())
    }

    /// Deletes a document while the lease is still the one this fence is from; `true` if it was there.
    ///
    /// # Errors
    /// `LeaseLost`; `Unsupported` unless `guarded-write` is declared.
    pub async fn delete_fenced(&self, id: impl AsRef<str>, fence: Fence) -> Result<bool> {
        self.delete_with(id.as_ref(), None, Some(fence)).await
    }

    async fn delete_with(&self, id: &str, if_version: Option<Version>, fence: Option<Fence>) -> Result<bool> {
        self.call_on("delete document", id, async {
            let mut request = DeleteDocumentRequest::new(self.id(id)?, self.storage.now());
            request.if_version = if_version;
            let name = self.checked_name()?;
            self.storage
                .fenced(fence, |guard| {
                    let request = DeleteDocumentRequest {
                        guard,
                        ..request.clone()
                    };
                    let name = name.clone();
                    async move { self.storage.adapter().delete_document(&name, request).await }
                })
                .await
        })
        .await
    }

    pub(super) async fn call<R>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<R>> + Send,
    ) -> Result<R> {
        self.storage.call(operation, &self.name, work).await
    }

    /// As `call`, for one document: errors carry `collection/id`.
    async fn call_on<R>(
        &self,
        operation: &'static str,
        id: &str,
        work: impl Future<Output = Result<R>> + Send,
    ) -> Result<R> {
        let result = self.storage.call(operation, "", work).await;
        result.map_err(|error| error.with_key(format!("{}/{id}", self.name)))
    }

    pub(super) fn checked_name(&self) -> Result<Name> {
        let limit = self.storage.documents_section()?.max_name_bytes;
        let valid = match &self.valid {
            Some(valid) => Some(valid.clone()),
            None => Name::new(&self.name).map(|_| None)?,
        };
        check_limit("the collection name in bytes", limit, self.name.len())?;
        valid.ok_or_else(|| {
            let message = format!(
                "collection {:?}: names that begin with {RESERVED:?} are the library's own",
                self.name
            );
            Error::new(ErrorKind::InvalidName, message)
        })
    }

    fn index_name(&self, index: &str) -> Result<Name> {
        let name = Name::new(index)?;
        check_limit(
            "the index name in bytes",
            self.storage.documents_section()?.max_name_bytes,
            index.len(),
        )?;
        Ok(name)
    }

    pub(super) fn id(&self, id: &str) -> Result<DocumentId> {
        let valid = DocumentId::new(id)?;
        check_limit(
            "the document id in bytes",
            self.storage.documents_section()?.max_id_bytes,
            id.len(),
        )?;
        Ok(valid)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync> Collection<T> {
    /// Writes a document whole, replacing what was there and its expiry, and gives its version.
    ///
    /// # Errors
    /// `InvalidName`, `InvalidArgument` for what a document cannot hold, `LimitExceeded`, `UniqueViolation`; those of the medium.
    pub async fn put(&self, id: impl AsRef<str>, value: &T) -> Result<Version> {
        self.put_with(id, value, PutOptions::new()).await
    }

    /// Writes a document only where nothing is.
    ///
    /// # Errors
    /// `AlreadyExists`; as [`put`](Self::put).
    pub async fn insert(&self, id: impl AsRef<str>, value: &T) -> Result<Version> {
        self.put_with(id, value, PutOptions::new().condition(Condition::IfAbsent))
            .await
    }

    /// Replaces exactly this version of a document.
    ///
    /// # Errors
    /// `PreconditionFailed` when another version is there, or nothing; as [`put`](Self::put).
    pub async fn put_if(&self, id: impl AsRef<str>, value: &T, version: Version) -> Result<Version> {
        self.put_with(
            id,
            value,
            PutOptions::new().condition(Condition::IfVersion(version)),
        )
        .await
    }

    /// Writes a document under a fresh random id, and gives id and version.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn add(&self, value: &T) -> Result<(DocumentId, Version)> {
        let id = DocumentId::random();
        let version = self.insert(&id, value).await?;
        Ok((id, version))
    }

    /// Writes a document as the options say.
    ///
    /// # Errors
    /// As the methods above; `LeaseLost` when the fence does not hold; `Unsupported` for expiry or a fence where not declared.
    pub async fn put_with(&self, id: impl AsRef<str>, value: &T, options: PutOptions) -> Result<Version> {
        let id = id.as_ref();
        self.call_on("put document", id, async {
            let fence = options.fence.clone();
            let request = self.put_request(id, value, options)?;
            let name = self.checked_name()?;
            self.storage
                .fenced(fence, |guard| {
                    let request = PutRequest {
                        guard,
                        ..request.clone()
                    };
                    let name = name.clone();
                    async move { self.storage.adapter().put(&name, request).await }
                })
                .await
        })
        .await
    }

    /// Writes many documents, one result each in the order given, at one durability point. Not atomic: see
    /// [`Storage::batch`].
    ///
    /// # Errors
    /// `InvalidArgument` when an id comes twice and `LimitExceeded` for too many, before any effect; what fails for one
    /// document is in its place.
    pub async fn put_many<'a, I: AsRef<str>>(
        &self,
        documents: impl IntoIterator<Item = (I, &'a T)> + Send,
    ) -> Result<Vec<Result<Version>>>
    where
        T: 'a,
    {
        let requests: Vec<Result<PutRequest>> = documents
            .into_iter()
            .map(|(id, value)| self.put_request(id.as_ref(), value, PutOptions::new()))
            .collect();
        self.call("put documents", async {
            let name = self.checked_name()?;
            check_limit(
                "the number of documents in one call",
                self.storage.documents_section()?.max_batch_operations,
                requests.len(),
            )?;
            let mut ids = std::collections::HashSet::with_capacity(requests.len());
            if let Some(twice) = requests.iter().flatten().find(|request| !ids.insert(&request.id)) {
                let message = format!(
                    "document {:?} is given twice; nothing was written",
                    twice.id.as_str()
                );
                return Err(Error::invalid_argument(message));
            }
            let mut results: Vec<Option<Result<Version>>> = Vec::with_capacity(requests.len());
            let mut valid = Vec::new();
            for request in requests {
                match request {
                    Ok(request) => {
                        valid.push(request);
                        results.push(None);
                    }
                    Err(error) => results.push(Some(Err(error))),
                }
            }
            let mut written = self.storage.adapter().put_many(&name, valid).await?.into_iter();
            let missing = || {
                Err(Error::new(
                    ErrorKind::Internal,
                    "the adapter gave fewer results than documents",
                ))
            };
            Ok(results
                .into_iter()
                .map(|done| done.or_else(|| written.next()).unwrap_or_else(missing))
                .collect())
        })
        .await
    }

    /// Reads a document; `None` when there is none.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is no document; `InvalidArgument` when it does not fit `T`.
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<Document<T>>> {
        let id = id.as_ref();
        self.call_on("get document", id, async {
            let (name, id) = (self.checked_name()?, self.id(id)?);
            let stored = self.storage.adapter().get(&name, &id, self.storage.now()).await?;
            stored.map(Document::read).transpose()
        })
        .await
    }

    /// Reads many documents, in the order asked.
    ///
    /// # Errors
    /// As [`get`](Self::get), for the first that fails.
    pub async fn get_many<I: AsRef<str>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Vec<Option<Document<T>>>> {
        let ids: Result<Vec<DocumentId>> = ids.into_iter().map(|id| self.id(id.as_ref())).collect();
        self.call("get documents", async {
            let stored = self
                .storage
                .adapter()
                .get_many(&self.checked_name()?, &ids?, self.storage.now())
                .await?;
            stored
                .into_iter()
                .map(|stored| stored.map(Document::read).transpose())
                .collect()
        })
        .await
    }

    /// Reads a document, lets `change` edit it, and writes it back, again from the start whenever somebody else was faster.
    /// `None` when there is none. Its expiry is kept.
    ///
    /// # Errors
    /// `Conflict` when others were faster 100 times in a row; as [`put`](Self::put).
    pub async fn update(
        &self,
        id: impl AsRef<str>,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<Option<Document<T>>> {
        let id = id.as_ref();
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let Some(mut document) = self.get(id).await? else {
                return Ok(None);
            };
            change(&mut document.value);
            let mut options = PutOptions::new().condition(Condition::IfVersion(document.version));
            options.expires_at = document.expires_at;
            match self.put_with(id, &document.value, options).await {
                Ok(version) => return Ok(Some(Document { version, ..document })),
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "others changed the document each time before this update could",
        )
        .with_operation("update document")
        .with_key(format!("{}/{id}", self.name)))
    }

    pub(super) fn put_request(&self, id: &str, value: &T, options: PutOptions) -> Result<PutRequest> {
        let section = self.storage.documents_section()?;
        let id = self.id(id)?;
        let body = encode(value)?;
        check_limit(
            "the document in bytes",
            section.max_document_bytes,
            body.as_bytes().len(),
        )?;
        let now = self.storage.now();
        let expires_at = match (options.expires_at, options.ttl) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid_argument(
                    "give either a time of expiry or a time to live, not both",
                ));
            }
            (at, None) => at,
            (None, Some(ttl)) => Some(now.after(ttl)),
        };
        if expires_at.is_some() {
            self.storage.require_one(Capability::Expiry)?;
        }
        if options.fence.is_some() {
            self.storage.require_one(Capability::GuardedWrite)?;
        }
        let mut request = PutRequest::new(id, body, now);
        request.condition = options.condition;
        request.expires_at = expires_at;
        Ok(request)
    }
}

/// A hundred lost races in a row mean that something is wrong, not that the next one will be won.
const MAX_UPDATE_ATTEMPTS: usize = 100;

impl<T: DeserializeOwned> Document<T> {
    pub(super) fn read(stored: StoredDocument) -> Result<Self> {
        let StoredDocument {
            id,
            version,
            expires_at,
            body,
        } = stored;
        let value = bson::deserialize_from_slice(body.as_bytes()).map_err(|error| {
            Error::invalid_argument("what is stored does not fit the type it is read as")
                .with_key(id.as_str())
                .with_source(error)
        })?;
        Ok(Self {
            id,
            version,
            expires_at,
            value,
        })
    }
}

/// The canonical body of a value.
fn encode<T: Serialize>(value: &T) -> Result<RawDocumentBuf> {
    // Room for a small document, or it would move at each doubling from eight bytes on.
    let mut bytes = Vec::with_capacity(256);
    let written = bson::serialize_to_buffer(value, &mut bytes);
    let raw = written
        .and_then(|()| RawDocumentBuf::from_bytes(bytes))
        .map_err(|error| {
            Error::invalid_argument(
                "the value cannot be a document; it must serialize as a map or struct of supported types",
            )
            .with_source(error)
        })?;
    canonical(raw)
}

/// Whether a collection is the library's own.
pub(super) fn is_reserved(name: &Name) -> bool {
    name.as_str().starts_with(RESERVED)
}

impl Storage {
    /// Does a write under a fence: guarded by the lease's record, again whenever that was merely renewed meanwhile.
    async fn fenced<R, F>(
        &self,
        fence: Option<Fence>,
        write: impl Fn(Option<DocumentGuard>) -> F + Send,
    ) -> Result<R>
    where
        F: Future<Output = Result<R>> + Send,
    {
        let Some(fence) = fence else {
            return write(None).await;
        };
        self.require_one(Capability::GuardedWrite)?;
        loop {
            let guard = fence.guard(self).await?;
            match write(Some(guard)).await {
                Err(error) if error.is_guard_failed() => {}
                result => return result,
            }
        }
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self {
            storage: self.storage.clone(),
            name: Arc::clone(&self.name),
            valid: self.valid.clone(),
            types: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection")
            .field("name", &self.name)
            .field("storage", &self.storage)
            .finish()
    }
}
