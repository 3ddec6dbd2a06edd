//! What the contract says of objects.

use std::collections::BTreeMap;

use storage_core::{Bytes, ErrorKind, Version};

use super::versions::Given;
use crate::model::operation::Which;

/// Bytes and version by key.
#[derive(Debug, Clone)]
pub(in crate::model) struct Objects {
    pub(in crate::model) all: BTreeMap<String, (Bytes, Version)>,
    given: Given,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) enum Entry {
    Object(String),
    Prefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Object(name) | Self::Prefix(name) => name,
        }
    }
}

impl Objects {
    pub(super) const fn new(unique: bool) -> Self {
        Self {
            all: BTreeMap::new(),
            given: Given::new(unique),
        }
    }

    pub(in crate::model) fn version(&self, key: &str) -> Option<&Version> {
        self.all.get(key).map(|(_, version)| version)
    }

    /// The version meant; `None` where there is none such.
    pub(in crate::model) fn meant(&self, key: &str, which: Which) -> Option<Version> {
        let current = self.version(key);
        match which {
            Which::Current => current.cloned(),
            Which::Earlier => self.given.earlier(key, current),
        }
    }

    /// Why a write under this condition is refused.
    pub(in crate::model) fn refusals(
        &self,
        key: &str,
        condition: &storage_core::Condition,
    ) -> Vec<ErrorKind> {
        refused(condition, self.version(key)).into_iter().collect()
    }

    /// # Errors
    /// When the version is that of another state.
    pub(in crate::model) fn wrote(
        &mut self,
        key: &str,
        bytes: Bytes,
        version: Version,
    ) -> Result<(), String> {
        self.given.learn(key, &version)?;
        self.all.insert(key.to_owned(), (bytes, version));
        Ok(())
    }

    /// A listing to its end.
    pub(in crate::model) fn list(&self, prefix: &str, after: Option<&str>, delimiter: bool) -> Vec<Entry> {
        let matching = self
            .all
            .keys()
            .filter_map(|key| Some((key, key.strip_prefix(prefix)?)));
        let entry = |(key, rest): (&String, &str)| match rest.find('/') {
            Some(at) if delimiter => Entry::Prefix(key[..prefix.len() + at + 1].to_owned()),
            _ => Entry::Object(key.clone()),
        };
        let mut entries: Vec<Entry> = matching
            .map(entry)
            .filter(|entry| after.is_none_or(|after| entry.name() > after))
            .collect();
        entries.sort_by(|one, other| one.name().cmp(other.name()));
        entries.dedup();
        entries
    }
}

/// Why a condition does not hold for what is there.
pub(super) fn refused(condition: &storage_core::Condition, current: Option<&Version>) -> Option<ErrorKind> {
    match (condition, current) {
        (storage_core::Condition::IfAbsent, Some(_)) => Some(ErrorKind::AlreadyExists),
        (storage_core::Condition::IfVersion(expected), current) if current != Some(expected) => {
            Some(ErrorKind::PreconditionFailed)
        }
        _ => None,
    }
}
