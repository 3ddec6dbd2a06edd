//! [`Composed`]: objects from one adapter, documents and logs from another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::adapter::{
    AppendRequest, Appended, BatchRequest, DeleteDocumentRequest, Explanation, FindPage, FindRequest,
    LogPage, PutRequest, StorageAdapter, StoredDocument, SweepReport,
};
use crate::backend::{
    Area, DeleteRequest, ListPage, ListRequest, Object, ObjectMeta, ObjectWriter, ReadRequest,
    StorageBackend, WriteRequest,
};
use crate::change::{Changes, WatchRequest};
use crate::clock::Timestamp;
use crate::declaration::Declaration;
use crate::error::{Error, Result};
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::{DocumentId, Key, Name};
use crate::version::Version;

/// Two adapters as one: every call about bytes goes to the first, every call about documents, indexes and logs to the second.
///
/// Both [`Area`]s of bytes are the first adapter's, because its section of the [`Declaration`] is the one that describes them; where
/// the second keeps its own documents is its own affair. No operation spans the two, so no atomicity across them is claimed:
/// write the object first and the document that names it second, and a crash in between leaves an object nobody names.
///
/// ```
/// # use std::sync::Arc;
/// use storage_core::{Composed, Memory, Storage};
/// let storage = Storage::new(Composed::new(Arc::new(Memory::new()), Arc::new(Memory::new())));
/// assert_eq!(storage.declaration().backend, "memory+memory");
/// ```
#[derive(Debug, Clone)]
pub struct Composed {
    objects: Arc<dyn StorageAdapter>,
    documents: Arc<dyn StorageAdapter>,
    declaration: Declaration,
}

impl Composed {
    /// Objects from the first, documents and logs from the second. Its name is both names joined by `+`.
    pub fn new(objects: Arc<dyn StorageAdapter>, documents: Arc<dyn StorageAdapter>) -> Self {
        let (first, second) = (objects.declaration(), documents.declaration());
        let mut declaration = Declaration::new(format!("{}+{}", first.backend, second.backend));
        declaration.objects = first.objects.clone();
        declaration.documents = second.documents.clone();
        declaration.logs = second.logs.clone();
        let of_objects = first
            .reasons
            .iter()
            .filter(|(capability, _)| capability.is_of_objects());
        let of_documents = second
            .reasons
            .iter()
            .filter(|(capability, _)| !capability.is_of_objects());
        declaration.reasons = of_objects
            .chain(of_documents)
            .map(|(capability, reason)| (*capability, reason.clone()))
            .collect();
        Self {
            objects,
            documents,
            declaration,
        }
    }

