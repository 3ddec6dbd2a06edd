//! Replicas that get what they lack, and give up what they can spare.

mod prune;

use std::collections::{BTreeMap, BTreeSet};

use storage_core::{ErrorKind, Result};

pub use self::prune::PruneReport;

use super::blocks::Whole;
use super::check::Refusal;
use super::replica::Failure;
use super::site::Site;
use super::store::{Item, VolumeStore};

/// What a reconciliation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReconcileReport {
    /// Blocks and events there are.
    pub items: u64,
    /// Copies made.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// What was not copied from a replica because it is damaged or forged there: `replica: key`. Blocks went to quarantine.
    pub damaged: Vec<String>,
    /// Hashes that some replica lacks and none has whole.
    pub lost: Vec<String>,
    /// Copies that could not be made.
    pub failures: Vec<Failure>,
    /// Replicas that could not be asked, and took no part.
    pub unreachable: Vec<Failure>,
}

impl ReconcileReport {
    /// Whether every replica has everything.
    pub fn is_complete(&self) -> bool {
        self.lost.is_empty() && self.failures.is_empty() && self.unreachable.is_empty()
    }
}

impl VolumeStore {
    /// Copies every block and event to each replica that lacks it, from the first that has it whole. Nothing is deleted, and nothing
    /// damaged or forged is copied. After a crash or an error, call it again: what was copied is not copied twice.
    ///
    /// # Errors
    /// That of the first replica where none can be asked. What fails on one is in the report.
    pub async fn reconcile(&self) -> Result<ReconcileReport> {
        let mut report = ReconcileReport::default();
        let mut items: BTreeMap<Item, BTreeSet<usize>> = BTreeMap::new();
        let mut taking_part = Vec::new();
        let mut failure = None;
        for (at, site) in self.sites().iter().enumerate() {
            match self.items_on(site).await {
                Ok(found) => {
                    taking_part.push(at);
                    for item in found {
                        items.entry(item).or_default().insert(at);
                    }
                }
                Err(error) => {
                    report.unreachable.push(self.remember(site, &error));
                    failure.get_or_insert(error);
                }
            }
        }
        if let (Some(error), true) = (failure, taking_part.is_empty()) {
            return Err(error.with_operation("reconcile"));
        }
        let mut full = BTreeSet::new();
        // Blocks come before events, so that an event seldom arrives before what it names.
        for (item, holders) in items {
            report.items += 1;
            let mut lacking: Vec<usize> = taking_part
                .iter()
                .copied()
                .filter(|at| !holders.contains(at))
                .collect();
            if lacking.is_empty() {
                continue;
            }
            let mut source = None;
            for at in &holders {
                let site = &self.sites()[*at];
                match self.is_sound(site, &item).await {
                    Ok(true) => {
                        source = Some(*at);
                        break;
                    }
                    Ok(false) => {}
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        let key = error.key().unwrap_or_default().to_owned();
                        report.damaged.push(format!("{}: {key}", site.name));
                        if matches!(item, Item::Block(_)) {
                            lacking.push(*at);
                        }
                    }
                    Err(error) => report.failures.push(self.remember(site, &error)),
                }
            }
            let Some(source) = source else {
                report.lost.push(item.hash().to_string());
                continue;
            };
            for at in lacking {
                if full.contains(&at) {
                    continue;
                }
                let site = &self.sites()[at];
                match self.transfer(&self.sites()[source], site, &item).await {
                    Ok(Some(bytes)) => {
                        report.copied += 1;
                        report.copied_bytes += bytes;
                    }
                    Ok(None) => {}
                    Err(error) => {
                        // More will not fit either.
                        if error.kind() == ErrorKind::NoSpace {
                            full.insert(at);
                        }
                        report.failures.push(self.remember(site, &error));
                    }
                }
            }
        }
        Ok(report)
    }

    async fn items_on(&self, site: &Site) -> Result<Vec<Item>> {
        let format = *self.ready(site).await?;
        let blocks = self.entries(site, site.names.blocks(), false).await?;
        let events = self.entries(site, site.names.channels(), false).await?;
        let blocks = blocks
            .iter()
            .filter_map(|(key, _)| site.names.as_block(&format, key))
            .map(Item::Block);
        let events = events
            .iter()
            .filter_map(|(key, _)| site.names.as_event(key))
            .map(|(channel, hash)| Item::Event(channel, hash));
        Ok(blocks.chain(events).collect())
    }

    /// Whether a replica has an item whole; `Corrupt` where it is damaged, or forged.
    async fn is_sound(&self, site: &Site, item: &Item) -> Result<bool> {
        let Item::Event(channel, hash) = item else {
            return self.read_on(site, item, &mut |_| {}).await;
        };
        let format = self.ready(site).await?;
        let key = item.key(&site.names, format);
        let mut whole = Whole::default();
        let found = site
            .look(&key, format.hash, &mut |piece| whole.take(piece))
            .await?;
        match found {
            None => Ok(false),
            Some(found) if found.hash != *hash => Err(super::site::damaged(&key, "it was not copied")),
            Some(_) => match self.check_event(channel, whole.bytes()) {
                Ok(_) => Ok(true),
                Err(Refusal::Wrong(why)) => Err(storage_core::Error::corrupt(key, why)),
                Err(unknown) => Err(unknown.into_error().with_key(key)),
            },
        }
    }
}
