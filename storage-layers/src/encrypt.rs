//! [`Encrypt`]: whoever runs the medium reads names and sizes, nothing else.

mod copy;
mod envelope;
mod fields;
mod options;
mod query;
mod reseal;
mod sealing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, Area, BatchOperation, BatchRequest, Capability, Clock, Declaration, DocumentId,
    Explanation, FindPage, FindRequest, Index, IndexInfo, Key, ListPage, ListRequest, LogPage, Name, Object,
    ObjectMeta, ObjectWriter, PutRequest, ReadRequest, Result, StorageAdapter, StorageBackend,
    StoredDocument, Support, SystemClock, Timestamp, Version, WriteRequest,
};

use self::fields::Declared;
pub use self::fields::Fields;
pub use self::options::EncryptOptions;
use self::query::{Translation, own_index};
pub use self::reseal::{References, ResealReport};
use self::sealing::Sealing;
use crate::chunked::format::Format;
use crate::chunked::objects::ChunkedObjects;
use crate::encryption::{Keyring, Keystore};
use crate::entries;
use crate::forward::forward;

/// Seals objects, documents and entries of logs: see [`encryption`](crate::encryption) for what that promises and how.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// use storage_core::{Memory, Storage};
/// use storage_layers::encryption::{Key, KeyProvider};
/// use storage_layers::{Encrypt, EncryptOptions, Fields};
///
/// let options = EncryptOptions::new(KeyProvider::key(Key::random()))
///     .collection("users", Fields::new().plain("country").blind("email"));
/// let storage = Storage::new(Encrypt::open(Memory::new(), options).await?);
/// storage.objects().write("notes/a.txt", "secret").await?;
/// assert_eq!(storage.objects().read("notes/a.txt").await?.as_deref(), Some(&b"secret"[..]));
/// # Ok(()) }
/// ```
///
/// # What stays readable
/// Names: keys of objects, ids, collections, indexes, logs. Sizes, counts, times, expiry, versions. [`Fields`] that are declared plain,
/// and which values are equal in blind ones. Under the overlay (`Overlay::new(Encrypt::…)`) documents are sealed with everything in them, but an index
/// writes the values it is over into **names of objects**: there, index only what may be read.
///
/// # What an attacker on the medium can still do
/// Delete; put back an older state of an object or document; leave out, repeat or reorder entries of a log. The last is found by a log
/// whose entries are chained, such as the audit log.
///
/// # Order
/// Over everything that stores or sends bytes, under what looks at them: `Compress` goes over it, never under.
///
/// # Cost
/// AES-256-GCM and one derivation of a key a value, 104 bytes a value and 16 for each further 64 KiB. A range costs the chunks it
/// lies in and, where it does not begin in the first, one more small read for the header. A copy is read and written anew.
///
/// # Declaration
/// Sizes shrink by what seals take. `presign` is absent, and so are indexes and queries by fields where no [`Fields`] are declared; both say why.
/// Where fields are declared plain a document may be half as large, because it is there twice.
#[derive(Debug)]
pub struct Encrypt<A: ?Sized> {
    declaration: Declaration,
    objects: ChunkedObjects<A, Sealing>,
    sealing: Arc<Sealing>,
    declared: Declared,
    /// Objects that are none of this layer's.
    beside: BTreeSet<String>,
    inner: Arc<A>,
}

impl<A: StorageBackend> Encrypt<A> {
    /// Opens the keystore of this medium and everything sealed with its keys; makes one where the medium is empty.
    ///
    /// The keystore lies beside the bytes, in the overlay's area of the backend. Under [`Overlay`](storage_core::Overlay) this is
    /// called on the backend, and the overlay put on top.
    ///
    /// # Errors
    /// `Unauthenticated` for the wrong key; `InvalidArgument` for a medium that holds plain data; as [`Keystore::open_or_create`].
    pub async fn open_backend(inner: A, options: EncryptOptions) -> Result<Self> {
        let inner = Arc::new(inner);
        Self::with_its_keystore(inner, options).await
    }

    async fn with_its_keystore(inner: Arc<A>, options: EncryptOptions) -> Result<Self> {
        let (provider, suite) = (&options.provider, options.suite);
        let keystore =
            Keystore::open_or_create_beside(&*inner, provider, suite, now_ms(), &options.beside).await?;
        let medium: Arc<dyn StorageBackend> = Arc::clone(&inner) as _;
        let sealing = Sealing::of_keystore(medium, keystore, options.namespace)?;
        let declared = Declared::new(options.collections, options.others)?;
        Ok(Self::assemble(inner, sealing, declared, options.beside))
    }

    /// Seals with these keys, which are kept elsewhere. `store` tells this store from others under the same keys; it, the namespace of
    /// the options and, with the active key, the hashes of blind fields must not change as long as there is data.
    ///
    /// # Errors
    /// `InvalidArgument` for fields that get into each other's way.
    pub fn with_keys(inner: A, keys: Keyring, store: &[u8], options: EncryptOptions) -> Result<Self> {
        let sealing = Sealing::of_keys(keys, store, options.namespace)?;
        let declared = Declared::new(options.collections, options.others)?;
        Ok(Self::assemble(Arc::new(inner), sealing, declared, options.beside))
    }

    fn assemble(inner: Arc<A>, sealing: Sealing, declared: Declared, beside: BTreeSet<String>) -> Self {
        let sealing = Arc::new(sealing);
        let objects = ChunkedObjects::new(Arc::clone(&inner), Arc::clone(&sealing));
        let mut declaration = objects.declare("what is stored is sealed, and only this layer opens it");
        declare(&mut declaration, declared.any());
        Self {
            declaration,
            objects,
            sealing,
            declared,
            beside,
            inner,
        }
    }
}

