//! Looking at everything there is.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use storage_core::{ErrorKind, ListEntry, ListRequest, Result};

use super::super::check::Refusal;
use super::super::event::MAX_EVENT_BYTES;
use super::super::hash::Hash;
use super::super::signing::PublicKey;
use super::super::site::{Aside, Site};
use super::super::store::VolumeStore;
use super::{Blocks, Whole};
use crate::quarantine::Repair;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Blocks and events that are what their names say, over all replicas.
    pub sound: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The keys of those whose bytes do not have the hash they are named by, and of forged events; with the replica, as `replica: key`.
    pub damaged: Vec<String>,
    /// Of these, how many went to quarantine.
    pub quarantined: u64,
    /// The keys of what no block and no event is called, such as `conflicted copy.bin`. They are nobody's, and stay.
    pub foreign: Vec<String>,
    /// The keys of events of a newer format, or under a scheme without a verifier here. They stay.
    pub unknown: Vec<String>,
}

/// What a look at one key came to.
enum Verdict {
    Sound(u64),
    Damaged,
    /// It has its hash, and is not what it has to be.
    Forged,
    Unknown,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }

    async fn count(
        &mut self,
        site: &Site,
        key: &str,
        hash: &Hash,
        verdict: Verdict,
        repair: Repair,
    ) -> Result<()> {
        let place = format!("{}: {key}", site.name);
        let keep = match verdict {
            Verdict::Sound(size) => {
                self.sound += 1;
                self.bytes += size;
                return Ok(());
            }
            Verdict::Unknown => {
                self.unknown.push(place);
                return Ok(());
            }
            Verdict::Damaged => Some(hash),
            Verdict::Forged => None,
        };
        self.damaged.push(place);
        if repair == Repair::Quarantine
            && let Some(format) = site.format.get()
        {
            let aside = site.move_aside(key, format.hash, keep).await?;
            self.quarantined += u64::from(matches!(aside, Aside::Moved | Aside::Copied));
        }
        Ok(())
    }
}

impl Blocks {
    /// Reads and verifies every block of every replica.
    ///
    /// # Errors
    /// Those of the medium; what went to quarantine stays there.
    pub async fn verify_all(&self, repair: Repair) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        for site in self.store.sites() {
            let format = *self.store.ready(site).await?;
            for (key, _) in self.store.entries(site, site.names.blocks(), false).await? {
                let Some(hash) = site.names.as_block(&format, &key) else {
                    report.foreign.push(format!("{}: {key}", site.name));
                    continue;
                };
                let verdict = match site.look(&key, format.hash, &mut |_| {}).await {
                    Ok(None) => continue,
                    Ok(Some(found)) if found.hash == hash => Verdict::Sound(found.meta.size),
                    Ok(Some(_)) => Verdict::Damaged,
                    Err(error) if error.kind() == ErrorKind::Corrupt => Verdict::Damaged,
                    Err(error) => return Err(error),
                };
                report.count(site, &key, &hash, verdict, repair).await?;
            }
        }
        Ok(report)
    }
}

impl VolumeStore {
    /// Reads and verifies every block and every event of every replica. Events are held to their signatures too.
    ///
    /// # Errors
    /// As [`Blocks::verify_all`].
    pub async fn verify_all(&self, repair: Repair) -> Result<VerifyReport> {
        let mut report = self.blocks().verify_all(repair).await?;
        for site in self.sites() {
            let format = *self.ready(site).await?;
            for (key, _) in self.entries(site, site.names.channels(), false).await? {
                let Some((channel, hash)) = site.names.as_event(&key) else {
                    report.foreign.push(format!("{}: {key}", site.name));
                    continue;
                };
                let mut whole = Whole::default();
                let found = site
                    .look(&key, format.hash, &mut |piece| {
                        // What is larger is none, and need not be held to know it.
                        if piece.meta.size <= MAX_EVENT_BYTES as u64 {
                            whole.take(piece);
                        }
                    })
                    .await;
                let verdict = match found {
                    Ok(None) => continue,
                    Ok(Some(found)) if found.hash == hash => {
                        match self.check_event(&channel, whole.bytes()) {
                            Ok(_) => Verdict::Sound(found.meta.size),
                            Err(Refusal::Wrong(_)) => Verdict::Forged,
                            Err(Refusal::TooNew(_) | Refusal::Unknown(_)) => Verdict::Unknown,
                        }
                    }
                    Ok(Some(_)) => Verdict::Damaged,
                    Err(error) if error.kind() == ErrorKind::Corrupt => Verdict::Damaged,
                    Err(error) => return Err(error),
                };
                report.count(site, &key, &hash, verdict, repair).await?;
            }
        }
        Ok(report)
    }

    /// The channels there are on any replica, ascending.
    ///
    /// # Errors
    /// Those of the medium, of any replica.
    pub async fn channels(&self) -> Result<Vec<PublicKey>> {
        let mut channels = BTreeSet::new();
        for site in self.sites() {
            self.ready(site).await?;
            let mut request = ListRequest::new(site.names.channels());
            request.delimiter = true;
            let entries = site.storage.objects().list_with(request);
            let entries: Vec<ListEntry> = entries.try_collect().await?;
            for entry in entries {
                let below = entry.name().strip_prefix(&site.names.channels());
                let name = below.and_then(|name| name.strip_suffix('/'));
                channels.extend(name.and_then(|name| name.parse::<PublicKey>().ok()));
            }
        }
        Ok(channels.into_iter().collect())
    }
}
