//! [`Files`]: the files of a project and their versions.

mod collect;
mod content;
mod diff;
mod file;
mod read;
mod retention;
mod versions;

use std::fmt;

use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::{Bytes, Error, ErrorKind, Query, Result, Storage};

pub use self::collect::CollectReport;
pub use self::file::{File, FileVersion};
pub use self::read::FileReader;
pub use self::retention::Retention;

use self::file::FileRecord;
use super::entities::Entities;
use super::entity::Stored;
use super::options::EntityOptions;

/// The files of one project: paths with a history of contents.
///
/// A file is one document, which holds its whole chain of versions, so a new version, a revert and a retention happen completely or not
/// at all. Contents are objects named by their BLAKE3 hash, `files/content/<hex>`: a version whose content an earlier one of the file
/// had costs no bytes, and neither does one that another file was given lately. Contents that no version has any more are deleted by
/// [`collect`](Self::collect). A chain is as long as a document may be large, at about 150 bytes a version;
/// [`retain`](Self::retain) shortens it.
#[derive(Clone)]
pub struct Files {
    entities: Entities<FileRecord>,
    project: String,
}

impl Files {
    /// The files of this project.
    pub fn new(storage: Storage, project: impl Into<String>) -> Self {
        Self {
            // Every answer here is about the present state, and most lead to a write over it.
            entities: Entities::with_options(storage, EntityOptions::new().cache_enabled(false)),
            project: project.into(),
        }
    }

    /// The project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Creates a file with its first version.
    ///
    /// # Errors
    /// `UniqueViolation` when the project has a file of this path; `InvalidArgument` for metadata a document cannot hold;
    /// `LimitExceeded`; those of the medium.
    pub async fn create(
        &self,
        path: impl Into<String>,
        content: impl Into<Bytes>,
        metadata: Document,
    ) -> Result<File> {
        let (path, content) = (path.into(), content.into());
        let metadata = raw(&metadata)?;
        let hash = content::hash(&content);
        self.store(&hash, content.clone()).await?;
        let now = self.storage().now();
        let record = FileRecord::new(self.project.clone(), path, metadata, hash, content.len(), now);
        let stored = self.entities.create(record).await?;
        File::of(stored)
    }

    /// A file of this project by its id; `None` when there is none.
    ///
    /// # Errors
    /// `InvalidName`; `Corrupt`; those of the medium.
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<File>> {
        self.record(id.as_ref()).await?.map(File::of).transpose()
    }

    /// The file of this path; `None` when there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn find_by_path(&self, path: impl AsRef<str>) -> Result<Option<File>> {
        let found = self
            .entities
            .find_one_by("by_path", (&self.project, path.as_ref()))
            .await?;
        found.map(File::of).transpose()
    }

    /// The files of the project in the byte order of their paths.
    ///
    /// # Errors
    /// As [`get`](Self::get), for the first that fails.
    pub async fn list(&self) -> Result<Vec<File>> {
        let query = Query::eq("project", self.project.as_str()).sort("path");
        let found = self.entities.find(query).await?.collect().await?;
        found.into_iter().map(File::of).collect()
    }

    /// Gives a file another path.
    ///
    /// # Errors
    /// `NotFound`; `UniqueViolation` when the project has a file of this path; those of the medium.
    pub async fn rename(&self, id: impl AsRef<str>, path: impl Into<String>) -> Result<File> {
        let path = path.into();
        let change = |record: &mut FileRecord| {
            path.clone_into(&mut record.path);
            Ok(())
        };
        self.change("rename file", id.as_ref(), change).await
    }

    /// Replaces what the application keeps about a file.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for what a document cannot hold; those of the medium.
    pub async fn set_metadata(&self, id: impl AsRef<str>, metadata: Document) -> Result<File> {
        let metadata = raw(&metadata)?;
        let change = |record: &mut FileRecord| {
            metadata.clone_into(&mut record.metadata);
            Ok(())
        };
        self.change("set metadata of file", id.as_ref(), change).await
    }

    /// Deletes a file with all its versions; `true` if it was there. Its contents go with the next [`collect`](Self::collect).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, id: impl AsRef<str>) -> Result<bool> {
        let id = id.as_ref();
        // That of another project is not there, and a file never changes its project.
        match self.record(id).await? {
            Some(_) => self.entities.delete(id).await,
            None => Ok(false),
        }
    }

    fn storage(&self) -> &Storage {
        self.entities.storage()
    }

    async fn record(&self, id: &str) -> Result<Option<Stored<FileRecord>>> {
        let record = self.entities.get_by_id(id).await?;
        Ok(record.filter(|record| record.project == self.project))
    }

    /// Changes the record of a file that has to be there.
    async fn change(
        &self,
        operation: &'static str,
        id: &str,
        mut change: impl FnMut(&mut FileRecord) -> Result<()> + Send,
    ) -> Result<File> {
        let project = self.project.as_str();
        let changed = self
            .entities
            .try_update(id, |record| {
                if record.project == project {
                    change(record)
                } else {
                    Err(no_such_file())
                }
            })
            .await
            .map_err(|error| self.named(error, operation, id))?;
        let changed = changed.ok_or_else(|| self.named(no_such_file(), operation, id))?;
        File::of(changed)
    }

    fn named(&self, error: Error, operation: &'static str, id: &str) -> Error {
        self.entities.named(error, operation, id)
    }
}

fn no_such_file() -> Error {
    Error::new(ErrorKind::NotFound, "the project has no file of this id")
}

fn raw(document: &Document) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(document).map_err(|error| {
        Error::invalid_argument("the metadata holds a value or a name that cannot be stored")
            .with_source(error)
    })
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("project", &self.project)
            .field("storage", self.storage())
            .finish_non_exhaustive()
    }
}
