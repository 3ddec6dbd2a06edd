//! What the contract says of documents.

use std::collections::BTreeMap;

use storage_core::bson::Document;
use storage_core::{Condition, ErrorKind, Index, Timestamp, Version};

use super::index;
use super::objects::refused;
use super::versions::Given;
use crate::model::operation::Which;

/// Documents by id, and indexes by name.
#[derive(Debug, Clone)]
pub(in crate::model) struct Collection {
    documents: BTreeMap<String, Stored>,
    pub(in crate::model) indexes: BTreeMap<String, Index>,
    /// Whether there ever was a document or an index, or may have been one.
    pub(in crate::model) ever: bool,
    given: Given,
}

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Stored {
    pub(in crate::model) body: Document,
    pub(in crate::model) version: Version,
    pub(in crate::model) expires_at: Option<Timestamp>,
}

/// A document to write or, without a body, to delete.
#[derive(Debug, Clone)]
pub(in crate::model) struct Change {
    pub(in crate::model) id: String,
    pub(in crate::model) body: Option<Document>,
    pub(in crate::model) condition: Condition,
    pub(in crate::model) expires_at: Option<Timestamp>,
}

impl Default for Collection {
    fn default() -> Self {
        Self {
            documents: BTreeMap::new(),
            indexes: BTreeMap::new(),
            ever: false,
            given: Given::new(true),
        }
    }
}

impl Collection {
    /// What is there: an expired document is as if absent.
    pub(in crate::model) fn live(&self, now: Timestamp) -> impl Iterator<Item = (&String, &Stored)> {
        self.documents
            .iter()
            .filter(move |(_, stored)| stored.expires_at.is_none_or(|at| at > now))
    }

    /// What is there or was until it expired.
    pub(in crate::model) fn ids(&self) -> impl Iterator<Item = &String> {
        self.documents.keys()
    }

    pub(in crate::model) fn get(&self, id: &str, now: Timestamp) -> Option<&Stored> {
        self.live(now)
            .find(|(known, _)| *known == id)
            .map(|(_, stored)| stored)
    }

    /// The version meant; `None` where there is none such.
    pub(in crate::model) fn meant(&self, id: &str, which: Which, now: Timestamp) -> Option<Version> {
        let current = self.get(id, now).map(|stored| &stored.version);
        match which {
            Which::Current => current.cloned(),
            Which::Earlier => self.given.earlier(id, current),
        }
    }

    /// Every reason for which the change is refused; which of several is said is the adapter's own affair.
    pub(in crate::model) fn refusals(&self, change: &Change, now: Timestamp) -> Vec<ErrorKind> {
        let current = self.get(&change.id, now).map(|stored| &stored.version);
        let mut refusals: Vec<ErrorKind> = refused(&change.condition, current).into_iter().collect();
        if let Some(body) = &change.body {
            for index in self.indexes.values() {
                let others = self.live(now).filter(|(id, _)| **id != change.id);
                refusals.extend(index::refused(index, body, others.map(|(_, other)| &other.body)));
            }
        }
        refusals
    }

    /// Makes a change that is not refused; of a put, under this version.
    ///
    /// # Errors
    /// When the version is that of another state.
    pub(in crate::model) fn apply(&mut self, change: Change, version: Option<Version>) -> Result<(), String> {
        let (Some(body), Some(version)) = (change.body, version) else {
            self.documents.remove(&change.id);
            return Ok(());
        };
        self.given.learn(&change.id, &version)?;
        self.ever = true;
        let stored = Stored {
            body,
            version,
            expires_at: change.expires_at,
        };
        self.documents.insert(change.id, stored);
        Ok(())
    }

    /// Why an index cannot come to be; `Ok` says whether it is new.
    pub(in crate::model) fn new_index(&self, wanted: &Index, now: Timestamp) -> Result<bool, Vec<ErrorKind>> {
        if let Some(existing) = self.indexes.get(&wanted.name) {
            return match existing == wanted {
                true => Ok(false),
                false => Err(vec![ErrorKind::AlreadyExists]),
            };
        }
        let bodies: Vec<&Document> = self.live(now).map(|(_, stored)| &stored.body).collect();
        let mut refusals = Vec::new();
        for (at, body) in bodies.iter().enumerate() {
            refusals.extend(index::refused(wanted, body, bodies[..at].iter().copied()));
        }
        if refusals.is_empty() {
            Ok(true)
        } else {
            Err(refusals)
        }
    }

    pub(in crate::model) fn add_index(&mut self, index: &Index) {
        self.ever = true;
        self.indexes.insert(index.name.clone(), index.clone());
    }

    /// Distinct keys and entries of an index.
    pub(in crate::model) fn figures(&self, index: &Index, now: Timestamp) -> (u64, u64) {
        index::figures(index, self.live(now).map(|(_, stored)| &stored.body))
    }
}
