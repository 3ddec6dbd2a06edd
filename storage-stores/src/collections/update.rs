//! Updating: read, change, write, again where others were faster.

use storage_core::{DocumentId, Error, ErrorKind, Result, Retry};
use tokio::time::Instant;

use super::entities::Entities;
use super::entity::{Entity, Stored};
use super::lock::Guard;
use crate::race;

const OPERATION: &str = "update entity";

impl<T: Entity> Entities<T> {
    /// Reads an entity, lets `change` edit it, and stores it, again from the start whenever somebody else was faster; then `change` sees
    /// what they stored. `None` when there is none, and `change` is then not called.
    ///
    /// Updates of one entity through clones of one `Entities` queue, so none of them is lost and none starves.
    ///
    /// # Errors
    /// `Timeout` when the others left no gap for [`lock_timeout`](super::EntityOptions::lock_timeout); as [`create`](Self::create).
    pub async fn update(
        &self,
        id: impl AsRef<str>,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<Option<Stored<T>>> {
        self.try_update(id, |value| {
            change(value);
            Ok(())
        })
        .await
    }

    /// As [`update`](Self::update), with a `change` that may refuse: then its error is given back and nothing is stored.
    ///
    /// # Errors
    /// That of `change`; as [`update`](Self::update).
    pub async fn try_update(
        &self,
        id: impl AsRef<str>,
        change: impl FnMut(&mut T) -> Result<()> + Send,
    ) -> Result<Option<Stored<T>>> {
        let id = DocumentId::new(id).map_err(|error| self.named(error, OPERATION, ""))?;
        let deadline = Instant::now() + self.shared.options.lock_timeout;
        let queue = self.shared.updates.enter(&id);
        let Ok(_turn) = tokio::time::timeout_at(deadline, queue.lock()).await else {
            return Err(self.too_slow(&id));
        };
        self.change(&id, deadline, None, change).await
    }

    pub(super) async fn change(
        &self,
        id: &DocumentId,
        deadline: Instant,
        guard: Option<Guard>,
        mut change: impl FnMut(&mut T) -> Result<()> + Send,
    ) -> Result<Option<Stored<T>>> {
        self.ensure_indexes().await?;
        for attempt in 0.. {
            let Some(mut entity) = self.read(OPERATION, id).await? else {
                return Ok(None);
            };
            change(&mut entity.value)?;
            self.check(guard.as_ref(), OPERATION, id)?;
            let fence = guard.as_ref().and_then(Guard::fence);
            match self.write(OPERATION, &mut entity, fence).await {
                Ok(()) => return Ok(Some(entity)),
                Err(error) if !is_lost_race(&error) => return Err(error),
                Err(_) if Instant::now() >= deadline => break,
                Err(_) => race::pause(attempt).await,
            }
        }
        Err(self.too_slow(id))
    }

    /// Deletes what is there while a lock is held, again where somebody without the lock changed it.
    pub(super) async fn delete_guarded(&self, id: &DocumentId, guard: &Guard) -> Result<bool> {
        const OPERATION: &str = "delete entity";
        let documents = &self.shared.documents;
        let mut attempt = 0;
        loop {
            let writing = self.shared.cache.writing(id);
            self.check(Some(guard), OPERATION, id)?;
            let deleted = match guard.fence() {
                Some(fence) => documents.delete_fenced(id, fence).await,
                None => match documents.get(id).await? {
                    None => Ok(false),
                    Some(document) => documents.delete_if(id, document.version).await.map(|()| true),
                },
            };
            match deleted {
                Err(error) if is_lost_race(&error) => {
                    race::pause(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
                Ok(was_there) => {
                    writing.deleted().await;
                    return Ok(was_there);
                }
            }
        }
    }

    fn check(&self, guard: Option<&Guard>, operation: &'static str, id: &DocumentId) -> Result<()> {
        let checked = guard.map_or(Ok(()), Guard::check);
        checked.map_err(|error| self.named(error, operation, id.as_str()))
    }

    fn too_slow(&self, id: &DocumentId) -> Error {
        let message = format!(
            "others changed it each time for {:?} before this update could; try again, or raise lock_timeout",
            self.shared.options.lock_timeout
        );
        let error = Error::new(ErrorKind::Timeout, message).with_retry(Retry::Later);
        self.named(error, OPERATION, id.as_str())
    }
}

/// Whether somebody else wrote first and nothing was written.
pub(super) fn is_lost_race(error: &Error) -> bool {
    race::is_lost(error) || error.kind() == ErrorKind::Conflict
}