impl<A: StorageAdapter> Encrypt<A> {
    /// Opens the keystore of this storage and everything sealed with its keys; makes one where the storage is empty.
    ///
    /// # Errors
    /// `Unauthenticated` for the wrong key; `InvalidArgument` for storage that holds plain data; as [`Keystore::open_or_create`].
    pub async fn open(inner: A, options: EncryptOptions) -> Result<Self> {
        let inner = Arc::new(inner);
        if !Keystore::is_present(&*inner).await? {
            let section = inner.declaration();
            let documents = section.documents.is_some() && !inner.collections(None, 1).await?.is_empty();
            let logs = section.logs.is_some() && !inner.logs(None, 1).await?.is_empty();
            if (documents || logs) && !Keystore::is_present(&*inner).await? {
                return Err(crate::encryption::plain_data());
            }
        }
        Self::with_its_keystore(inner, options).await
    }

    async fn opened(&self, collection: &Name, stored: StoredDocument) -> Result<StoredDocument> {
        let again = stored.clone();
        match envelope::open(&self.sealing, collection, stored) {
            Err(error) if self.sealing.learns_from(&error).await => {
                envelope::open(&self.sealing, collection, again)
            }
            answer => answer,
        }
    }

    fn sealed(&self, collection: &Name, request: PutRequest) -> Result<PutRequest> {
        envelope::seal_request(&self.sealing, &self.declared, collection, request)
    }

    fn translation<'a>(&'a self, collection: &'a Name) -> Translation<'a> {
        Translation {
            declared: &self.declared,
            collection,
            key: self.sealing.index_key(),
        }
    }

    /// Refuses what has to do with fields where none are declared.
    fn require_fields(&self) -> Result<()> {
        self.declaration.require(Capability::Indexes)
    }
}

/// What time it is, for what only people read.
fn now_ms() -> i64 {
    SystemClock::default().now().as_millis()
}

/// The part of the declaration that is about documents.
fn declare(declaration: &mut Declaration, searchable: bool) {
    let Some(documents) = &mut declaration.documents else {
        return;
    };
    // The envelope's own fields, and a tag for every chunk.
    let most = documents.max_document_bytes;
    let left = most.saturating_sub(Sealing::overhead() + 64);
    let left = left - left / (64 * 1024) * 16;
    documents.max_document_bytes = if searchable { left / 2 } else { left };
    if searchable {
        return;
    }
    let reason = "documents are sealed; declare the fields that may be searched for";
    for (support, capability) in [
        (&mut documents.indexes, Capability::Indexes),
        (&mut documents.unique_indexes, Capability::UniqueIndexes),
    ] {
        if support.is_present() {
            *support = Support::Absent;
            declaration.reasons.insert(capability, reason.into());
        }
    }
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Encrypt<A> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    forward! { inner: delete, delete_many, health, close }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.objects.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.objects.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.objects.stat(area, key).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.objects.list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.objects.open_writer(area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.declaration.require(Capability::Copy)?;
        self.copy_anew(area, from, to, request).await
    }

    async fn presign(&self, _: Area, _: &Key, _: Duration) -> Result<String> {
        Err(self.declaration.unsupported(Capability::Presign))
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Encrypt<A> {
    forward! { inner: delete_document, collections, drop_index, rebuild_index, index_stats, watch, close_log, delete_log, logs, sweep }

    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.sealing.prepare().await?;
        let request = self.sealed(collection, request)?;
        self.inner.put(collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        match self.inner.get(collection, id, now).await? {
            Some(stored) => self.opened(collection, stored).await.map(Some),
            None => Ok(None),
        }
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        let mut documents = self.inner.get_many(collection, ids, now).await?;
        for document in &mut documents {
            if let Some(stored) = document.take() {
                *document = Some(self.opened(collection, stored).await?);
            }
        }
        Ok(documents)
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.sealing.prepare().await?;
        let requests: Result<Vec<_>> = requests
            .into_iter()
            .map(|request| self.sealed(collection, request))
            .collect();
        self.inner.put_many(collection, requests?).await
    }

    async fn commit(&self, mut batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.sealing.prepare().await?;
        for (collection, operation) in &mut batch.operations {
            if let BatchOperation::Put(request) = operation {
                *request = self.sealed(collection, request.clone())?;
            }
        }
        self.inner.commit(batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        let request = self.translation(collection).request(request)?;
        let mut page = self.inner.find(collection, request).await?;
        let stored = std::mem::take(&mut page.documents);
        page.documents.reserve(stored.len());
        for document in stored {
            match self.opened(collection, document).await {
                Ok(document) => page.documents.push(document),
                Err(error) => page.unreadable.push(error),
            }
        }
        Ok(page)
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        let request = self.translation(collection).request(request)?;
        self.inner.count(collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        let request = self.translation(collection).request(request.clone())?;
        self.inner.explain(collection, &request).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.require_fields()?;
        let shown = self.translation(collection).index(index)?;
        if !self.is_indexed(collection, &shown).await? {
            // Documents from before a field was declared do not show it yet.
            self.show_fields(collection, now).await?;
        }
        self.inner.ensure_index(collection, &shown, now).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        let indexes = self.inner.indexes(collection).await?;
        Ok(indexes
            .into_iter()
            .map(|info| IndexInfo {
                index: own_index(info.index),
                ..info
            })
            .collect())
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        entries::append(&*self.inner, &self.sealing, log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        entries::read(&*self.inner, &self.sealing, log, from, limit).await
    }
}
