//! Collecting blocks that nothing names any more, beside writers.
//!
//! A writer puts a block first and names it in an event afterwards, so a block may be needed that nothing names yet, and a block nobody
//! needed for years may be put again right now. What makes it safe:
//!
//! 1. The time the roots were gathered is when gathering *began*. A block goes only if it was a whole grace old then.
//! 2. Whoever puts a block that has half the grace behind it writes it anew.
//! 3. A deletion names the version that was judged, so it misses a block that was written anew since.
//!
//! So a block that was put is safe for half the grace, within which its writer has to name it. The clocks of writers, collectors and the
//! medium may differ by less than what is left of that. Where a deletion cannot name a version (buckets), nothing is collected.

use std::collections::BTreeSet;
use std::time::Duration;

use storage_core::{Error, ErrorKind, Result, Timestamp};

use super::super::hash::Hash;
use super::super::site::Site;
use super::super::store::VolumeStore;
use super::Blocks;

/// The blocks that must stay, and when somebody began to look for them.
#[derive(Debug, Clone)]
pub struct Roots {
    since: Timestamp,
    hashes: BTreeSet<Hash>,
}

impl Roots {
    /// Keeps a block.
    pub fn keep(&mut self, hash: Hash) {
        self.hashes.insert(hash);
    }

    /// How many blocks stay.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether none stays.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether this one stays.
    pub fn contains(&self, hash: &Hash) -> bool {
        self.hashes.contains(hash)
    }
}

impl Extend<Hash> for Roots {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, hashes: I) {
        self.hashes.extend(hashes);
    }
}

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CollectReport {
    /// Blocks there were, over all replicas.
    pub blocks: u64,
    /// Those deleted.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Unnamed blocks that are too young to go, or of an age nobody knows.
    pub young: u64,
    /// What uploads that were cut short had left, deleted.
    pub leftovers: u64,
    /// Replicas on which nothing was collected, and why: `replica: reason`.
    pub skipped: Vec<String>,
}

impl Blocks {
    /// Roots to fill, as of now. Take them before looking at what is named, not afterwards.
    pub fn roots(&self) -> Roots {
        let clocks = self.store.sites().iter().map(|site| site.storage.now());
        Roots {
            // Of several clocks the one that takes least.
            since: clocks.min().unwrap_or(Timestamp::from_millis(i64::MIN)),
            hashes: BTreeSet::new(),
        }
    }

    /// Deletes blocks that are not among the roots and were `grace` old when these were begun, beside readers and writers; see the head of
    /// this module for why that is safe. Run it now and then.
    ///
    /// # Errors
    /// `InvalidArgument` for a grace shorter than the [store's](VolumeStore::grace); `Unsupported` where no replica can delete exactly what
    /// was looked at; those of the medium, where what was deleted stays deleted.
    pub async fn gc(&self, roots: &Roots, grace: Duration) -> Result<CollectReport> {
        let operation = |error: Error| error.with_operation("collect blocks");
        let mut report = CollectReport::default();
        let mut refused = None;
        let mut collected = false;
        for site in self.store.sites() {
            let format = *self.store.ready(site).await.map_err(operation)?;
            if grace < format.grace {
                return Err(operation(Error::invalid_argument(format!(
                    "a grace of {grace:?} is shorter than that of the store, {:?}, which writers count on",
                    format.grace
                ))));
            }
        }
        for site in self.store.sites() {
            match site.collectable() {
                Ok(()) => {
                    self.collect_on(site, roots, grace, &mut report)
                        .await
                        .map_err(operation)?;
                    collected = true;
                }
                Err(error) => {
                    report.skipped.push(format!("{}: {}", site.name, error.message()));
                    refused.get_or_insert(error);
                }
            }
        }
        match refused {
            Some(error) if !collected => Err(operation(error)),
            _ => Ok(report),
        }
    }

    async fn collect_on(
        &self,
        site: &Site,
        roots: &Roots,
        grace: Duration,
        report: &mut CollectReport,
    ) -> Result<()> {
        let store: &VolumeStore = &self.store;
        let format = *store.ready(site).await?;
        for (key, meta) in store.entries(site, site.names.blocks(), true).await? {
            // What is called otherwise is somebody else's.
            let Some(hash) = site.names.as_block(&format, &key) else {
                continue;
            };
            report.blocks += 1;
            if roots.contains(&hash) {
                continue;
            }
            // Where the medium does not know when it was written, nobody knows that it is old.
            let old = meta.filter(|meta| meta.modified.is_some_and(|at| at.after(grace) <= roots.since));
            let Some(meta) = old else {
                report.young += 1;
                continue;
            };
            match site.storage.objects().delete_if(&key, meta.version).await {
                Ok(()) => {
                    report.deleted += 1;
                    report.deleted_bytes += meta.size;
                }
                // Written anew, or gone.
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => report.young += 1,
                Err(error) => return Err(error),
            }
        }
        for (key, meta) in store.entries(site, site.names.staging(), true).await? {
            let old = meta.filter(|meta| meta.modified.is_some_and(|at| at.after(grace) <= roots.since));
            let Some(meta) = old else { continue };
            match site.storage.objects().delete_if(&key, meta.version).await {
                Ok(()) => report.leftovers += 1,
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
