//! [`Engine`]: what every protocol needs: the medium, the limits, and reading a document.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};

use super::layout;
use super::medium::{Medium, PARALLEL};
use super::record::Record;
use crate::backend::StorageBackend;
use crate::declaration::Declaration;
use crate::error::{Error, Result};
use crate::name::{DocumentId, Name};
use crate::version::Version;

#[derive(Debug, Clone)]
pub(super) struct Engine {
    pub(super) medium: Medium,
    pub(super) max_index_key_bytes: u64,
    pub(super) max_object_bytes: Option<u64>,
    /// How old what nobody names must be before a sweep looks at it.
    pub(super) sweep_after: Duration,
}

/// A document's object as it was read.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) record: Record,
    /// What a swap of it names.
    pub(super) medium: Version,
}

impl Engine {
    pub(super) fn new(backend: Arc<dyn StorageBackend>, declaration: &Declaration) -> Self {
        Self {
            medium: Medium::new(backend),
            max_index_key_bytes: declaration
                .documents
                .as_ref()
                .map_or(0, |section| section.max_index_key_bytes),
            max_object_bytes: declaration.objects.max_object_bytes,
            // Far beyond any write under way, so a sweep seldom makes a writer start over. No protocol relies on it.
            sweep_after: Duration::from_secs(60 * 60),
        }
    }

    /// The state of a document; `None` where the medium has nothing at all.
    pub(super) async fn load(&self, collection: &Name, id: &DocumentId) -> Result<Option<Loaded>> {
        let Some((bytes, medium)) = self.medium.read(&layout::document(collection, id)?).await? else {
            return Ok(None);
        };
        let record = Record::decode(&layout::place(collection, id), &bytes)?;
        Ok(Some(Loaded { record, medium }))
    }

    /// As [`load`](Self::load) for many, in their order.
    pub(super) async fn load_many(
        &self,
        collection: &Name,
        ids: Vec<DocumentId>,
    ) -> Vec<(DocumentId, Result<Option<Loaded>>)> {
        let loads = ids.into_iter().map(|id| {
            let load: BoxFuture<'_, _> = Box::pin(async move {
                let loaded = self.load(collection, &id).await;
                (id, loaded)
            });
            load
        });
        in_parallel(loads).await
    }

    /// The bytes of a record, if the medium takes them.
    pub(super) fn encode(&self, record: &Record) -> Result<bytes::Bytes> {
        let bytes = record.encode()?;
        match self.max_object_bytes {
            Some(limit) if bytes.len() as u64 > limit => Err(Error::limit_exceeded(
                "the document in bytes of JSON",
                limit,
                bytes.len() as u64,
            )),
            _ => Ok(bytes),
        }
    }
}

/// Runs futures a few at a time; gives what they gave, in their order.
pub(super) async fn in_parallel<'a, T: Send + 'a>(
    futures: impl IntoIterator<Item = BoxFuture<'a, T>>,
) -> Vec<T> {
    let futures: Vec<_> = futures.into_iter().collect();
    stream::iter(futures).buffered(PARALLEL).collect().await
}

/// As [`in_parallel`], for results; what was not begun when one fails is not begun.
pub(super) async fn all_in_parallel<'a, T: Send + 'a>(
    futures: impl IntoIterator<Item = BoxFuture<'a, Result<T>>>,
) -> Result<Vec<T>> {
    use futures::stream::TryStreamExt;
    let futures: Vec<_> = futures.into_iter().collect();
    stream::iter(futures).buffered(PARALLEL).try_collect().await
}

/// Groups what has the same id, in order of appearance within a group, with its place in the whole.
pub(super) fn grouped<T>(items: Vec<T>, id: impl Fn(&T) -> &DocumentId) -> Vec<Vec<(usize, T)>> {
    let mut groups: BTreeMap<DocumentId, Vec<(usize, T)>> = BTreeMap::new();
    for (at, item) in items.into_iter().enumerate() {
        groups.entry(id(&item).clone()).or_default().push((at, item));
    }
    groups.into_values().collect()
}
