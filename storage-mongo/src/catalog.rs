//! The catalog: which indexes each collection has, in one document of `_storage.catalog` for each collection.
//!
//! The document is changed by compare-and-swap on its generation, so registering, finishing and dropping an index are one step each.
//! Every handle remembers what it read for [`VALIDITY`]; whoever registers an index waits out [`LEASE`] before looking at the documents
//! that are there, so that from then on every writer checks its documents against the index.

pub(crate) mod native;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, Index, Name, Result};

use self::native::Native;
use crate::error::DuplicateKey;
use crate::names::CATALOG;
use crate::store::Inner;

/// How long what was read may be used, counted from before the read was sent: short enough that nobody minds waiting for it when an
/// index is made, long enough that a busy writer rarely asks.
const VALIDITY: Duration = Duration::from_millis(250);

/// How long until no handle uses what it read before: [`VALIDITY`], and a fifth for a write that is on its way.
pub(crate) const LEASE: Duration = Duration::from_millis(300);

/// The most collections remembered; above it, what is no longer valid is forgotten.
const REMEMBERED: usize = 1024;

/// The format of the catalog's documents.
const FORMAT: i32 = 1;

/// The indexes of one collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Indexes {
    format: i32,
    /// Grows by one with each change; 0 where there is no document yet.
    generation: i64,
    pub(crate) indexes: Vec<Registered>,
    /// Native indexes that nobody needs any more and that have to go.
    pub(crate) dropped: Vec<String>,
}

/// An index in the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) definition: Index,
    pub(crate) state: State,
    /// Tells this life of the name from others.
    pub(crate) token: String,
    /// The native index that answers queries; several of ours with the same keys share one.
    pub(crate) ordered: String,
    /// The native index that keeps keys unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unique: Option<String>,
}

/// How far an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Writers check their documents against it; what is there already is still being looked at.
    Building,
    /// It answers queries.
    Ready,
}

impl Indexes {
    pub(crate) fn get(&self, name: &str) -> Option<&Registered> {
        self.indexes.iter().find(|index| index.definition.name == name)
    }

    /// The definitions that answer queries, by name.
    pub(crate) fn ready(&self) -> Vec<Index> {
        self.indexes
            .iter()
            .filter(|index| index.state == State::Ready)
            .map(|index| index.definition.clone())
            .collect()
    }

    /// The indexes whose native one a write may have collided with.
    pub(crate) fn of_unique(&self, duplicate: &native::Duplicate) -> impl Iterator<Item = &Registered> {
        self.indexes.iter().filter(move |index| {
            let Some(name) = &index.unique else { return false };
            match duplicate {
                native::Duplicate::Keys(keys) => Native::unique(&index.definition, name).keys == *keys,
                native::Duplicate::Named(duplicate) => duplicate == name,
            }
        })
    }

    /// Registers an index that is to be built. Native indexes with the same keys are shared.
    pub(crate) fn register(&mut self, definition: &Index) -> Registered {
        let token = native::token();
        let ordered = Native::ordered(definition, &native::ordered_name(&definition.name, &token));
        let shared =
            |index: &Registered| Native::ordered(&index.definition, &index.ordered).is_like(&ordered);
        let ordered = match self.indexes.iter().find(|index| shared(index)) {
            Some(index) => index.ordered.clone(),
            None => ordered.name,
        };
        let unique = definition.unique.then(|| {
            let wanted = Native::unique(definition, &native::unique_name(&definition.name, &token));
            let same = self.indexes.iter().find_map(|index| {
                let name = index.unique.as_ref()?;
                Native::unique(&index.definition, name)
                    .is_like(&wanted)
                    .then(|| name.clone())
            });
            same.unwrap_or(wanted.name)
        });
        let registered = Registered {
            definition: definition.clone(),
            state: State::Building,
            token,
            ordered,
            unique,
        };
        self.indexes.push(registered.clone());
        self.indexes
            .sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
        registered
    }

    /// Removes an index and notes which native indexes nobody needs any more. `false` where it is not there.
    pub(crate) fn unregister(&mut self, token: &str) -> bool {
        let Some(at) = self.indexes.iter().position(|index| index.token == token) else {
            return false;
        };
        let gone = self.indexes.remove(at);
        for native in [Some(gone.ordered), gone.unique].into_iter().flatten() {
            let used = |index: &Registered| index.ordered == native || index.unique.as_ref() == Some(&native);
            if !self.indexes.iter().any(used) {
                self.dropped.push(native);
            }
        }
        true
    }
}

/// What this handle remembers of the catalog.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    known: Mutex<HashMap<Name, Known>>,
    /// The collections whose expired documents the engine purges by itself.
    expiring: Mutex<HashSet<Name>>,
}

#[derive(Debug)]
struct Known {
    asked: Instant,
    indexes: Arc<Indexes>,
}

impl Catalog {
    /// The indexes of a collection as they are now, or were no longer than [`VALIDITY`] ago.
    ///
    /// # Errors
    /// As [`fresh`](Self::fresh).
    pub(crate) async fn recent(&self, inner: &Inner, collection: &Name) -> Result<Arc<Indexes>> {
        if let Some(known) = self.known().get(collection)
            && known.asked.elapsed() < VALIDITY
        {
            return Ok(Arc::clone(&known.indexes));
        }
        self.fresh(inner, collection).await
    }

