//! [`FoundEntities`]: asking by index, by query, and for all.

use std::ops::RangeBounds;

use futures::stream::{Stream, StreamExt};
use serde::Serialize;
use storage_core::bson::RawDocumentBuf;
use storage_core::{Error, Explanation, Found, PageToken, Query, Result};

use super::entities::Entities;
use super::entity::{Entity, Stored};

const OPERATION: &str = "find entities";

/// The entities a question found, fetched page by page.
///
/// Not a snapshot: an entity that does not change meanwhile is returned exactly once.
#[derive(Debug)]
pub struct FoundEntities<T> {
    found: Found<RawDocumentBuf>,
    entities: Entities<T>,
}

/// One page of entities.
#[derive(Debug)]
#[non_exhaustive]
pub struct EntityPage<T> {
    /// In the order asked.
    pub entities: Vec<Stored<T>>,
    /// One error for each document met that is no entity of this type, naming it.
    pub unreadable: Vec<Error>,
    /// What [`Query::after`] takes to go on; `None` at the end.
    pub next: Option<PageToken>,
}

impl<T: Entity> Entities<T> {
    /// Every entity, in the byte order of ids; with ids of [`create`](Self::create) that is the order they came to be.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn list(&self) -> Result<FoundEntities<T>> {
        self.found(Query::all()).await
    }

    /// One page of all entities, after the token of the page before.
    ///
    /// # Errors
    /// `InvalidArgument` for a token of another question; those of the medium.
    pub async fn list_page(&self, limit: u64, after: Option<PageToken>) -> Result<EntityPage<T>> {
        let query = Query::all().limit(limit);
        self.page(match after {
            Some(token) => query.after(token),
            None => query,
        })
        .await
    }

    /// The entities a [`Query`] finds. Its fields are those of the type, `created` and `updated`.
    ///
    /// # Errors
    /// `IndexRequired` naming the missing index, unless the query allows a scan; those of the medium.
    pub async fn find(&self, query: impl Into<Query> + Send) -> Result<FoundEntities<T>> {
        let query = query.into();
        self.ensure_indexes().await?;
        self.found(query).await
    }

    /// One page of what a query finds, of its limit, and where the next begins.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn find_page(&self, query: impl Into<Query> + Send) -> Result<EntityPage<T>> {
        let query = query.into();
        self.ensure_indexes().await?;
        self.page(query).await
    }

    /// How many entities a query finds; [`Query::all`] counts all.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn count(&self, query: impl Into<Query> + Send) -> Result<u64> {
        let query = query.into();
        self.ensure_indexes().await?;
        self.shared.documents.count(query).await
    }

    /// How a query would be answered, and by which index.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn explain(&self, query: impl Into<Query> + Send) -> Result<Explanation> {
        let query = query.into();
        self.ensure_indexes().await?;
        self.shared.documents.explain(query).await
    }

    /// The entities whose indexed field has this value, in the order of ids; of an index over several fields a tuple of them all, in
    /// their order. Of an index over each element of an array, those that have an element of this value. `None` or `()` is the
    /// value null, and is not what a missing field has.
    ///
    /// # Errors
    /// `NotFound` for an index that is not there, naming those that are; `InvalidArgument` for a value it cannot have.
    pub async fn find_by(&self, index: &str, value: impl Serialize + Send) -> Result<FoundEntities<T>> {
        let value = super::by_index::value(&value);
        let definition = self.index(OPERATION, index).await?;
        let query = value.and_then(|value| super::by_index::equal(&definition, value));
        let query = query.map_err(|error| self.named(error, OPERATION, ""))?;
        self.by_index(index, query).await
    }

    /// The entity whose indexed field has this value, the first by id if there are several; `None` when there is none.
    ///
    /// # Errors
    /// As [`find_by`](Self::find_by).
    pub async fn find_one_by(&self, index: &str, value: impl Serialize + Send) -> Result<Option<Stored<T>>> {
        self.find_by(index, value).await?.next().await
    }

    /// The entities whose indexed field lies in a range, in its order, ties by id. With both bounds, their types have to be the same; a
    /// range holds no value of another type. `..` is every entity the index holds, in its order.
    ///
    /// Of an index over several fields the bounds are tuples of them all that differ in the last: `("delft", 18)..("delft", 65)`.
    ///
    /// # Errors
    /// As [`find_by`](Self::find_by); `InvalidArgument` for an index that has no order.
    pub async fn find_range<V: Serialize>(
        &self,
        index: &str,
        range: impl RangeBounds<V> + Send,
    ) -> Result<FoundEntities<T>> {
        let range = super::by_index::bounds(&range);
        let definition = self.index(OPERATION, index).await?;
        let query = range.and_then(|(from, to)| super::by_index::range(&definition, from, to));
        let query = query.map_err(|error| self.named(error, OPERATION, ""))?;
        self.by_index(index, query).await
    }

    async fn by_index(&self, index: &str, query: Query) -> Result<FoundEntities<T>> {
        match self.found(query).await {
            Err(error) if error.kind() == storage_core::ErrorKind::IndexRequired => {
                // Somebody else may have dropped it since it was last seen.
                self.forget_index(index);
                self.index(OPERATION, index).await?;
                Err(error)
            }
            result => result,
        }
    }

    async fn found(&self, query: Query) -> Result<FoundEntities<T>> {
        Ok(FoundEntities {
            found: self.shared.documents.find(query).await?,
            entities: self.clone(),
        })
    }

    async fn page(&self, query: Query) -> Result<EntityPage<T>> {
        let page = self.shared.documents.find_page(query).await?;
        let mut unreadable = page.unreadable;
        let mut entities = Vec::with_capacity(page.documents.len());
        for document in page.documents {
            match self.decode(OPERATION, document.into()) {
                Ok(entity) => entities.extend(entity),
                Err(error) => unreadable.push(error),
            }
        }
        Ok(EntityPage {
            entities,
            unreadable,
            next: page.next,
        })
    }
}

impl<T: Entity> FoundEntities<T> {
    /// The next entity; `None` at the end, and from then on. After an error with the context `document`, the next call goes on behind
    /// that document.
    ///
    /// # Errors
    /// `Corrupt` or `InvalidArgument` for each document that is no entity of this type, naming it; those of the medium.
    pub async fn next(&mut self) -> Result<Option<Stored<T>>> {
        while let Some(document) = self.found.next().await? {
            let entity = self.entities.decode(OPERATION, document.into())?;
            if entity.is_some() {
                return Ok(entity);
            }
        }
        Ok(None)
    }

    /// All that follow, in memory.
    ///
    /// # Errors
    /// As [`next`](Self::next), for the first that fails.
    pub async fn collect(mut self) -> Result<Vec<Stored<T>>> {
        let mut entities = Vec::new();
        while let Some(entity) = self.next().await? {
            entities.push(entity);
        }
        Ok(entities)
    }

    /// All that follow, as a stream. It goes on after a document that cannot be read, and ends after any other error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Stored<T>>> + Send {
        let entities = self.entities;
        self.found.into_stream().filter_map(move |document| {
            let entity = document.and_then(|document| entities.decode(OPERATION, document.into()));
            futures::future::ready(entity.transpose())
        })
    }
}
