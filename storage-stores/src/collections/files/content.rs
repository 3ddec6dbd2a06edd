//! Contents: objects named by their hash.

use std::time::Duration;

use storage_core::{Bytes, Result, Timestamp};

use super::Files;

/// What stands before the hash in the key of a content.
pub(super) const CONTENT: &str = "files/content/";

/// A content that nothing refers to is collected once it is this old.
pub(super) const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// A content older than this is written anew by whoever wants to refer to it, so that the collector does not take it meanwhile. What is
/// left of the grace is for that write and for clocks that differ.
const YOUNG: Duration = Duration::from_secs(12 * 60 * 60);

pub(super) fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

pub(super) fn key(hash: &str) -> String {
    format!("{CONTENT}{hash}")
}

/// Whether something written then is at least so old.
pub(super) fn is_older(modified: Timestamp, now: Timestamp, age: Duration) -> bool {
    modified.after(age) <= now
}

impl Files {
    /// Makes a content durable that may be referred to now.
    pub(super) async fn store(&self, hash: &str, content: Bytes) -> Result<()> {
        let (objects, key) = (self.storage().objects(), key(hash));
        if let Some(meta) = objects.stat(&key).await?
            && meta.size == content.len() as u64
            && let Some(modified) = meta.modified
            && !is_older(modified, self.storage().now(), YOUNG)
        {
            return Ok(());
        }
        objects.write(&key, content).await.map(drop)
    }
}
