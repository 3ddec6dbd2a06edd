//! Answering a query: candidates from entries or ids, each judged by the document it leads to.
//!
//! A document that cannot be read does not hide the others, nor is it taken for absent: a page names it beside what it found.
//! A document of a *newer format* is whole, and leaving it out would be a wrong answer, so there the query fails with
//! `FormatTooNew`.

mod page;
mod reverse;
mod walk;

use std::ops::Bound;

use self::page::{Counter, Page, Statistics};
use self::walk::Walk;
use super::backoff::Backoff;
use super::catalog::{Cataloged, Stage};
use super::engine::Engine;
use super::layout;
use crate::adapter::{Explanation, FindPage, FindRequest};
use crate::backend::Listing;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, IndexStats};
use crate::name::Name;
use crate::plan::{Access, IndexAccess, KeyRange, Plan};
use crate::query::Filter;

impl Engine {
    /// # Errors
    /// As [`StorageAdapter::find`](crate::StorageAdapter::find).
    pub(super) async fn find(&self, collection: &Name, request: &FindRequest) -> Result<FindPage> {
        let mut backoff = Backoff::new();
        loop {
            let catalog = self.catalog(collection).await?;
            let plan = plan(&catalog, request)?;
            let mut page = Page::new(request, plan.sort)?;
            if self
                .walk_plan(collection, &catalog, &plan, request, &mut page)
                .await?
            {
                return page.finish(&request.sort);
            }
            backoff.pause().await?;
        }
    }

    /// # Errors
    /// As [`find`](Self::find).
    pub(super) async fn count(&self, collection: &Name, request: &FindRequest) -> Result<u64> {
        let mut backoff = Backoff::new();
        loop {
            let catalog = self.catalog(collection).await?;
            let plan = plan(&catalog, request)?;
            let mut counter = Counter::default();
            if self
                .walk_plan(collection, &catalog, &plan, request, &mut counter)
                .await?
            {
                return Ok(counter.documents);
            }
            backoff.pause().await?;
        }
    }

    pub(super) async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        Ok(plan(&self.catalog(collection).await?, request)?.explain())
    }

    /// # Errors
    /// `NotFound` where there is no such index.
    pub(super) async fn index_stats(
        &self,
        collection: &Name,
        index: &Name,
        now: Timestamp,
    ) -> Result<IndexStats> {
        let mut backoff = Backoff::new();
        loop {
            let catalog = self.catalog(collection).await?.catalog;
            let generation = catalog
                .named(index.as_str(), Stage::Ready)
                .or_else(|| catalog.named(index.as_str(), Stage::Building))
                .ok_or_else(|| no_index(index))?;
            let everything = KeyRange::beginning_with(Vec::new());
            let mut statistics = Statistics::default();
            let walk = Walk::of_index(
                self,
                collection,
                &generation.token,
                &Filter::All,
                now,
                false,
                Listing::new(),
            );
            walk.ranges(&[everything], None, false, &mut statistics).await?;
            if self
                .catalog(collection)
                .await?
                .catalog
                .generation(&generation.token)
                .is_some()
            {
                return Ok(statistics.finish());
            }
            backoff.pause().await?;
        }
    }

    /// `false` when the index was dropped meanwhile: its entries may have been removed under the walk.
    async fn walk_plan(
        &self,
        collection: &Name,
        catalog: &Cataloged,
        plan: &Plan,
        request: &FindRequest,
        sink: &mut dyn page::Sink,
    ) -> Result<bool> {
        // A sorted page compares every candidate with the position itself; a delivered order begins there.
        let after = request.after.as_ref().filter(|_| !plan.sort);
        match &plan.access {
            Access::Ids | Access::Scan => {
                let walk = Walk::of_documents(self, collection, &plan.residual, request.now, request.listing);
                let from = match after {
                    Some(position) => Bound::Excluded(&position.id),
                    None => Bound::Unbounded,
                };
                walk.ids(from, sink).await?;
                Ok(true)
            }
            Access::Index(access) => {
                let Some(generation) = catalog.catalog.named(&access.index.name, Stage::Ready) else {
                    return Ok(false);
                };
                let walk = Walk::of_index(
                    self,
                    collection,
                    &generation.token,
                    &plan.residual,
                    request.now,
                    access.index.each,
                    request.listing,
                );
                let resume = after.map(|position| (access.resume_key(position), position.id.clone()));
                walk.ranges(&access.ranges, resume, access.reverse, sink).await?;
                self.still_there(collection, catalog, access, &generation.token)
                    .await
            }
        }
    }

    async fn still_there(
        &self,
        collection: &Name,
        catalog: &Cataloged,
        access: &IndexAccess,
        generation: &str,
    ) -> Result<bool> {
        if let Some(version) = &catalog.medium
            && self
                .medium
                .is_still(&layout::catalog(collection)?, version)
                .await?
        {
            return Ok(true);
        }
        let now = self.catalog(collection).await?.catalog;
        let still = now.named(&access.index.name, Stage::Ready);
        Ok(still.is_some_and(|now| now.token == generation))
    }
}

fn plan(catalog: &Cataloged, request: &FindRequest) -> Result<Plan> {
    let indexes: Vec<Index> = catalog
        .catalog
        .ready()
        .map(|generation| generation.index.clone())
        .collect();
    Plan::of(request, &indexes)
}

/// `NotFound` for an index by this name.
pub(super) fn no_index(index: &Name) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no index {:?}", index.as_str()),
    )
}
