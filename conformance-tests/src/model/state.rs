//! [`State`]: what the contract says there must be, as plain maps. Nothing here asks an adapter anything.

mod documents;
mod index;
mod leases;
mod logs;
mod objects;
mod versions;

use std::collections::BTreeMap;

use storage_core::{Declaration, ErrorKind, Timestamp, Version, Versions};

pub(super) use self::documents::{Change, Collection, Stored};
pub(super) use self::leases::{Asked, Leases, TIME_TO_LIVE};
pub(super) use self::logs::Log;
pub(super) use self::objects::{Entry, Objects};

/// Everything a place holds.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) objects: Objects,
    pub(super) collections: BTreeMap<String, Collection>,
    pub(super) logs: BTreeMap<String, Log>,
    /// The lives logs had before they were deleted.
    pub(super) former_lives: Vec<Version>,
    pub(super) leases: Leases,
}

impl State {
    /// An empty place of an adapter that declares this.
    pub(super) fn new(declaration: &Declaration, clients: usize) -> Self {
        Self {
            objects: Objects::new(declaration.objects.versions == Versions::Unique),
            collections: BTreeMap::new(),
            logs: BTreeMap::new(),
            former_lives: Vec::new(),
            leases: Leases::new(clients),
        }
    }

    pub(super) fn collection(&mut self, name: &str) -> &mut Collection {
        self.collections.entry(name.to_owned()).or_default()
    }

    /// The first of these changes that is refused when they are made one after another, and every reason for it.
    pub(super) fn refused(
        &self,
        changes: &[(String, Change)],
        now: Timestamp,
    ) -> Option<(usize, Vec<ErrorKind>)> {
        let mut after = self.clone();
        for (at, (collection, change)) in changes.iter().enumerate() {
            let collection = after.collection(collection);
            let refusals = collection.refusals(change, now);
            if !refusals.is_empty() {
                return Some((at, refusals));
            }
            // Until the adapter says which it is, any version nobody knows will do.
            let version = change.body.is_some().then(Version::random);
            let applied = collection.apply(change.clone(), version);
            debug_assert!(applied.is_ok(), "nobody was given a version that is new");
        }
        None
    }

    pub(super) fn delete_log(&mut self, log: &str) {
        let deleted = self.logs.remove(log);
        self.former_lives.extend(deleted.and_then(|log| log.incarnation));
    }
}
