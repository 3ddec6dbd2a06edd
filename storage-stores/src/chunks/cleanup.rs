//! Cleanup: the oldest contents of each session go, and uploads that nobody finishes.

use std::sync::Arc;
use std::time::Duration;

use storage_core::{Error, Query, Result};

use super::content::Content;
use super::store::{ChunkStore, document};

/// What a cleanup did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CleanupReport {
    /// The ids of the contents that went, or would have gone.
    pub removed: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// How many deletions were finished that a crash had cut short.
    pub finished: u64,
    /// Whether nothing was done because somebody else was cleaning up.
    pub busy: bool,
    /// Whether there is more to remove than one cleanup removes.
    pub more: bool,
    /// What could not be read, and was therefore kept.
    pub unreadable: Vec<Error>,
}

/// Who cleans up holds this lease.
const LEASE: &str = "chunks/cleanup";
/// How long others wait for a cleaner that is gone.
const LEASE_TTL: Duration = Duration::from_secs(60);

impl ChunkStore {
    /// Of each session, keeps every pinned content and the newest of the other complete ones, as many as the
    /// [options](super::ChunkOptions::max_items_per_session) say, and removes the rest: also uploads that have rested for
    /// [long](super::ChunkOptions::upload_age). Finishes deletions that a crash cut short. Nothing that is pinned or used between the
    /// look and the removal is removed. One cleaner at a time works, whichever process it is in.
    ///
    /// # Errors
    /// Those of the medium; what was removed stays removed.
    pub async fn cleanup(&self) -> Result<CleanupReport> {
        let named = |error: Error| self.named(error, "clean up", "");
        let request = self.storage.lease(LEASE, LEASE_TTL);
        let Some(lease) = request.try_acquire().await.map_err(named)? else {
            return Ok(CleanupReport {
                busy: true,
                ..Default::default()
            });
        };
        let renewed = lease.keep_alive();
        let pass = self.pass(false, || lease.is_held()).await;
        drop(renewed);
        // Lost or not: the next cleaner waits until it has run out.
        drop(lease.release().await);
        pass.map_err(named)
    }

    /// What a cleanup would remove now. Changes nothing, and holds nobody up.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn cleanup_dry_run(&self) -> Result<CleanupReport> {
        let pass = self.pass(true, || true).await;
        pass.map_err(|error| self.named(error, "plan a cleanup", ""))
    }

    /// How the last cleanup went that the store did by itself.
    pub fn last_cleanup(&self) -> Option<Arc<Result<CleanupReport>>> {
        self.timer.last()
    }

    async fn pass(&self, dry: bool, may_go_on: impl Fn() -> bool + Send + Sync) -> Result<CleanupReport> {
        let mut report = CleanupReport::default();
        let mut sessions = self.sessions_collection().find(Query::all()).await?;
        loop {
            let session = match sessions.next().await {
                Ok(Some(session)) => session,
                Ok(None) if dry => return Ok(report),
                Ok(None) => {
                    self.reconcile_all().await?;
                    return Ok(report);
                }
                Err(error) if error.context_value("document").is_some() => {
                    report.unreadable.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let id = session.id.as_str();
            self.clean_session(id, dry, &may_go_on, &mut report).await?;
            if report.more || !may_go_on() {
                return Ok(report);
            }
            if !dry {
                for (content_id, _) in Self::reserved_by(id, &document(&session.value)?)? {
                    self.settle(id, &content_id, self.options.upload_age).await?;
                }
            }
        }
    }

    async fn clean_session(
        &self,
        session_id: &str,
        dry: bool,
        may_go_on: &(impl Fn() -> bool + Send + Sync),
        report: &mut CleanupReport,
    ) -> Result<()> {
        let mut kept = 0;
        let mut contents = self.contents_of(session_id).await?;
        while let Some(content) = contents.next(&mut report.unreadable).await? {
            if !may_go_on() {
                return Ok(());
            }
            if content.deleting {
                if !dry {
                    self.finish_deletion(&content).await?;
                    report.finished += 1;
                }
                continue;
            }
            if !self.goes(&content, &mut kept) {
                continue;
            }
            if report.removed.len() as u64 >= self.options.max_items_per_cleanup {
                report.more = true;
                return Ok(());
            }
            let id = content.id().to_owned();
            let freed = if dry {
                Some(self.stored_bytes(&id).await?)
            } else {
                self.delete_version(content).await?
            };
            if let Some(bytes) = freed {
                report.removed.push(id);
                report.bytes += bytes;
            }
        }
        Ok(())
    }

    /// Whether a content goes, the newer ones of its session having been counted in `kept`.
    fn goes(&self, content: &Content, kept: &mut u64) -> bool {
        let metadata = &content.metadata;
        if metadata.is_pinned {
            return false;
        }
        if !metadata.is_complete {
            return metadata.last_accessed.after(self.options.upload_age) <= self.storage.now();
        }
        *kept += 1;
        *kept > self.options.max_items_per_session
    }
}
