//! Watching entities.

use std::sync::Arc;

use futures::stream::StreamExt;
use storage_core::{ChangePosition, Changes, Result};

use super::entities::Entities;
use super::entity::Entity;

impl<T: Entity> Entities<T> {
    /// The changes of the entities of this type from now on, whoever makes them. What is promised, and what is not, stands at
    /// [`Collection::watch`](storage_core::Collection::watch).
    ///
    /// A change is out of the cache of this store and its clones before it is told, so [`get_by_id`](Self::get_by_id) then gives the state
    /// it left, or a later one. A migration tells each entity it changes.
    ///
    /// # Errors
    /// `Unsupported` where the storage does not declare `watch`; those of the medium.
    pub async fn watch(&self) -> Result<Changes> {
        Ok(self.uncached(self.shared.documents.watch().await?))
    }

    /// The changes behind this one, which was told before, by this process or another.
    ///
    /// # Errors
    /// `NotFound` when the changes behind it are not kept any more; as [`watch`](Self::watch).
    pub async fn watch_after(&self, position: &ChangePosition) -> Result<Changes> {
        Ok(self.uncached(self.shared.documents.watch_after(position).await?))
    }

    fn uncached(&self, changes: Changes) -> Changes {
        let shared = Arc::clone(&self.shared);
        let uncached = changes.inspect(move |change| {
            if let Ok(change) = change {
                drop(shared.cache.writing(&change.id));
            }
        });
        uncached.boxed()
    }
}
