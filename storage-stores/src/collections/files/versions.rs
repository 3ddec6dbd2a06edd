//! New versions, and those there are.

use storage_core::{Bytes, Error, ErrorKind, Result};

use super::content;
use super::file::{File, FileRecord, FileVersion};
use super::{Files, no_such_file};

impl Files {
    /// Adds a version with this content behind the latest, also where that changed meanwhile. A content the file has already in one of
    /// its versions is not stored again.
    ///
    /// # Errors
    /// `NotFound` when the project has no file of this id; `LimitExceeded`; those of the medium.
    pub async fn create_version(&self, id: impl AsRef<str>, content: impl Into<Bytes>) -> Result<File> {
        const OPERATION: &str = "create version of file";
        let (id, content) = (id.as_ref(), content.into());
        let hash = content::hash(&content);
        let Some(record) = self.record(id).await? else {
            return Err(self.named(no_such_file(), OPERATION, id));
        };
        let mut stored = !record.has(&hash);
        if stored {
            self.store(&hash, content.clone()).await?;
        }
        loop {
            let now = self.storage().now();
            let mut gone = false;
            let change = |record: &mut FileRecord| {
                // While the file refers to it nobody collects it; if its last version with it was removed since, it has to be stored.
                gone = !stored && !record.has(&hash);
                if gone {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "its versions were removed meanwhile",
                    ));
                }
                record.push(hash.clone(), content.len() as u64, now, None);
                Ok(())
            };
            let changed = self.change(OPERATION, id, change).await;
            if !gone {
                return changed;
            }
            self.store(&hash, content.clone()).await?;
            stored = true;
        }
    }

    /// Adds a version with the content of an earlier one. It costs no bytes.
    ///
    /// # Errors
    /// `NotFound` when the project has no file of this id, or the file no such version, naming those it has; those of the medium.
    pub async fn revert_to(&self, id: impl AsRef<str>, number: u64) -> Result<File> {
        let now = self.storage().now();
        let change = |record: &mut FileRecord| {
            let version = record
                .version(number)
                .ok_or_else(|| record.no_such_version(number))?;
            record.push(version.hash, version.size, now, Some(number));
            Ok(())
        };
        self.change("revert file", id.as_ref(), change).await
    }

    /// The versions that are kept, the first made first; none when there is no such file.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn versions(&self, id: impl AsRef<str>) -> Result<Vec<FileVersion>> {
        let record = self.record(id.as_ref()).await?;
        Ok(record.map(|record| record.all()).unwrap_or_default())
    }

    /// One version; `None` when there is no such file or version.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn version(&self, id: impl AsRef<str>, number: u64) -> Result<Option<FileVersion>> {
        let record = self.record(id.as_ref()).await?;
        Ok(record.and_then(|record| record.version(number)))
    }

    /// The latest version; `None` when there is no such file.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn latest(&self, id: impl AsRef<str>) -> Result<Option<FileVersion>> {
        Ok(self.get(id).await?.map(|file| file.latest))
    }

    /// One version that has to be there.
    pub(super) async fn existing(
        &self,
        operation: &'static str,
        id: &str,
        number: u64,
    ) -> Result<(String, FileVersion)> {
        let Some(record) = self.record(id).await? else {
            return Err(self.named(no_such_file(), operation, id));
        };
        match record.version(number) {
            Some(version) => Ok((record.value.path, version)),
            None => Err(self.named(record.no_such_version(number), operation, id)),
        }
    }
}
