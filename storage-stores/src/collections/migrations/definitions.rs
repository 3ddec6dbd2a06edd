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

    /// The stamp of a document before this version: that of the version which was applied before it.
    fn before(
        &self,
        collection: &str,
        version: &SchemaVersion,
        was_applied: impl Fn(&SchemaVersion) -> bool,
    ) -> Option<&SchemaVersion> {
        // Readers apply every version that is registered, runs those that were registered at the time.
        let lazily = !was_applied(version);
        let mut versions = self.by_version.range(..version).rev();
        versions
            .find(|(version, definition)| {
                definition.changes(collection).is_some() && (lazily || was_applied(version))
            })
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

    /// A document without what `version` did to it, nor what readers that know later ones did on top of it.
    pub(super) fn downgraded(
        &self,
        collection: &str,
        document: &Document,
        version: &SchemaVersion,
        was_applied: impl Fn(&SchemaVersion) -> bool,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::Kept;
        let mut stamp = stamp(document)?;
        while let Some(at) = stamp.filter(|stamp| stamp >= version) {
            let Some(changes) = self
                .get(&at)
                .and_then(|definition| definition.changes_back(collection))
            else {
                let message =
                    format!("it was migrated to version {at}, from which this program knows no way back");
                return Err(Error::new(ErrorKind::Unsupported, message));
            };
            let current = match outcome {
                Outcome::Changed(changed) => changed,
                _ => document.clone(),
            };
            let Some(mut changed) = apply(changes, current, &at)? else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "a way back never removes documents",
                ));
            };
            stamp = self.before(collection, &at, &was_applied).cloned();
            set_stamp(&mut changed, stamp.as_ref());
            outcome = Outcome::Changed(changed);
        }
        Ok(outcome)
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
