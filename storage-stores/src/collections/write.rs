//! Creating, replacing and deleting.

use futures::stream::StreamExt;
use storage_core::bson::RawDocumentBuf;
use storage_core::{Condition, DocumentId, Error, Fence, PutOptions, Query, Result, Timestamp, Version};

use super::entities::Entities;
use super::entity::{Entity, Kept, Stored};
use super::record::{self, Record};

/// How many deletions of [`Entities::delete_all`] are under way at once.
const DELETIONS_AT_ONCE: usize = 16;

impl<T: Entity> Entities<T> {
    /// Stores a new entity under an id of its own, created and updated now.
    ///
    /// # Errors
    /// `InvalidArgument` for what its type refuses or a document cannot hold; `UniqueViolation` naming the index, and nothing of it is
    /// left behind; `LimitExceeded`; those of the medium, with the id in [`Error::key`].
    pub async fn create(&self, value: T) -> Result<Stored<T>> {
        let id = self.generate_id()?;
        self.create_with_id(id, value).await
    }

    /// Stores a new entity under this id.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidName`; as [`create`](Self::create).
    pub async fn create_with_id(&self, id: impl AsRef<str>, value: T) -> Result<Stored<T>> {
        let id = DocumentId::new(id).map_err(|error| self.named(error, "create entity", ""))?;
        self.ensure_indexes().await?;
        let now = self.shared.storage.now();
        let body = self.encode_new(&id, &value, now)?;
        let options = PutOptions::new().condition(Condition::IfAbsent);
        let version = self.put(&id, body, options, None).await?;
        Ok(self.stored_new(id, now, version, value))
    }

    /// Stores new entities, one result each in the order given, in as few calls as may be. Not atomic: those that could be stored are.
    pub async fn create_many(&self, values: impl IntoIterator<Item = T> + Send) -> Vec<Result<Stored<T>>> {
        let values: Vec<T> = values.into_iter().collect();
        if let Err(error) = self.ensure_indexes().await {
            return values.iter().map(|_| Err(again(&error))).collect();
        }
        let at_once = self.most_at_once();
        let mut results = Vec::with_capacity(values.len());
        let mut values = values.into_iter().peekable();
        while values.peek().is_some() {
            let chunk: Vec<T> = values.by_ref().take(at_once).collect();
            results.extend(self.create_chunk(chunk).await);
        }
        results
    }

    async fn create_chunk(&self, values: Vec<T>) -> Vec<Result<Stored<T>>> {
        let now = self.shared.storage.now();
        let prepared: Vec<Result<(DocumentId, RawDocumentBuf)>> = values
            .iter()
            .map(|value| {
                let id = self.generate_id()?;
                let body = self.encode_new(&id, value, now)?;
                Ok((id, body))
            })
            .collect();
        let documents = prepared.iter().flatten().map(|(id, body)| (id, body));
        let written = self.shared.documents.put_many(documents).await;
        let mut versions = written.map(Vec::into_iter);
        let outcomes = prepared.into_iter().zip(values);
        outcomes
            .map(|(prepared, value)| {
                let (id, _) = prepared?;
                let version = match &mut versions {
                    Ok(versions) => versions.next().unwrap_or_else(|| Err(too_few()))?,
                    Err(error) => return Err(again(error)),
                };
                Ok(self.stored_new(id, now, version, value))
            })
            .collect()
    }

    fn encode_new(&self, id: &DocumentId, value: &T, now: Timestamp) -> Result<RawDocumentBuf> {
        let schema = self.shared.latest.as_deref();
        self.encode("create entity", id, value, now, now, schema)
    }

    fn stored_new(&self, id: DocumentId, now: Timestamp, version: Version, value: T) -> Stored<T> {
        Stored {
            id,
            created: now,
            updated: now,
            version,
            value,
            kept: Kept {
                expires_at: None,
                schema: self.shared.latest.clone(),
            },
        }
    }

    fn most_at_once(&self) -> usize {
        let section = self.shared.storage.declaration().documents.as_ref();
        let most = section.map_or(1, |section| section.max_batch_operations);
        usize::try_from(most).unwrap_or(usize::MAX).clamp(1, 1_000)
    }

    /// Stores an entity in place of exactly the state it was read in, updated now. It then has the version and time of the new state; if
    /// this fails it is as it was.
    ///
    /// # Errors
    /// `PreconditionFailed` when it was changed or deleted since; as [`create`](Self::create).
    pub async fn replace(&self, entity: &mut Stored<T>) -> Result<()> {
        self.ensure_indexes().await?;
        self.write("replace entity", entity, None).await
    }

