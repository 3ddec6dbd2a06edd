//! What a volume needs, for the collector.

use std::time::Duration;

use storage_core::{Error, ErrorKind, Result, Retry};

use super::super::blocks::{CollectReport, Roots};
use super::super::store::VolumeStore;
use super::{Change, Volume};

/// Which blocks of a volume stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Keep {
    /// Every block any event ever named: the whole history can be read.
    #[default]
    History,
    /// Those that names have now, and those of snapshots.
    Current,
}

impl Volume {
    /// Adds the blocks this volume needs to the roots of a collection.
    ///
    /// # Errors
    /// `Conflict` while an event waits for a parent, and `Unavailable` while a replica cannot be asked: blocks may be here whose events are
    /// not; `Corrupt` for an event that cannot be read, until it is in quarantine; `FormatTooNew`; `InvalidArgument` for an event that is no
    /// change of a volume, whose blocks nobody here knows; as [`refresh`](Self::refresh).
    pub async fn keep(&self, roots: &mut Roots, keep: Keep) -> Result<()> {
        let refreshed = self.refresh().await?;
        if let Some(failure) = refreshed.unreachable.first() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "the replica {:?} cannot be asked which blocks it needs: {}",
                    failure.replica, failure.message
                ),
            )
            .with_retry(Retry::Later));
        }
        // One that another replica has whole is known.
        let known = self.channel.known().events().to_vec();
        let is_known = |key: &str| known.iter().any(|event| key.contains(&event.hash().to_string()));
        if let Some(refused) = refreshed.refused.iter().find(|refused| !is_known(&refused.key)) {
            let kind = if refused.unknown {
                ErrorKind::FormatTooNew
            } else {
                ErrorKind::Corrupt
            };
            let message = format!("an event hides which blocks it names: {}", refused.reason);
            return Err(Error::new(kind, message).with_key(&refused.key));
        }
        if let Some((event, _)) = refreshed.waiting.first() {
            let message = "an event waits for a parent that is not there yet, so blocks may be here whose events are not";
            return Err(Error::new(ErrorKind::Conflict, message)
                .with_retry(Retry::Later)
                .with_key(event.to_string()));
        }
        let mut snapshots = Vec::new();
        for event in &known {
            match Change::decode(event.payload()) {
                Ok(Change::Put { block, .. }) if keep == Keep::History => roots.keep(block),
                Ok(Change::Snapshot { block, .. }) if keep == Keep::History => snapshots.push(block),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::FormatTooNew => {
                    return Err(error.with_key(event.hash().to_string()));
                }
                Err(_) => {
                    let message = "an event is no change of a volume, so nobody here knows which blocks it needs; \
                                   gather the roots of this channel yourself";
                    return Err(Error::invalid_argument(message).with_key(event.hash().to_string()));
                }
            }
        }
        if keep == Keep::Current {
            let view = self.view();
            roots.extend(view.entries().map(|entry| entry.block));
            snapshots.extend(view.snapshots().map(|entry| entry.block));
        }
        for block in snapshots {
            roots.keep(block);
            let snapshot = super::Snapshot::decode(&self.read(&block).await?)?;
            roots.extend(snapshot.entries().map(|entry| entry.block));
        }
        Ok(())
    }
}

impl VolumeStore {
    /// Collects the blocks that no volume of this store needs: every channel is taken for a volume.
    ///
    /// # Errors
    /// As [`Volume::keep`] and [`Blocks::gc`](super::super::Blocks::gc); nothing was deleted unless the latter said so.
    pub async fn collect(&self, keep: Keep, grace: Duration) -> Result<CollectReport> {
        let blocks = self.blocks();
        let mut roots = blocks.roots();
        for channel in self.channels().await? {
            let volume = Volume::open_read_only(self, channel).await?;
            volume.keep(&mut roots, keep).await?;
        }
        blocks.gc(&roots, grace).await
    }
}
