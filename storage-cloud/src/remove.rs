//! Deleting objects. A deletion is sent once: sent again by itself, it could remove what somebody wrote in between.

use futures::stream::{self, StreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use storage_core::{Applied, Result};

use crate::client::Client;
use crate::error::write_failed;
use crate::wire::watch;
use crate::write::is_missing;

/// Fewer than this go one by one, side by side: a request for many costs the server more than a request for one.
const FEW: usize = 8;

impl Client {
    pub(crate) async fn remove(&self, path: &Path) -> Result<()> {
        match watch(self.stores.once.delete(path)).await {
            (Ok(()), _) => Ok(()),
            (Err(error), reply) if is_missing(&error, &reply) => Ok(()),
            (Err(error), reply) => Err(write_failed(&error, &reply)),
        }
    }

    /// One result each, in their order.
    pub(crate) async fn remove_many(&self, paths: &[Path]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(paths.len());
        for chunk in paths.chunks(self.dialect.bulk_delete.unwrap_or(paths.len().max(1))) {
            let removed = if self.dialect.bulk_delete.is_some() && chunk.len() >= FEW {
                self.remove_chunk(chunk).await
            } else {
                None
            };
            match removed {
                Some(removed) => results.extend(removed),
                None => results.extend(self.remove_each(chunk).await),
            }
        }
        results
    }

    async fn remove_each(&self, paths: &[Path]) -> Vec<Result<()>> {
        let removals: Vec<_> = paths.iter().map(|path| self.remove(path)).collect();
        stream::iter(removals).buffered(self.parallel).collect().await
    }

    /// One request for all; `None` where the server refuses it as a whole, as some do that know only single ones.
    async fn remove_chunk(&self, paths: &[Path]) -> Option<Vec<Result<()>>> {
        let locations = stream::iter(paths.iter().cloned().map(Ok).collect::<Vec<_>>()).boxed();
        let deletion = self.stores.bulk.delete_stream(locations).collect::<Vec<_>>();
        let (answers, reply) = watch(deletion).await;
        if answers.len() == paths.len() && reply.status.is_some_and(|status| status < 300) {
            let results = answers.into_iter().map(|answer| match answer {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(write_failed(&error, &reply)),
            });
            return Some(results.collect());
        }
        let error = answers.into_iter().find_map(std::result::Result::err)?;
        if write_failed(&error, &reply).applied() == Applied::No {
            return None;
        }
        Some(paths.iter().map(|_| Err(write_failed(&error, &reply))).collect())
    }
}
