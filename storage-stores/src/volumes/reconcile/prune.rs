//! Making room on a replica that may be without.

use storage_core::{Error, ErrorKind, ObjectMeta, Result};

use super::super::hash::Hash;
use super::super::replica::Role;
use super::super::store::{Item, VolumeStore};

/// What a pruning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// Blocks deleted.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// The bytes of the blocks that are left.
    pub left_bytes: u64,
    /// Blocks that would have gone and stayed, because no durable replica has them whole.
    pub needed: u64,
}

impl VolumeStore {
    /// Deletes the oldest blocks of an opportunistic replica until those left have at most so many bytes. A block goes only after a durable
    /// replica was read and found to have it whole. Events stay. The next [`reconcile`](Self::reconcile) brings back what there is room
    /// for.
    ///
    /// # Errors
    /// `NotFound` for a replica of another name; `InvalidArgument` for a durable one, which is never pruned; those of the medium, where what
    /// was deleted stays deleted.
    pub async fn prune(&self, replica: &str, to_bytes: u64) -> Result<PruneReport> {
        let operation = |error: Error| error.with_operation("prune replica").with_key(replica);
        let site = self.sites().iter().find(|site| site.name == replica);
        let site = site.ok_or_else(|| {
            operation(Error::new(
                ErrorKind::NotFound,
                "there is no replica of this name",
            ))
        })?;
        if site.role == Role::Durable {
            let message = "a durable replica is never pruned; collect garbage instead";
            return Err(operation(Error::invalid_argument(message)));
        }
        let format = *self.ready(site).await?;
        let entries = self.entries(site, site.names.blocks(), true).await?;
        let mut blocks: Vec<(String, Hash, ObjectMeta)> = entries
            .into_iter()
            .filter_map(|(key, meta)| {
                let hash = site.names.as_block(&format, &key)?;
                Some((key, hash, meta?))
            })
            .collect();
        blocks.sort_by(|(one, _, a), (other, _, b)| (a.modified, one).cmp(&(b.modified, other)));
        let mut report = PruneReport {
            left_bytes: blocks.iter().map(|(_, _, meta)| meta.size).sum(),
            ..PruneReport::default()
        };
        for (key, hash, meta) in blocks {
            if report.left_bytes <= to_bytes {
                break;
            }
            if !self.is_durable(&Item::Block(hash)).await {
                report.needed += 1;
                continue;
            }
            site.storage.objects().delete(&key).await?;
            report.deleted += 1;
            report.deleted_bytes += meta.size;
            report.left_bytes -= meta.size;
        }
        Ok(report)
    }

    /// Whether a durable replica has this whole, read just now.
    async fn is_durable(&self, item: &Item) -> bool {
        for site in self.sites() {
            if site.role != Role::Durable {
                continue;
            }
            match self.read_on(site, item, &mut |_| {}).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => drop(self.remember(site, &error)),
            }
        }
        false
    }
}