    /// What both answered, or the first error. A second one is only traced: a caller can act on one at a time.
    fn both<T>(&self, objects: Result<T>, documents: Result<T>) -> Result<(T, T)> {
        let named = |adapter: &Arc<dyn StorageAdapter>, error: Error| {
            error.with_backend(adapter.declaration().backend.clone())
        };
        match (objects, documents) {
            (Ok(objects), Ok(documents)) => Ok((objects, documents)),
            (Ok(_), Err(error)) => Err(named(&self.documents, error)),
            (Err(error), second) => {
                if let Err(second) = second {
                    tracing::warn!(backend = %self.declaration.backend, error = %second, "documents failed too");
                }
                Err(named(&self.objects, error))
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl StorageBackend for Composed {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.objects.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.objects.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.objects.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.objects.delete(area, key, request).await
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
        Arc::clone(&self.objects).open_writer(area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.objects.copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.objects.delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.objects.presign(area, key, valid_for).await
    }

    /// Asks both, and answers with the first error.
    async fn health(&self) -> Result<()> {
        let (objects, documents) = futures::join!(self.objects.health(), self.documents.health());
        self.both(objects, documents).map(|_| ())
    }

    /// Closes both, also when one fails, and answers with the first error.
    async fn close(&self) -> Result<()> {
        let (objects, documents) = futures::join!(self.objects.close(), self.documents.close());
        self.both(objects, documents).map(|_| ())
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl StorageAdapter for Composed {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.documents.put(collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.documents.get(collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.documents.get_many(collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.documents.delete_document(collection, request).await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.documents.put_many(collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.documents.commit(batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.documents.find(collection, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.documents.count(collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.documents.explain(collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.documents.collections(after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.documents.ensure_index(collection, index, now).await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.documents.drop_index(collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.documents.indexes(collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.documents.rebuild_index(collection, index, now).await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.documents.index_stats(collection, index, now).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.documents.watch(collection, request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.documents.append(log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.documents.read_log(log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.documents.close_log(log).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.documents.delete_log(log).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.documents.logs(after, limit).await
    }

    /// Sweeps both, the second also when the first fails; what was done stays done.
    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        let (objects, documents) = (self.objects.sweep(now).await, self.documents.sweep(now).await);
        let (objects, documents) = self.both(objects, documents)?;
        Ok(SweepReport {
            purged_documents: objects.purged_documents + documents.purged_documents,
            index_entries: objects.index_entries + documents.index_entries,
            tombstones: objects.tombstones + documents.tombstones,
            temporaries: objects.temporaries + documents.temporaries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::memory::Memory;
    use crate::storage::Storage;

    fn pair() -> (Memory, Memory, Composed) {
        let (objects, documents) = (Memory::new(), Memory::new());
        let composed = Composed::new(Arc::new(objects.clone()), Arc::new(documents.clone()));
        (objects, documents, composed)
    }

    #[tokio::test]
    async fn bytes_go_to_the_first_and_documents_and_logs_to_the_second() {
        let (objects, documents, composed) = pair();
        let storage = Storage::new(composed);
        storage.objects().write("a", "bytes").await.unwrap();
        storage
            .collection("people")
            .put("ada", &bson::doc! { "age": 36 })
            .await
            .unwrap();
        storage.log("events").append("started").await.unwrap();

        let (objects, documents) = (Storage::new(objects), Storage::new(documents));
        assert!(objects.objects().exists("a").await.unwrap());
        assert!(objects.collections().await.unwrap().is_empty());
        assert!(objects.logs().await.unwrap().is_empty());
        assert!(!documents.objects().exists("a").await.unwrap());
        assert_eq!(
            documents
                .collection::<bson::Document>("people")
                .count(crate::Query::all())
                .await
                .unwrap(),
            1
        );
        assert_eq!(documents.log("events").len().await.unwrap(), 1);
    }

    #[test]
    fn the_declaration_is_the_first_ones_objects_and_the_second_ones_documents_and_logs() {
        let bytes_only = crate::MemoryBackend::new();
        let (_, documents, composed) = pair();
        assert_eq!(composed.declaration().backend, "memory+memory");
        assert_eq!(composed.declaration().objects, bytes_only.declaration().objects);
        assert_eq!(
            composed.declaration().documents,
            documents.declaration().documents
        );
        assert_eq!(composed.declaration().logs, documents.declaration().logs);
    }

    #[tokio::test]
    async fn sweeping_covers_both() {
        let (_, documents, composed) = pair();
        let documents = Storage::new(documents);
        let gone = crate::PutOptions::new().expires_at(Timestamp::from_millis(1));
        documents
            .collection("people")
            .put_with("ada", &bson::doc! {}, gone)
            .await
            .unwrap();
        let report = Storage::new(composed).sweep().await.unwrap();
        assert_eq!(report.purged_documents, 1);
    }

    #[test]
    fn the_first_error_wins_and_a_second_one_hides_nothing() {
        let (_, _, composed) = pair();
        let fail = |kind| Err::<(), _>(Error::new(kind, "no"));
        let kind = |result: Result<((), ())>| result.unwrap_err().kind();
        assert_eq!(
            kind(composed.both(fail(ErrorKind::Io), fail(ErrorKind::NoSpace))),
            ErrorKind::Io
        );
        assert_eq!(kind(composed.both(fail(ErrorKind::Io), Ok(()))), ErrorKind::Io);
        assert_eq!(
            kind(composed.both(Ok(()), fail(ErrorKind::NoSpace))),
            ErrorKind::NoSpace
        );
    }
}
