//! Watching a collection: the changes of the adapter, until the storage is closed.

use std::pin::pin;
use std::sync::atomic::Ordering;

use futures::future::{Either, select};
use futures::stream::{self, StreamExt};

use super::{Collection, Storage, closed};
use crate::change::{ChangePosition, Changes, WatchRequest};
use crate::declaration::Capability;
use crate::error::{ErrorKind, Result};

const OPERATION: &str = "watch collection";

impl<T> Collection<T> {
    /// The changes of this collection from now on, whoever makes them: this handle, another, or another process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
    /// use futures::StreamExt;
    /// use storage_core::{ChangeKind, Memory, Storage};
    ///
    /// let users = Storage::new(Memory::new()).collection::<std::collections::BTreeMap<String, u32>>("users");
    /// let mut changes = users.watch().await?;
    /// users.put("ada", &[("age".into(), 36)].into()).await?;
    ///
    /// let change = changes.next().await.expect("it goes on until the storage is closed")?;
    /// assert_eq!((change.id.as_str(), change.kind), ("ada", ChangeKind::Written));
    /// let ada = users.get(&change.id).await?.expect("nobody deleted her");
    /// assert_eq!(ada.value["age"], 36);
    /// let stored = change.position.to_string(); // from here on again after a restart
    /// # let _ = users.watch_after(&stored.parse()?).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # What is promised
    /// - Whatever is acknowledged after this call returned is told, **at least once**. To know a collection and keep up with it: watch, then
    ///   read all of it, then follow the changes.
    /// - The changes of **one document** come in the order they were made.
    /// - Who reads the document after a change was told has the state the change left, or a later one.
    /// - Behind the position of a change [`watch_after`](Self::watch_after) goes on without a gap, also from another process, while the
    ///   changes are kept: in memory the last 10,000 of the collection, in MongoDB what its oplog holds.
    /// - A **slow reader** loses nothing unnoticed. What waits for it waits in the place, not in this process; once the place has given it up,
    ///   the stream ends in `NotFound`. Watch anew then, and read the whole collection.
    ///
    /// # What is not
    /// That nothing is told of right before the call. An order among documents, also those of one batch, which is told change by change.
    /// That something differs after a change: it may be told twice, and also where a document was only written as it was. What a
    /// document was in between: several writes may have happened by the time it is read. That expiry is told: an expired document is
    /// absent at once, and a `Deleted` may come when it is purged, or none.
    ///
    /// # What ends it
    /// [`Storage::close`], with `Closed`; dropping it; the first other error, behind which nothing comes: `NotFound` as above, or where
    /// another program dropped the collection, and those of the medium, after which one goes on by `watch_after`. Only `Corrupt`, for a
    /// change of what is no document, is about that change alone, and more follow.
    ///
    /// A watch on MongoDB keeps a connection of the pool busy while somebody waits for the next change.
    ///
    /// # Errors
    /// `Unsupported` unless [`watch`](crate::DocumentsDeclaration::watch) is declared, which it is for memory and for MongoDB as a replica
    /// set or a sharded cluster; `InvalidName`; those of the medium.
    pub async fn watch(&self) -> Result<Changes> {
        self.watch_with(WatchRequest::default()).await
    }

    /// The changes behind this one, which was told before, by this process or another.
    ///
    /// # Errors
    /// `NotFound` when the changes behind this position are not kept any more, or it is none of this collection's; as
    /// [`watch`](Self::watch).
    pub async fn watch_after(&self, position: &ChangePosition) -> Result<Changes> {
        let after = Some(position.clone());
        self.watch_with(WatchRequest { after }).await
    }

    async fn watch_with(&self, request: WatchRequest) -> Result<Changes> {
        let changes = self
            .call(OPERATION, async {
                // Where there are no documents, that is what is missing.
                self.storage.documents_section()?;
                self.storage.require_one(Capability::Watch)?;
                self.storage.adapter().watch(&self.checked_name()?, request).await
            })
            .await?;
        Ok(self.storage.until_closed(changes, self.name.to_string()))
    }
}

impl Storage {
    /// The same changes, stamped; after `close` one `Closed` and the end.
    fn until_closed(&self, changes: Changes, name: String) -> Changes {
        let storage = self.clone();
        let until = stream::unfold(Some(changes), move |changes| {
            let (storage, name) = (storage.clone(), name.clone());
            async move {
                let mut changes = changes?;
                let next = match select(pin!(storage.ended()), changes.next()).await {
                    Either::Left(_) => return Some((Err(storage.stamped(closed(), OPERATION, &name)), None)),
                    Either::Right((next, _)) => next?,
                };
                let over = next
                    .as_ref()
                    .is_err_and(|error| error.kind() != ErrorKind::Corrupt);
                Some((
                    next.map_err(|error| storage.stamped(error, OPERATION, &name)),
                    (!over).then_some(changes),
                ))
            }
        });
        until.boxed()
    }

    /// Waits until this storage is closed.
    async fn ended(&self) {
        let mut ended = pin!(self.inner.ended.notified());
        ended.as_mut().enable();
        if !self.inner.closed.load(Ordering::Acquire) {
            ended.await;
        }
    }
}