    /// Writes an entity over the version it has.
    pub(super) async fn write(
        &self,
        operation: &'static str,
        entity: &mut Stored<T>,
        fence: Option<Fence>,
    ) -> Result<()> {
        // Another process's clock may be ahead of this one's.
        let updated = self.shared.storage.now().max(entity.updated);
        let schema = entity.kept.schema.as_deref();
        let body = self.encode(
            operation,
            &entity.id,
            &entity.value,
            entity.created,
            updated,
            schema,
        )?;
        let mut options = PutOptions::new().condition(Condition::IfVersion(entity.version.clone()));
        if let Some(at) = entity.kept.expires_at {
            options = options.expires_at(at);
        }
        if let Some(fence) = fence {
            options = options.fence(fence);
        }
        entity.version = self
            .put(&entity.id, body, options, entity.kept.expires_at)
            .await?;
        entity.updated = updated;
        Ok(())
    }

    fn encode(
        &self,
        operation: &'static str,
        id: &DocumentId,
        value: &T,
        created: Timestamp,
        updated: Timestamp,
        schema: Option<&str>,
    ) -> Result<RawDocumentBuf> {
        record::encode(value, created, updated, schema)
            .map_err(|error| self.named(error, operation, id.as_str()))
    }

    /// Writes a document, and the cache behind it.
    async fn put(
        &self,
        id: &DocumentId,
        body: RawDocumentBuf,
        options: PutOptions,
        expires_at: Option<Timestamp>,
    ) -> Result<Version> {
        let shared = &self.shared;
        let now = shared.storage.now();
        let writing = shared.cache.writing(id);
        let version = shared.documents.put_with(id, &body, options).await?;
        let record = Record {
            id: id.clone(),
            version: version.clone(),
            expires_at,
            body,
        };
        writing.stored(record, now).await;
        Ok(version)
    }

    /// Deletes an entity; `true` if it was there.
    ///
    /// # Errors
    /// `InvalidName`; those of the medium.
    pub async fn delete(&self, id: impl AsRef<str>) -> Result<bool> {
        let id = DocumentId::new(id).map_err(|error| self.named(error, "delete entity", ""))?;
        let writing = self.shared.cache.writing(&id);
        let was_there = self.shared.documents.delete(&id).await?;
        writing.deleted().await;
        Ok(was_there)
    }

    /// Deletes an entity if it is still in the state it was read in.
    ///
    /// # Errors
    /// `PreconditionFailed` when it was changed or deleted since; those of the medium.
    pub async fn delete_if(&self, entity: &Stored<T>) -> Result<()> {
        let writing = self.shared.cache.writing(&entity.id);
        self.shared
            .documents
            .delete_if(&entity.id, entity.version.clone())
            .await?;
        writing.deleted().await;
        Ok(())
    }

    /// Deletes every entity there is when it comes by, and says how many. Indexes stay. Cut short, it is finished by another.
    ///
    /// # Errors
    /// Those of the medium; what cannot be read is left, and named by the error after all others were deleted.
    pub async fn delete_all(&self) -> Result<u64> {
        let mut deleted = 0;
        let mut unreadable = None;
        let mut query = Query::all();
        loop {
            let page = self.shared.documents.find_page(query).await?;
            unreadable = unreadable.or_else(|| page.unreadable.into_iter().next());
            let deletions = page
                .documents
                .into_iter()
                .map(|document| self.delete(document.id));
            // Each to its end: one that was dropped might still land after this call has failed.
            let here: Vec<Result<bool>> = futures::stream::iter(deletions)
                .buffer_unordered(DELETIONS_AT_ONCE)
                .collect()
                .await;
            for was_there in here {
                deleted += u64::from(was_there?);
            }
            match (page.next, unreadable) {
                (Some(token), kept) => {
                    query = Query::all().after(token);
                    unreadable = kept;
                }
                (None, Some(error)) => return Err(error),
                (None, None) => return Ok(deleted),
            }
        }
    }
}

fn too_few() -> Error {
    Error::new(
        storage_core::ErrorKind::Internal,
        "the storage gave fewer results than documents",
    )
}

/// The same failure for another of those it concerns.
fn again(error: &Error) -> Error {
    let mut same = Error::new(error.kind(), error.message().to_owned())
        .with_applied(error.applied())
        .with_retry(error.retry())
        .with_operation(error.operation().to_owned())
        .with_backend(error.backend().to_owned());
    if let Some(key) = error.key() {
        same = same.with_key(key);
    }
    error
        .context()
        .fold(same, |same, (name, value)| same.with_context(name, value))
}
