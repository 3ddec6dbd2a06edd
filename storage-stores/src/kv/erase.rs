//! A namespace is gone for good, with a receipt.

use serde::Serialize;
use storage_core::{ListEntry, ListRequest, Query, Result, Storage, Timestamp};

use super::keys::NamespaceKeys;
use super::ledger::Ledger;
use super::names;
use super::store::Kv;

/// What [`Kv::erase`] removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErasureReceipt {
    /// The namespace.
    pub namespace: String,
    /// When it was done.
    pub erased_at: Timestamp,
    /// Documents of entries, expired ones included.
    pub entries: u64,
    /// Objects with values.
    pub objects: u64,
    /// Keys of values' own that were destroyed.
    pub data_keys: u64,
    /// Whether the namespace's own keys were destroyed, so that copies elsewhere of what was sealed under them cannot be read.
    pub namespace_key: bool,
    /// Objects in the namespace's directory that this store did not write. They are still there.
    pub foreign: u64,
}

impl Kv {
    /// Removes everything of the namespace: the keys it is encrypted with first, then every entry, permanent and held ones and backups
    /// included. The audit trail stays, and says that it was done. Cut short, it is finished by doing it again.
    ///
    /// Who writes meanwhile may leave something behind; stop the writers first. Handles of the namespace have to be opened anew.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium; what was erased stays so.
    pub async fn erase(&self) -> Result<ErasureReceipt> {
        self.access
            .require_all()
            .map_err(|error| self.named(error, "erase namespace", ""))?;
        Box::pin(self.recorded("erase", "", self.erase_now())).await
    }

    async fn erase_now(&self) -> Result<ErasureReceipt> {
        self.store_waiting().await?;
        let (storage, namespace) = (self.storage(), self.namespace());
        let mut receipt = ErasureReceipt {
            namespace: namespace.to_owned(),
            erased_at: self.now(),
            entries: 0,
            objects: 0,
            data_keys: 0,
            namespace_key: NamespaceKeys::erase(storage, namespace).await?,
            foreign: 0,
        };
        self.shared.memory.clear();
        receipt.data_keys = empty(storage, &names::data_keys(namespace)).await?;
        receipt.entries = empty(storage, &names::entries(namespace)).await?;
        self.erase_objects(&mut receipt).await?;
        self.shared.ledger.erase().await?;
        self.shared.memory.clear();
        Ok(receipt)
    }

    async fn erase_objects(&self, receipt: &mut ErasureReceipt) -> Result<()> {
        let mut request = ListRequest::new(names::directory(self.namespace()));
        loop {
            let page = self.objects().list_page(request.clone()).await?;
            let mut ours = Vec::new();
            for entry in page.entries {
                let ListEntry::Object(object, _) = entry else {
                    continue;
                };
                match names::key_of_object(self.namespace(), object.as_str()) {
                    Some(_) => ours.push(object),
                    None => receipt.foreign += 1,
                }
            }
            receipt.objects += ours.len() as u64;
            for deleted in self.objects().delete_many(ours).await? {
                deleted?;
            }
            request.start_after = page.next;
            if request.start_after.is_none() {
                return Ok(());
            }
        }
    }

    /// Every namespace that was ever written to and not erased, in the order of their bytes.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn namespaces(storage: &Storage) -> Result<Vec<String>> {
        Ledger::namespaces(storage).await
    }
}

/// Deletes every document of a collection, whatever is in it.
async fn empty(storage: &Storage, collection: &str) -> Result<u64> {
    let documents = storage.collection::<storage_core::bson::RawDocumentBuf>(collection);
    let mut deleted = 0;
    let mut found = documents.find(Query::all()).await?;
    while let Some(document) = found.next().await? {
        deleted += u64::from(documents.delete(&document.id).await?);
    }
    Ok(deleted)
}
