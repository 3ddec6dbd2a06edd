//! [`StorageAdapter`] for [`Sqlite`]: documents, indexes, queries and logs.

use async_trait::async_trait;
use storage_core::{
    AppendRequest, Appended, BatchRequest, Capability, Changes, DeleteDocumentRequest, DocumentId,
    Explanation, FindPage, FindRequest, Index, IndexInfo, IndexStats, LogPage, Name, PutRequest, Result,
    StorageAdapter, StorageBackend, StoredDocument, SweepReport, Timestamp, Version, WatchRequest,
};

use crate::connect::Session;
use crate::documents::{self, Operation, Prepared};
use crate::readers::{plain_snapshot, snapshot};
use crate::short::{Budget, Short};
use crate::store::Sqlite;
use crate::{indexes, logs, query, sweep};

/// The most documents `get_many` reads on the calling thread.
const SHORT_DOCUMENTS: usize = 32;

#[async_trait]
impl StorageAdapter for Sqlite {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.inner.check_open()?;
        let prepared = Prepared::new(request)?;
        let name = collection.clone();
        let bytes = prepared.bytes();
        self.inner
            .writer
            .run(bytes, move |session| documents::put(session, &name, &prepared))
            .await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.inner.check_open()?;
        if let Short::Done(document) = self
            .inner
            .readers
            .short(|session| documents::read_short(session, collection, id, now))?
        {
            return Ok(document);
        }
        let (name, id) = (collection.clone(), id.clone());
        let long = move |session: &mut Session| documents::read_long(session, &name, &id, now);
        Box::pin(self.inner.readers.long(long)).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.inner.check_open()?;
        if ids.len() <= SHORT_DOCUMENTS {
            let short = |session: &mut Session| {
                let mut documents = Vec::with_capacity(ids.len());
                for id in ids {
                    match documents::read_short(session, collection, id, now)? {
                        Short::Done(document) => documents.push(document),
                        Short::TooLong => return Ok(Short::TooLong),
                    }
                }
                Ok(Short::Done(documents))
            };
            if let Short::Done(documents) = self.inner.readers.short(short)? {
                return Ok(documents);
            }
        }
        let (name, ids) = (collection.clone(), ids.to_vec());
        let long = move |session: &mut Session| {
            snapshot(session, |session| {
                ids.iter()
                    .map(|id| documents::read_long(session, &name, id, now))
                    .collect()
            })
        };
        self.inner.readers.long(long).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.inner.check_open()?;
        let name = collection.clone();
        self.inner
            .writer
            .run(0, move |session| documents::delete(session, &name, &request))
            .await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.inner.check_open()?;
        let name = collection.clone();
        let mut prepared = Vec::with_capacity(requests.len());
        let mut refused = Vec::new();
        for (at, request) in requests.into_iter().enumerate() {
            match Prepared::new(request) {
                Ok(put) => prepared.push(put),
                Err(error) => refused.push((at, error)),
            }
        }
        let bytes = prepared.iter().map(Prepared::bytes).sum();
        let mut results = self
            .inner
            .writer
            .run(bytes, move |session| {
                documents::put_many(session, &name, &prepared)
            })
            .await?;
        // From the first to the last, so that each comes to stand where it was.
        for (at, error) in refused {
            results.insert(at, Err(error));
        }
        Ok(results)
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.inner.check_open()?;
        let mut operations = Vec::with_capacity(batch.operations.len());
        for (at, (name, operation)) in batch.operations.into_iter().enumerate() {
            let operation =
                Operation::new(operation).map_err(|error| error.with_context("operation", at.to_string()))?;
            operations.push((name, operation));
        }
        let bytes = operations.iter().map(|(_, operation)| operation.bytes()).sum();
        self.inner
            .writer
            .run(bytes, move |session| documents::commit(session, &operations))
            .await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.inner.check_open()?;
        let find = |session: &mut Session, name: &Name, request: &FindRequest, budget| {
            snapshot(session, |session| query::find(session, name, request, budget))
        };
        let short =
            self.inner.readers.short(
                |session| match query::find_at_once(session, collection, &request) {
                    Some(page) => Ok(page),
                    None => find(session, collection, &request, Budget::SHORT),
                },
            )?;
        if let Short::Done(page) = short {
            return Ok(page);
        }
        let name = collection.clone();
        let long = move |session: &mut Session| find(session, &name, &request, Budget::LONG);
        Box::pin(self.inner.readers.long(long)).await?.unbounded()
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.inner.check_open()?;
        let name = collection.clone();
        let work =
            move |session: &mut Session| snapshot(session, |session| query::count(session, &name, &request));
        self.inner.readers.long(work).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.inner.check_open()?;
        self.inner
            .readers
            .short(|session| snapshot(session, |session| query::explain(session, collection, request)))
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.inner.check_open()?;
        let after = after.cloned();
        self.inner
            .readers
            .long(move |session| documents::collections(session, after.as_ref(), limit))
            .await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.inner.check_open()?;
        let (name, index) = (collection.clone(), index.clone());
        self.inner
            .writer
            .run(0, move |session| indexes::ensure(session, &name, &index, now))
            .await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.inner.check_open()?;
        let (name, index) = (collection.clone(), index.clone());
        self.inner
            .writer
            .run(0, move |session| indexes::drop(session, &name, &index))
            .await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.inner.check_open()?;
        self.inner
            .readers
            .short(|session| snapshot(session, |session| indexes::list(session, collection)))
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.inner.check_open()?;
        let (name, index) = (collection.clone(), index.clone());
        self.inner
            .writer
            .run(0, move |session| indexes::rebuild(session, &name, &index, now))
            .await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.inner.check_open()?;
        let (name, index) = (collection.clone(), index.clone());
        let work = move |session: &mut Session| {
            snapshot(session, |session| indexes::stats(session, &name, &index, now))
        };
        self.inner.readers.long(work).await
    }

    /// The engine tells a connection of its own writes alone.
    async fn watch(&self, _collection: &Name, _request: WatchRequest) -> Result<Changes> {
        self.inner.check_open()?;
        Err(self.declaration().unsupported(Capability::Watch))
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.inner.check_open()?;
        let name = log.clone();
        let bytes = request.entries.iter().map(bytes::Bytes::len).sum();
        self.inner
            .writer
            .run(bytes, move |session| logs::append(session, &name, &request))
            .await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.inner.check_open()?;
        let read = move |session: &mut Session, name: &Name, budget| {
            plain_snapshot(session, |session| logs::read(session, name, from, limit, budget))
        };
        let short = self
            .inner
            .readers
            .short(|session| read(session, log, Budget::SHORT))?;
        if let Short::Done(page) = short {
            return Ok(page);
        }
        let name = log.clone();
        let long = move |session: &mut Session| read(session, &name, Budget::LONG);
        Box::pin(self.inner.readers.long(long)).await?.unbounded()
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.inner.check_open()?;
        let name = log.clone();
        self.inner
            .writer
            .run(0, move |session| logs::close(session, &name))
            .await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.inner.check_open()?;
        let name = log.clone();
        self.inner
            .writer
            .run(0, move |session| logs::delete(session, &name))
            .await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.inner.check_open()?;
        let after = after.cloned();
        self.inner
            .readers
            .long(move |session| logs::list(session, after.as_ref(), limit))
            .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.inner.check_open()?;
        sweep::sweep(&self.inner, now).await
    }
}
