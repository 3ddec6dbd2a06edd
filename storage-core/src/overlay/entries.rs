//! Index entries: created before the document that names them, removed after the one that no longer does.

use std::collections::BTreeMap;

use bson::RawDocument;
use bytes::Bytes;
use futures::future::BoxFuture;

use super::catalog::{Catalog, Generation};
use super::engine::{Engine, all_in_parallel};
use super::layout;
use super::record::Entries;
use crate::error::{Applied, Result};
use crate::name::{DocumentId, Key, Name};
use crate::value::escape;
use crate::version::Version;

/// What a new state has in one index.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) generation: &'a Generation,
    /// The index keys, plain and escaped.
    pub(super) keys: Vec<(Vec<u8>, String)>,
    /// Whether a unique index covers them.
    pub(super) complete: bool,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// As [`Index::keys`](crate::Index::keys).
    pub(super) fn of(generation: &'a Generation, body: &RawDocument, max_key_bytes: u64) -> Result<Self> {
        let keys = generation.index.keys(body, max_key_bytes)?;
        Ok(Self {
            generation,
            complete: keys.complete,
            keys: keys
                .keys
                .into_iter()
                .map(|key| {
                    let escaped = escape(&key);
                    (key, escaped)
                })
                .collect(),
        })
    }

    /// What a document has in every index there is, ready or not.
    pub(super) fn of_all(catalog: &'a Catalog, body: &RawDocument, max_key_bytes: u64) -> Result<Vec<Self>> {
        catalog
            .indexes
            .iter()
            .map(|generation| Self::of(generation, body, max_key_bytes))
            .collect()
    }

    /// The nonces of the next state: those of unchanged keys are kept, the others fresh.
    pub(super) fn nonces(&self, old: &Entries) -> BTreeMap<String, String> {
        let old = old.get(&self.generation.token);
        let nonce = |value: &String| {
            old.and_then(|old| old.get(value))
                .cloned()
                .unwrap_or_else(layout::token)
        };
        self.keys
            .iter()
            .map(|(_, value)| (value.clone(), nonce(value)))
            .collect()
    }
}

/// The names of the entries in `these` that are not in `those`.
pub(super) fn difference(id: &DocumentId, these: &Entries, those: &Entries) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for (generation, values) in these {
        let others = those.get(generation);
        for (value, nonce) in values {
            if others.and_then(|others| others.get(value)) != Some(nonce) {
                keys.push(layout::entry(generation, value, id, nonce)?);
            }
        }
    }
    Ok(keys)
}

impl Engine {
    /// Creates entries that nobody names yet.
    pub(super) async fn create_entries(&self, keys: &[Key]) -> Result<()> {
        let writes = keys.iter().map(|key| {
            let write: BoxFuture<'_, Result<Version>> = Box::pin(self.medium.write(key, Bytes::new()));
            write
        });
        // Nobody sees an entry no document names, so whatever became of them, nothing was applied.
        all_in_parallel(writes)
            .await
            .map_err(|error| error.with_applied(Applied::No))?;
        Ok(())
    }

    /// Removes entries that no document names any more. What cannot be removed now is left to a sweep: nobody sees it.
    pub(super) async fn remove_entries(&self, keys: &[Key]) {
        if let Err(error) = self.medium.remove_all(keys).await {
            tracing::debug!(%error, entries = keys.len(), "left index entries to the next sweep");
        }
    }

    /// After a swap that was lost: removes the entries made for it, once the document has left the base version and does not
    /// name them. Until both are known, a request under way might still make them count.
    pub(super) async fn retract_entries(
        &self,
        collection: &Name,
        id: &DocumentId,
        base: &Version,
        made: &[Key],
        entries: &Entries,
    ) {
        if made.is_empty() {
            return;
        }
        let safe = match self.load(collection, id).await {
            Ok(Some(now)) if now.medium == *base => return,
            Ok(Some(now)) => difference(id, entries, &now.record.entries),
            Ok(None) => difference(id, entries, &Entries::new()),
            Err(_) => return,
        };
        if let Ok(mut unnamed) = safe {
            unnamed.retain(|key| made.contains(key));
            self.remove_entries(&unnamed).await;
        }
    }
}
