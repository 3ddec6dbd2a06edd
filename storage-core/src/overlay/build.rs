//! Making, building anew and dropping an index.
//!
//! An index is registered first, `building`, so that every writer that reads the catalog from then on maintains it. Then every
//! document is rewritten: a writer that read the catalog too early holds an older base version and loses its swap, and a document
//! that knows the generation already is made as durable as the index will be. So when the last one is rewritten the index is
//! complete, and is marked ready. What crashes on the way is finished by whoever asks for the index next; two builders at once do
//! the same twice.

use futures::future::BoxFuture;

use super::backoff::Backoff;
use super::catalog::{Catalog, Cataloged, Generation, Stage};
use super::engine::{Engine, all_in_parallel};
use super::entries::{Wanted, difference};
use super::find::no_index;
use super::layout;
use super::medium::{MAX_NAMES, Swap};
use super::record::Content;
use crate::backend::Listing;
use crate::clock::Timestamp;
use crate::error::{Applied, Error, ErrorKind, Result};
use crate::index::{Index, IndexInfo};
use crate::name::{DocumentId, Name};

impl Engine {
    /// # Errors
    /// As [`StorageAdapter::ensure_index`](crate::StorageAdapter::ensure_index).
    pub(super) async fn ensure_index(
        &self,
        collection: &Name,
        index: &Index,
        now: Timestamp,
    ) -> Result<bool> {
        index.check()?;
        let mut backoff = Backoff::new();
        // Of several who ask at once, only the one that registered it made it.
        let mut created = false;
        loop {
            let base = self.catalog(collection).await?;
            let mut known = base
                .catalog
                .indexes
                .iter()
                .filter(|generation| generation.index.name == index.name);
            if known.clone().any(|generation| generation.index != *index) {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!(
                        "index {:?} exists with another definition; drop it first",
                        index.name
                    ),
                ));
            }
            if known.clone().any(|generation| generation.state == Stage::Ready) {
                return Ok(created);
            }
            let generation = match known.next() {
                // Another builder is at it, or was: what it did counts, the rest is done here.
                Some(building) => building.clone(),
                None => match self.register(collection, &base, index).await? {
                    Some(generation) => {
                        created = true;
                        generation
                    }
                    None => {
                        backoff.pause().await?;
                        continue;
                    }
                },
            };
            if self.build(collection, &generation, now).await? {
                return Ok(created);
            }
            backoff.pause().await?;
        }
    }

    /// # Errors
    /// As [`StorageAdapter::rebuild_index`](crate::StorageAdapter::rebuild_index).
    pub(super) async fn rebuild_index(&self, collection: &Name, name: &Name, now: Timestamp) -> Result<()> {
        let mut backoff = Backoff::new();
        loop {
            let base = self.catalog(collection).await?;
            // One that is being built is joined, not begun again: two that rebuild at once would drop each other's work for ever.
            let generation = match base.catalog.named(name.as_str(), Stage::Building) {
                Some(building) => Some(building.clone()),
                None => {
                    let ready = base
                        .catalog
                        .named(name.as_str(), Stage::Ready)
                        .ok_or_else(|| no_index(name))?;
                    self.register(collection, &base, &ready.index).await?
                }
            };
            if let Some(generation) = generation
                && self.build(collection, &generation, now).await?
            {
                return Ok(());
            }
            backoff.pause().await?;
        }
    }

    /// # Errors
    /// Those of the medium.
    pub(super) async fn drop_index(&self, collection: &Name, name: &Name) -> Result<bool> {
        let mut backoff = Backoff::new();
        loop {
            let base = self.catalog(collection).await?;
            let is_it = |generation: &Generation| generation.index.name == name.as_str();
            let dropped: Vec<Generation> = base
                .catalog
                .indexes
                .iter()
                .filter(|generation| is_it(generation))
                .cloned()
                .collect();
            if dropped.is_empty() {
                return Ok(false);
            }
            if self
                .swap_catalog(collection, base.medium.as_ref(), base.catalog.without(is_it))
                .await?
            {
                for generation in &dropped {
                    self.remove_generation(&generation.token).await;
                }
                return Ok(true);
            }
            backoff.pause().await?;
        }
    }

    /// # Errors
    /// Those of the medium.
    pub(super) async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        let catalog = self.catalog(collection).await?.catalog;
        let mut infos: Vec<IndexInfo> = Vec::new();
        for generation in catalog.indexes {
            let ready = generation.state == Stage::Ready;
            match infos
                .iter_mut()
                .find(|info| info.index.name == generation.index.name)
            {
                Some(info) => info.ready |= ready,
                None => infos.push(IndexInfo {
                    index: generation.index,
                    ready,
                }),
            }
        }
        infos.sort_by(|a, b| a.index.name.cmp(&b.index.name));
        Ok(infos)
    }

    /// Adds a generation that is building; `None` when the catalog changed meanwhile.
    async fn register(
        &self,
        collection: &Name,
        base: &Cataloged,
        index: &Index,
    ) -> Result<Option<Generation>> {
        let generation = Generation::building(index.clone());
        let mut next = base.catalog.clone();
        next.indexes.push(generation.clone());
        let registered = self.swap_catalog(collection, base.medium.as_ref(), next).await?;
        Ok(registered.then_some(generation))
    }

    /// Fills a registered generation and marks it ready; `false` when it was dropped meanwhile.
    ///
    /// # Errors
    /// What a document that does not fit gives; the generation is then gone. Errors of the medium leave it to be finished by
    /// whoever asks for it next, so they say `Unknown`.
    async fn build(&self, collection: &Name, generation: &Generation, now: Timestamp) -> Result<bool> {
        let unfinished = |error: Error| error.with_applied(Applied::Unknown);
        match self.index_documents(collection, generation, now).await {
            Ok(()) => self.mark_ready(collection, generation).await.map_err(unfinished),
            Err(error) if is_misfit(&error) => {
                // Another builder that came by after the document was corrected may have finished it.
                if self.give_up(collection, generation).await.map_err(unfinished)? {
                    Err(error)
                } else {
                    Ok(true)
                }
            }
            Err(error) => Err(unfinished(error)),
        }
    }

    /// `false` when the generation was dropped meanwhile.
    async fn mark_ready(&self, collection: &Name, generation: &Generation) -> Result<bool> {
        let mut backoff = Backoff::new();
        loop {
            let base = self.catalog(collection).await?;
            match base
                .catalog
                .generation(&generation.token)
                .map(|generation| generation.state)
            {
                None => return Ok(false),
                Some(Stage::Ready) => return Ok(true),
                Some(Stage::Building) => {}
            }
            // The one it replaces, if it was built anew, answers up to this moment.
            let replaced = |other: &Generation| {
                other.index.name == generation.index.name && other.token != generation.token
            };
            let old: Vec<Generation> = base
                .catalog
                .indexes
                .iter()
                .filter(|other| replaced(other))
                .cloned()
                .collect();
            let mut next: Catalog = base.catalog.without(replaced);
            for generation_now in next
                .indexes
                .iter_mut()
                .filter(|now| now.token == generation.token)
            {
                generation_now.state = Stage::Ready;
            }
            if self.swap_catalog(collection, base.medium.as_ref(), next).await? {
                for old in &old {
                    self.remove_generation(&old.token).await;
                }
                return Ok(true);
            }
            backoff.pause().await?;
        }
    }

    /// Removes a generation that cannot be built; `false` when it is ready after all.
    async fn give_up(&self, collection: &Name, generation: &Generation) -> Result<bool> {
        let mut backoff = Backoff::new();
        loop {
            let base = self.catalog(collection).await?;
            match base
                .catalog
                .generation(&generation.token)
                .map(|generation| generation.state)
            {
                None => return Ok(true),
                Some(Stage::Ready) => return Ok(false),
                Some(Stage::Building) => {}
            }
            let next = base.catalog.without(|other| other.token == generation.token);
            if self.swap_catalog(collection, base.medium.as_ref(), next).await? {
                self.remove_generation(&generation.token).await;
                return Ok(true);
            }
            backoff.pause().await?;
        }
    }

    async fn index_documents(
        &self,
        collection: &Name,
        generation: &Generation,
        now: Timestamp,
    ) -> Result<()> {
        let (prefix, listing) = (layout::documents(collection), Listing::new());
        let mut start_after = None;
        loop {
            let (objects, next) = self
                .medium
                .page(listing, &prefix, start_after, MAX_NAMES, false)
                .await?;
            let ids = objects.iter().filter_map(|(key, _)| {
                DocumentId::new(layout::last_segment(&prefix, key.as_str()).and_then(layout::text)?).ok()
            });
            let rewrites = ids.map(|id| {
                let rewrite: BoxFuture<'_, Result<()>> = Box::pin(async move {
                    let rewritten = self.index_document(collection, &id, generation, now).await;
                    rewritten.map_err(|error| error.with_context("document", id.as_str()))
                });
                rewrite
            });
            all_in_parallel(rewrites).await?;
            if next.is_none() {
                return Ok(());
            }
            start_after = next;
        }
    }

    /// Rewrites one document, present or not, so that it names its entries in the generation.
    async fn index_document(
        &self,
        collection: &Name,
        id: &DocumentId,
        generation: &Generation,
        now: Timestamp,
    ) -> Result<()> {
        let mut backoff = Backoff::new();
        loop {
            // What is gone had its last base version taken from under every writer.
            let Some(base) = self.load(collection, id).await? else {
                return Ok(());
            };
            if base.record.entries.contains_key(&generation.token) {
                // Written, or rewritten, by somebody who knows the generation. That need not be durable yet, and the index will be.
                let key = layout::document(collection, id)?;
                match self.medium.swap(&key, base.record.encode()?, &base.medium).await {
                    Swap::Done(_) => return Ok(()),
                    Swap::Lost => {}
                    Swap::Failed(error) => return Err(error),
                }
                backoff.pause().await?;
                continue;
            }
            let mut next = base.record.clone();
            let wanted = match (&next.content, next.live(now).is_some()) {
                (Content::Document { body, .. }, true) => {
                    Some(Wanted::of(generation, body, self.max_index_key_bytes)?)
                }
                // An expired document gives way and cannot stand in the way; another clock may still see it.
                (Content::Document { body, .. }, false) => {
                    Wanted::of(generation, body, self.max_index_key_bytes).ok()
                }
                _ => None,
            };
            if let Some(wanted) = wanted.as_ref().filter(|_| next.live(now).is_some())
                && !self
                    .claim_all(collection, std::slice::from_ref(wanted), id, now)
                    .await?
            {
                backoff.pause().await?;
                continue;
            }
            let nonces = wanted
                .map(|wanted| wanted.nonces(&base.record.entries))
                .unwrap_or_default();
            next.entries.insert(generation.token.clone(), nonces);
            let made = difference(id, &next.entries, &base.record.entries)?;
            self.create_entries(&made).await?;
            match self
                .medium
                .swap(
                    &layout::document(collection, id)?,
                    self.encode(&next)?,
                    &base.medium,
                )
                .await
            {
                Swap::Done(_) => return Ok(()),
                Swap::Lost => {
                    self.retract_entries(collection, id, &base.medium, &made, &next.entries)
                        .await
                }
                Swap::Failed(error) => return Err(error),
            }
            backoff.pause().await?;
        }
    }

    /// Removes what a generation that is in no catalog any more left behind. What fails is left to a sweep.
    async fn remove_generation(&self, generation: &str) {
        for prefix in [layout::entries(generation), layout::claims(generation)] {
            if let Err(error) = self.medium.remove_prefix(&prefix).await {
                tracing::debug!(%error, prefix, "left a dropped index to the next sweep");
            }
        }
    }
}

/// Whether an error says that a document cannot be in the index, rather than that the medium failed.
fn is_misfit(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt
            | ErrorKind::FormatTooNew
            | ErrorKind::InvalidArgument
            | ErrorKind::LimitExceeded
            | ErrorKind::UniqueViolation
    )
}
