//! What changed between two versions.

use std::time::Duration;

use similar::TextDiff;
use storage_core::{Bytes, Error, ErrorKind, Result};

use super::Files;

const OPERATION: &str = "compare versions of file";

/// Two texts that have little in common are then shown as one replaced by the other.
const LONGEST_SEARCH: Duration = Duration::from_secs(2);

/// Texts are compared in memory.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

impl Files {
    /// The difference from one version to another as a unified diff; empty where they are the same. Where one is no text (not UTF-8, or
    /// with NUL in it), a line that says that they differ.
    ///
    /// # Errors
    /// As [`content`](Self::content), for either; `LimitExceeded` for a version over 16 MiB.
    pub async fn diff(&self, id: impl AsRef<str>, from: u64, to: u64) -> Result<String> {
        let id = id.as_ref();
        let (path, old) = self.existing(OPERATION, id, from).await?;
        let (_, new) = self.existing(OPERATION, id, to).await?;
        if old.hash == new.hash {
            return Ok(String::new());
        }
        for version in [&old, &new] {
            if version.size > MAX_BYTES {
                let error = Error::limit_exceeded("the version to compare in bytes", MAX_BYTES, version.size);
                return Err(self.named(error, OPERATION, id));
            }
        }
        let (old, new) = (self.content(id, from).await?, self.content(id, to).await?);
        let names = (format!("{path}@{from}"), format!("{path}@{to}"));
        let compared = tokio::task::spawn_blocking(move || compare(&old, &new, &names.0, &names.1));
        compared.await.map_err(|error| {
            let error = Error::new(ErrorKind::Internal, "the comparison was cut short").with_source(error);
            self.named(error, OPERATION, id)
        })
    }
}

fn compare(old: &Bytes, new: &Bytes, old_name: &str, new_name: &str) -> String {
    let (Some(old), Some(new)) = (text(old), text(new)) else {
        return format!("binary files {old_name} and {new_name} differ\n");
    };
    TextDiff::configure()
        .timeout(LONGEST_SEARCH)
        .diff_lines(old, new)
        .unified_diff()
        .header(old_name, new_name)
        .to_string()
}

fn text(bytes: &Bytes) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}
