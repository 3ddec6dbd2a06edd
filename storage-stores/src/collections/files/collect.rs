//! Deleting contents that no version has any more.

use std::time::Duration;

use storage_core::{
    Capability, Error, ErrorKind, ListEntry, ListRequest, ObjectMeta, Query, Result, Retry, Versions,
};

use super::Files;
use super::content::{CONTENT, GRACE, is_older};

const OPERATION: &str = "collect contents of files";

/// One collector at a time.
const LEASE: &str = "files/collect";
const LEASE_TTL: Duration = Duration::from_secs(60);

/// What a collection did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CollectReport {
    /// Contents there were.
    pub contents: u64,
    /// Contents deleted.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
}

impl Files {
    /// Deletes the contents no version of any project has and that are at least a day old, beside readers and writers. Run it now and
    /// then.
    ///
    /// It is safe because a writer that wants to refer to a content older than half a day writes it anew first, and what was written anew
    /// is not the version this deletes. The clocks of all clients and of the medium have to agree to within half a day less the time a
    /// write takes.
    ///
    /// # Errors
    /// `Conflict` while another collection is under way; `LeaseLost`; `Unsupported` where a deletion cannot be bound to a version
    /// (`delete-if`); those of the medium; what was deleted stays deleted.
    pub async fn collect(&self) -> Result<CollectReport> {
        let storage = self.storage();
        let named = |error: Error| self.named(error, OPERATION, "");
        storage
            .declaration()
            .require(Capability::DeleteIf)
            .map_err(named)?;
        if storage.declaration().objects.versions == Versions::ContentHash {
            let message = "deleting a content safely, where equal bytes have equal versions,";
            return Err(named(Error::unsupported(message)));
        }
        let Some(lease) = storage.lease(LEASE, LEASE_TTL).try_acquire().await? else {
            let error =
                Error::new(ErrorKind::Conflict, "another collection is under way").with_retry(Retry::Later);
            return Err(named(error));
        };
        let kept_alive = lease.keep_alive();
        let mut report = CollectReport::default();
        let mut request = ListRequest::new(CONTENT);
        request.with_meta = true;
        let mut request = Some(request);
        while let Some(mut current) = request.take() {
            let page = storage.objects().list_page(current.clone()).await?;
            for entry in page.entries {
                let ListEntry::Object(key, Some(meta)) = entry else {
                    continue;
                };
                if !lease.is_held() {
                    let error = Error::new(
                        ErrorKind::LeaseLost,
                        "the collector's lease was lost; run it again",
                    );
                    return Err(named(error));
                }
                report.contents += 1;
                if self.collect_one(key.as_str(), &meta).await? {
                    report.deleted += 1;
                    report.deleted_bytes += meta.size;
                }
            }
            if page.next.is_some() {
                current.start_after = page.next;
                request = Some(current);
            }
        }
        drop(kept_alive);
        lease.release().await?;
        Ok(report)
    }

    /// Deletes a content unless something refers to it or may be about to; `true` if it did.
    async fn collect_one(&self, key: &str, meta: &ObjectMeta) -> Result<bool> {
        let Some(hash) = key.strip_prefix(CONTENT) else {
            return Ok(false);
        };
        // Where the medium does not know when it was written, nobody knows that it is old.
        let Some(modified) = meta.modified else {
            return Ok(false);
        };
        if !is_older(modified, self.storage().now(), GRACE) {
            return Ok(false);
        }
        let needed = self.entities.count(Query::eq("contents", hash).limit(1)).await?;
        if needed > 0 {
            return Ok(false);
        }
        match self
            .storage()
            .objects()
            .delete_if(key, meta.version.clone())
            .await
        {
            Ok(()) => Ok(true),
            // Somebody wrote it anew, or deleted it.
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(false),
            Err(error) => Err(error),
        }
    }
}
