//! The registered migrations, and what they make of one document.

use std::collections::BTreeMap;

use storage_core::bson::Document;
use storage_core::{Error, ErrorKind, Result};

use super::change::Change;
use super::migration::{Definition, Migration};
use crate::collections::schema::{SchemaVersion, set_stamp, stamp};

/// The registered migrations, by version.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions {
    by_version: BTreeMap<SchemaVersion, Definition>,
}

/// What becomes of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It is left as it is.
    Kept,
    /// It is replaced by this.
    Changed(Document),
    /// A filter of this version removes it.
    Removed(SchemaVersion),
}

impl Definitions {
    pub(super) fn add(&mut self, migration: Migration) -> Result<()> {
        let definition = migration.check()?;
        if self.by_version.contains_key(&definition.version) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("migration {} already registered", definition.version),
            ));
        }
        self.by_version.insert(definition.version.clone(), definition);
        Ok(())
    }

    pub(super) fn get(&self, version: &SchemaVersion) -> Option<&Definition> {
        self.by_version.get(version)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Definition> {
        self.by_version.values()
    }

    /// The highest version that changes the documents of a collection.
    pub(super) fn latest(&self, collection: &str) -> Option<&SchemaVersion> {
        let mut versions = self.by_version.values().rev();
        versions
            .find(|definition| definition.changes(collection).is_some())
            .map(|definition| &definition.version)
    }

    /// The stamp of a document before this version.
    fn before(&self, collection: &str, version: &SchemaVersion) -> Option<&SchemaVersion> {
        let mut versions = self.by_version.range(..version).rev();
        versions
            .find(|(_, definition)| definition.changes(collection).is_some())
            .map(|(version, _)| version)
    }

    /// Whether a document of this stamp lacks a migration up to `target`.
    pub(super) fn lacks(
        &self,
        collection: &str,
        stamp: Option<&SchemaVersion>,
        target: &SchemaVersion,
    ) -> bool {
        self.missing(collection, stamp, target).next().is_some()
    }

    fn missing<'a>(
        &'a self,
        collection: &'a str,
        stamp: Option<&'a SchemaVersion>,
        target: &SchemaVersion,
    ) -> impl Iterator<Item = (&'a SchemaVersion, &'a [Change])> {
        let versions = self.by_version.range(..=target);
        versions.filter_map(move |(version, definition)| {
            let changes = definition.changes(collection)?;
            stamp
                .is_none_or(|stamp| stamp < version)
                .then_some((version, changes))
        })
    }

    /// A document with everything up to `target` that it lacks.
    pub(super) fn upgraded(
        &self,
        collection: &str,
        document: &Document,
        target: &SchemaVersion,
    ) -> Result<Outcome> {
        let stamp = stamp(document)?;
        let mut outcome = Outcome::Kept;
        for (version, changes) in self.missing(collection, stamp.as_ref(), target) {
            let current = match outcome {
                Outcome::Changed(changed) => changed,
                _ => document.clone(),
            };
            match apply(changes, current, version)? {
                Some(mut changed) => {
                    set_stamp(&mut changed, Some(version));
                    outcome = Outcome::Changed(changed);
                }
                None => return Ok(Outcome::Removed(version.clone())),
            }
        }
        Ok(outcome)
    }

    /// A document without what `version` did to it, where that was done.
    pub(super) fn downgraded(
        &self,
        collection: &str,
        document: &Document,
        version: &SchemaVersion,
    ) -> Result<Outcome> {
        let changes = self
            .get(version)
            .and_then(|definition| definition.changes_back(collection));
        let Some(changes) = changes else {
            return Ok(Outcome::Kept);
        };
        if stamp(document)?.as_ref() != Some(version) {
            return Ok(Outcome::Kept);
        }
        let Some(mut changed) = apply(changes, document.clone(), version)? else {
            return Err(Error::invalid_argument(format!(
                "going back from version {version} cannot remove documents; let `up` do that in a migration of its own"
            )));
        };
        set_stamp(&mut changed, self.before(collection, version));
        Ok(Outcome::Changed(changed))
    }
}

/// Applies the changes one after the other; `None` where a filter removes the document.
fn apply(changes: &[Change], document: Document, version: &SchemaVersion) -> Result<Option<Document>> {
    let mut document = document;
    for change in changes {
        match change.apply(document) {
            Ok(Some(changed)) => document = changed,
            Ok(None) => return Ok(None),
            Err(problem) => {
                let error = Error::invalid_argument(problem);
                return Err(error.with_context("migration", version.to_string()));
            }
        }
    }
    Ok(Some(document))
}
