//! [`Given`]: the versions an adapter gave, under which a model's states are known.

use std::collections::BTreeMap;

use storage_core::Version;

/// Every version of everything of one kind, by name, in the order they were given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    versions: BTreeMap<String, Vec<Version>>,
    /// Whether no two writes may share one.
    unique: bool,
}

impl Given {
    pub(super) const fn new(unique: bool) -> Self {
        Self {
            versions: BTreeMap::new(),
            unique,
        }
    }

    /// # Errors
    /// When another state of the same thing had it, where that may not be.
    pub(super) fn learn(&mut self, name: &str, version: &Version) -> Result<(), String> {
        let known = self.versions.entry(name.to_owned()).or_default();
        if self.unique && known.contains(version) {
            return Err(format!(
                "{name:?} was given {version:?} before, for another state"
            ));
        }
        known.push(version.clone());
        Ok(())
    }

    /// A version this had, or else something else has, that is not the current one. `None` before anything was written.
    pub(super) fn earlier(&self, name: &str, current: Option<&Version>) -> Option<Version> {
        let own = self.versions.get(name).into_iter().flatten().rev();
        let others = self.versions.values().flatten();
        own.chain(others)
            .find(|version| Some(*version) != current)
            .cloned()
    }
}
