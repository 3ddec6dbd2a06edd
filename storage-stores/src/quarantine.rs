//! Quarantine: what is damaged is moved out of the way, and nothing of it is lost.
//!
//! Everything lies below `quarantine/`, under the name it had and the version it had then, so that what is found damaged there later
//! replaces nothing: `quarantine/<key>/<version>` is an object, `quarantine/<collection>/<id>/<version>` the JSON of a document. The copy
//! is made first, so at no moment is there none. Nothing here ever deletes it.
//!
//! A store of volumes names what it sets aside by its hash, in a directory of the same name of its own.

/// What happens to what is found damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Nothing: it is only reported.
    Nothing,
    /// It goes to quarantine: its bytes stay available there, and nothing takes them for sound any more.
    Quarantine,
}

#[cfg(any(
    feature = "chunks",
    feature = "collections",
    feature = "executions",
    feature = "kv"
))]
pub use self::aside::{QUARANTINE, document_aside, object_aside};

#[cfg(any(
    feature = "chunks",
    feature = "collections",
    feature = "executions",
    feature = "kv"
))]
mod aside {
    use storage_core::bson::RawDocumentBuf;
    use storage_core::value::{Style, write_document};
    use storage_core::{Capability, Collection, Document, Object, Result, Storage};

    use crate::race;

    /// What stands before the key of everything that was set aside.
    pub const QUARANTINE: &str = "quarantine/";

    /// Moves to quarantine exactly the object that was read; `false` where somebody replaced or removed it since. Where the storage cannot
    /// delete exactly what was looked at, it stays where it was too.
    ///
    /// # Errors
    /// Those of the medium; the object is then in one of the two places, or in both.
    pub async fn object_aside(storage: &Storage, key: &str, object: Object) -> Result<bool> {
        let objects = storage.objects();
        let version = object.meta.version;
        objects
            .write(format!("{QUARANTINE}{key}/{version}"), object.bytes)
            .await?;
        if !storage.declaration().support(Capability::DeleteIf).is_present() {
            return Ok(true);
        }
        is_gone(objects.delete_if(key, version).await)
    }

    /// Moves to quarantine exactly the document that was read, as JSON; `false` where somebody replaced or removed it since.
    ///
    /// # Errors
    /// Those of the medium; the document is then in one of the two places, or in both.
    pub async fn document_aside(
        storage: &Storage,
        collection: &Collection<RawDocumentBuf>,
        document: Document<RawDocumentBuf>,
    ) -> Result<bool> {
        let key = format!(
            "{QUARANTINE}{}/{}/{}",
            collection.name(),
            document.id.as_str(),
            document.version
        );
        let text = write_document(&document.value, Style::Pretty)?;
        storage.objects().write(key, text).await?;
        is_gone(collection.delete_if(document.id, document.version).await)
    }

    fn is_gone(deleted: Result<()>) -> Result<bool> {
        match deleted {
            Ok(()) => Ok(true),
            Err(error) if race::is_lost(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
