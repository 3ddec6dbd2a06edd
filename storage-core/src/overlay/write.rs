//! Writing and deleting a document: everything is prepared out of sight, then one swap commits it.

use futures::future::BoxFuture;

use super::backoff::Backoff;
use super::engine::{Engine, Loaded, grouped, in_parallel};
use super::entries::{Wanted, difference};
use super::layout;
use super::medium::Swap;
use super::record::{Content, Entries, Record};
use crate::adapter::{DeleteDocumentRequest, DocumentGuard, PutRequest};
use crate::backend::{Condition, ObjectGuard};
use crate::clock::Timestamp;
use crate::error::{Applied, Error, Result};
use crate::name::{DocumentId, Name};
use crate::version::Version;

/// What one attempt came to.
enum Attempt<T> {
    Done(T),
    /// Somebody else came between: look again and decide anew.
    Again,
}

impl Engine {
    /// # Errors
    /// As [`StorageAdapter::put`](crate::StorageAdapter::put).
    pub(super) async fn put(&self, collection: &Name, request: &PutRequest) -> Result<Version> {
        let mut backoff = Backoff::new();
        let mut placeholder = None;
        loop {
            match self.try_put(collection, request, &mut placeholder).await {
                Ok(Attempt::Done(version)) => return Ok(version),
                Ok(Attempt::Again) => backoff.pause().await?,
                Err(error) => {
                    if let Some(version) = placeholder
                        && error.applied() == Applied::No
                    {
                        self.remove_placeholder(collection, &request.id, version).await;
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn try_put(
        &self,
        collection: &Name,
        request: &PutRequest,
        placeholder: &mut Option<Version>,
    ) -> Result<Attempt<Version>> {
        let PutRequest { id, now, .. } = request;
        let guard = self.hold(collection, id, request.guard.as_ref(), *now).await?;
        let found = self.load(collection, id).await?;
        let current = found.as_ref().and_then(|found| found.record.live_version(*now));
        guard.check_own(current)?;
        request.condition.check(current)?;
        // 1. A base version: nothing commits by create-if-absent, because a writer that saw nothing could not be fenced.
        let base = match found {
            Some(base) => base,
            None => match self.create_placeholder(collection, id).await? {
                Some(base) => {
                    *placeholder = Some(base.medium.clone());
                    base
                }
                None => return Ok(Attempt::Again),
            },
        };
        // 2. Only now the catalog: an index registered later rewrites the base version, and this write then loses.
        let catalog = self.catalog(collection).await?.catalog;
        let wanted = Wanted::of_all(&catalog, &request.body, self.max_index_key_bytes)?;
        let entries: Entries = wanted
            .iter()
            .map(|wanted| {
                (
                    wanted.generation.token.clone(),
                    wanted.nonces(&base.record.entries),
                )
            })
            .collect();
        let record = Record {
            version: Version::random(),
            content: Content::Document {
                body: request.body.clone(),
                expires_at: request.expires_at,
            },
            entries,
        };
        let bytes = self.encode(&record)?;
        // 3. Claims first: a violation then leaves no entries behind.
        if !self.claim_all(collection, &wanted, id, *now).await? {
            return Ok(Attempt::Again);
        }
        let made = difference(id, &record.entries, &base.record.entries)?;
        self.create_entries(&made).await?;
        // 4. The commit point.
        let key = layout::document(collection, id)?;
        match self
            .medium
            .swap_guarded(&key, bytes, &base.medium, guard.object)
            .await
        {
            Swap::Done(_) => {}
            Swap::Lost => {
                self.retract_entries(collection, id, &base.medium, &made, &record.entries)
                    .await;
                return Ok(Attempt::Again);
            }
            Swap::Failed(error) => self.check_applied(collection, id, &record.version, error).await?,
        }
        // 5. What the old state named and the new one does not.
        self.remove_entries(&difference(id, &base.record.entries, &record.entries)?)
            .await;
        Ok(Attempt::Done(record.version))
    }

    /// # Errors
    /// As [`StorageAdapter::delete_document`](crate::StorageAdapter::delete_document).
    pub(super) async fn delete(&self, collection: &Name, request: &DeleteDocumentRequest) -> Result<bool> {
        let mut backoff = Backoff::new();
        loop {
            match self.try_delete(collection, request).await? {
                Attempt::Done(deleted) => return Ok(deleted),
                Attempt::Again => backoff.pause().await?,
            }
        }
    }

    async fn try_delete(&self, collection: &Name, request: &DeleteDocumentRequest) -> Result<Attempt<bool>> {
        let DeleteDocumentRequest { id, now, .. } = request;
        let guard = self.hold(collection, id, request.guard.as_ref(), *now).await?;
        let found = self.load(collection, id).await?;
        let current = found.as_ref().and_then(|found| found.record.live_version(*now));
        guard.check_own(current)?;
        if let Some(expected) = &request.if_version {
            Condition::IfVersion(expected.clone()).check(current)?;
        }
        let base = match found {
            Some(found) if found.record.live(*now).is_some() => found,
            // Whoever left the mark may have died before it was durable. That it is removed is, and it was to be removed.
            Some(found) if matches!(found.record.content, Content::Tombstone) => {
                let key = layout::document(collection, id)?;
                self.medium.remove_version(&key, found.medium).await?;
                return Ok(Attempt::Done(false));
            }
            _ => return Ok(Attempt::Done(false)),
        };
        let tombstone = Record::tombstone();
        let key = layout::document(collection, id)?;
        let swap = self
            .medium
            .swap_guarded(&key, tombstone.encode()?, &base.medium, guard.object)
            .await;
        let medium = match swap {
            Swap::Done(medium) => Some(medium),
            Swap::Lost => return Ok(Attempt::Again),
            Swap::Failed(error) => {
                self.check_applied(collection, id, &tombstone.version, error)
                    .await?;
                None
            }
        };
        self.bury(collection, id, &base.record.entries, medium).await;
        Ok(Attempt::Done(true))
    }

    /// After a tombstone stands: removes the entries of the last state, then, where the medium can remove exactly it, the
    /// tombstone. Whatever fails is left to a sweep.
    pub(super) async fn bury(
        &self,
        collection: &Name,
        id: &DocumentId,
        entries: &Entries,
        tombstone: Option<Version>,
    ) {
        if let Ok(keys) = difference(id, entries, &Entries::new()) {
            self.remove_entries(&keys).await;
        }
        if let Some(version) = tombstone {
            self.remove_placeholder(collection, id, version).await;
        }
    }

    /// Removes a placeholder or tombstone, exactly this version of it, if that can be done now.
    async fn remove_placeholder(&self, collection: &Name, id: &DocumentId, version: Version) {
        let Ok(key) = layout::document(collection, id) else {
            return;
        };
        if let Err(error) = self.medium.remove_version(&key, version).await {
            tracing::debug!(%error, "left the mark of an absent document to the next sweep");
        }
    }

    /// Creates a placeholder; `None` when somebody else put something there.
    async fn create_placeholder(&self, collection: &Name, id: &DocumentId) -> Result<Option<Loaded>> {
        let record = Record::placeholder();
        match self
            .medium
            .create(&layout::document(collection, id)?, record.encode()?)
            .await
        {
            Swap::Done(medium) => Ok(Some(Loaded { record, medium })),
            Swap::Lost => Ok(None),
            // Nobody sees a placeholder, so even if it was created nothing was applied.
            Swap::Failed(error) => Err(error.with_applied(Applied::No)),
        }
    }

    /// After a swap that failed: `Ok` when it was applied after all, and stays. Only seeing one's own version proves anything; while
    /// the base version is still there the request may be on its way, and after another version it may have come and gone.
    pub(super) async fn check_applied(
        &self,
        collection: &Name,
        id: &DocumentId,
        version: &Version,
        error: Error,
    ) -> Result<()> {
        if error.applied() == Applied::No {
            return Err(error);
        }
        match self.load(collection, id).await {
            Ok(Some(now)) if now.record.version == *version => {
                let (key, bytes) = (layout::document(collection, id)?, now.record.encode()?);
                if self.medium.confirm(&key, &now.medium, bytes).await {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            _ => Err(error),
        }
    }

    /// Looks at the document a write is guarded by.
    ///
    /// # Errors
    /// A failed guard when it has another version than asked for, or is gone.
    async fn hold(
        &self,
        collection: &Name,
        id: &DocumentId,
        guard: Option<&DocumentGuard>,
        now: Timestamp,
    ) -> Result<Hold> {
        let Some(guard) = guard else {
            return Ok(Hold::default());
        };
        if guard.collection == *collection && guard.id == *id {
            // The swap itself watches over the document that is written.
            return Ok(Hold {
                object: None,
                own: Some(guard.clone()),
            });
        }
        match self.load(&guard.collection, &guard.id).await? {
            Some(held) if held.record.live_version(now) == Some(&guard.version) => Ok(Hold {
                object: Some(ObjectGuard {
                    key: layout::document(&guard.collection, &guard.id)?,
                    version: held.medium,
                }),
                own: None,
            }),
            _ => Err(failed(guard)),
        }
    }

    /// # Errors
    /// Never for the whole; each document has its own result.
    pub(super) async fn put_many(
        &self,
        collection: &Name,
        requests: Vec<PutRequest>,
    ) -> Vec<Result<Version>> {
        let groups = grouped(requests, |request| &request.id).into_iter().map(|group| {
            let puts: BoxFuture<'_, Vec<(usize, Result<Version>)>> = Box::pin(async move {
                let mut results = Vec::with_capacity(group.len());
                for (at, request) in group {
                    results.push((at, self.put(collection, &request).await));
                }
                results
            });
            puts
        });
        let mut results: Vec<_> = in_parallel(groups).await.into_iter().flatten().collect();
        results.sort_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

/// What a write depends on beside its own document.
#[derive(Default)]
struct Hold {
    /// Checked by the medium together with the swap.
    object: Option<ObjectGuard>,
    /// The guard when it is the written document itself.
    own: Option<DocumentGuard>,
}

impl Hold {
    fn check_own(&self, current: Option<&Version>) -> Result<()> {
        match &self.own {
            Some(guard) if current != Some(&guard.version) => Err(failed(guard)),
            _ => Ok(()),
        }
    }
}

fn failed(guard: &DocumentGuard) -> Error {
    Error::guard_failed(guard.id.as_str())
}