    /// The indexes of a collection as they are now.
    ///
    /// # Errors
    /// `FormatTooNew` for what a newer version of this library wrote, `Corrupt` for what none did; those of the server.
    pub(crate) async fn fresh(&self, inner: &Inner, collection: &Name) -> Result<Arc<Indexes>> {
        let asked = Instant::now();
        let catalog = inner.collection::<Document>(CATALOG);
        let found = inner
            .read(catalog.find_one(doc! { "_id": collection.as_str() }))
            .await?;
        let indexes = Arc::new(match found {
            Some(found) => parse(collection, found)?,
            None => Indexes::default(),
        });
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.retain(|_, known| known.asked.elapsed() < VALIDITY);
        }
        // A read that was sent later may have come back before.
        match known.get(collection) {
            Some(later) if later.asked > asked => {}
            _ => {
                let indexes = Arc::clone(&indexes);
                known.insert(collection.clone(), Known { asked, indexes });
            }
        }
        Ok(indexes)
    }

    /// Replaces `before` by `after`, unless somebody else was faster: then `false`.
    ///
    /// # Errors
    /// Those of the server; whether it happened is then perhaps unknown.
    pub(crate) async fn swap(
        &self,
        inner: &Inner,
        collection: &Name,
        before: &Indexes,
        mut after: Indexes,
    ) -> Result<bool> {
        after.format = FORMAT;
        after.generation = before.generation + 1;
        let mut document = bson::serialize_to_document(&after).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "the indexes of a collection cannot be written",
            )
            .with_source(error)
        })?;
        document.insert("_id", collection.as_str());
        let catalog = inner.collection::<Document>(CATALOG);
        let swapped = if before.generation == 0 {
            match inner.write(catalog.insert_one(document)).await {
                Ok(_) => true,
                Err(error) if DuplicateKey::of(&error).is_some() => false,
                Err(error) => return Err(error),
            }
        } else {
            let filter = doc! { "_id": collection.as_str(), "generation": before.generation };
            let replaced = inner.write(catalog.replace_one(filter, document)).await?;
            replaced.matched_count == 1
        };
        // Either way what was known is old.
        self.known().remove(collection);
        Ok(swapped)
    }

    /// Whether this handle has yet to let the engine purge the collection's expired documents.
    pub(crate) fn expiry_is_wanted(&self, collection: &Name) -> bool {
        !self.expiring().contains(collection)
    }

    /// Remembers that it has.
    pub(crate) fn expiry_is_ensured(&self, collection: &Name) {
        let mut expiring = self.expiring();
        if expiring.len() >= REMEMBERED {
            expiring.clear();
        }
        expiring.insert(collection.clone());
    }

    fn expiring(&self) -> std::sync::MutexGuard<'_, HashSet<Name>> {
        self.expiring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Name, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(collection: &Name, found: Document) -> Result<Indexes> {
    let entry = || format!("{CATALOG}/{collection}");
    match found.get("format").and_then(mongodb::bson::Bson::as_i32) {
        Some(FORMAT) => bson::deserialize_from_document(found).map_err(|error| {
            Error::corrupt(entry(), "the indexes of the collection cannot be read").with_source(error)
        }),
        Some(newer) if newer > FORMAT => Err(Error::new(
            ErrorKind::FormatTooNew,
            "the indexes of the collection were written by a newer version of this library; upgrade the program",
        )
        .with_key(entry())),
        _ => Err(Error::corrupt(
            entry(),
            "the indexes of the collection are not what this library writes there",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_share_one_native_index_until_the_last_is_gone() {
        let mut indexes = Indexes::default();
        let first = indexes.register(&Index::btree("one", ["a", "b"]));
        let second = indexes.register(&Index::hash("two", ["a", "b"]).unique());
        let third = indexes.register(&Index::btree("three", ["a"]).sparse());
        assert_eq!(first.ordered, second.ordered);
        assert_ne!(first.ordered, third.ordered);
        assert!(indexes.unregister(&first.token));
        assert_eq!(indexes.dropped, Vec::<String>::new());
        assert!(indexes.unregister(&second.token) && !indexes.unregister(&second.token));
        assert_eq!(indexes.dropped, [first.ordered, second.unique.unwrap()]);
    }

    #[test]
    fn a_name_used_again_is_another_native_index() {
        let mut indexes = Indexes::default();
        let first = indexes.register(&Index::btree("one", ["a"]));
        indexes.unregister(&first.token);
        assert_ne!(
            indexes.register(&Index::btree("one", ["a"])).ordered,
            first.ordered
        );
    }

    #[test]
    fn what_is_written_reads_the_same_and_newer_formats_are_refused() {
        let mut indexes = Indexes {
            format: FORMAT,
            generation: 3,
            ..Indexes::default()
        };
        indexes.register(&Index::btree("by_a.b", [r"a\.b", "c"]).unique().sparse());
        indexes.dropped.push("old".to_owned());
        let name = Name::new("users").unwrap();
        let mut document = bson::serialize_to_document(&indexes).unwrap();
        assert_eq!(parse(&name, document.clone()).unwrap(), indexes);
        document.insert("format", 2);
        assert_eq!(
            parse(&name, document.clone()).unwrap_err().kind(),
            ErrorKind::FormatTooNew
        );
        document.remove("format");
        assert_eq!(parse(&name, document).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
