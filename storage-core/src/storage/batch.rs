//! [`Batch`]: documents to write and delete all together or not at all.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::collection::{Collection, PutOptions};
use super::{Storage, check_limit};
use crate::adapter::{BatchOperation, BatchRequest, DeleteDocumentRequest};
use crate::backend::Condition;
use crate::declaration::Capability;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::version::Version;

/// Operations in order; a later one sees what an earlier one did.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let storage = storage_core::Storage::new(storage_core::Memory::new());
/// # use std::collections::BTreeMap;
/// let accounts = storage.collection::<BTreeMap<String, i64>>("accounts");
/// let (ada, bob) = (BTreeMap::from([("balance".into(), 5)]), BTreeMap::from([("balance".into(), 7)]));
/// storage.batch().insert(&accounts, "ada", &ada).insert(&accounts, "bob", &bob).commit().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until commit"]
pub struct Batch {
    storage: Storage,
    operations: Vec<(Name, BatchOperation)>,
    refused: Option<Error>,
}

impl Batch {
    pub(super) const fn new(storage: Storage) -> Self {
        Self {
            storage,
            operations: Vec::new(),
            refused: None,
        }
    }

    /// Writes a document whole.
    pub fn put<T>(self, collection: &Collection<T>, id: impl AsRef<str>, value: &T) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        self.put_with(collection, id, value, PutOptions::new())
    }

    /// Writes a document only where nothing is.
    pub fn insert<T>(self, collection: &Collection<T>, id: impl AsRef<str>, value: &T) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        self.put_with(
            collection,
            id,
            value,
            PutOptions::new().condition(Condition::IfAbsent),
        )
    }

    /// Replaces exactly this version of a document.
    pub fn put_if<T>(
        self,
        collection: &Collection<T>,
        id: impl AsRef<str>,
        value: &T,
        version: Version,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        self.put_with(
            collection,
            id,
            value,
            PutOptions::new().condition(Condition::IfVersion(version)),
        )
    }

    /// Writes a document as the options say. A fence is refused here; fence single writes.
    pub fn put_with<T>(
        mut self,
        collection: &Collection<T>,
        id: impl AsRef<str>,
        value: &T,
        options: PutOptions,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        let operation = options.refuse_fence().and_then(|options| {
            self.check_own(collection)?;
            Ok((
                collection.checked_name()?,
                collection.put_request(id.as_ref(), value, options)?,
            ))
        });
        self.push(operation.map(|(name, request)| (name, BatchOperation::Put(request))));
        self
    }

    /// Deletes a document; it need not be there.
    pub fn delete<T>(self, collection: &Collection<T>, id: impl AsRef<str>) -> Self {
        self.delete_with(collection, id.as_ref(), None)
    }

    /// Deletes exactly this version of a document.
    pub fn delete_if<T>(self, collection: &Collection<T>, id: impl AsRef<str>, version: Version) -> Self {
        self.delete_with(collection, id.as_ref(), Some(version))
    }

    fn delete_with<T>(mut self, collection: &Collection<T>, id: &str, if_version: Option<Version>) -> Self {
        let operation = self.check_own(collection).and_then(|()| {
            let name = collection.checked_name()?;
            let mut request = DeleteDocumentRequest::new(collection.id(id)?, self.storage.now());
            request.if_version = if_version;
            Ok((name, BatchOperation::Delete(request)))
        });
        self.push(operation);
        self
    }

    /// Applies every operation or none. Gives the new version of each put and `None` for each delete.
    ///
    /// # Errors
    /// The first refusal, with its position as context `operation`: what [`Collection::put`] and
    /// [`Collection::delete_if`] refuse; `Unsupported` unless `atomic-batch` is declared; `LimitExceeded` for too many.
    pub async fn commit(self) -> Result<Vec<Option<Version>>> {
        let Self {
            storage,
            operations,
            refused,
        } = self;
        storage
            .call("commit batch", "", async {
                storage.require_one(Capability::AtomicBatch)?;
                if let Some(error) = refused {
                    return Err(error);
                }
                let limit = storage.documents_section()?.max_batch_operations;
                check_limit("the number of operations in the batch", limit, operations.len())?;
                storage.adapter().commit(BatchRequest { operations }).await
            })
            .await
    }

    /// A batch is one step of one storage.
    fn check_own<T>(&self, collection: &Collection<T>) -> Result<()> {
        if Arc::ptr_eq(&self.storage.inner, &collection.storage.inner) {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "collection {:?} is of another storage than the batch",
            collection.name
        )))
    }

    fn push(&mut self, operation: Result<(Name, BatchOperation)>) {
        match operation {
            Ok(operation) => self.operations.push(operation),
            Err(error) if self.refused.is_none() => {
                let at = self.operations.len().to_string();
                self.refused = Some(error.with_context("operation", at));
            }
            Err(_) => {}
        }
    }
}
