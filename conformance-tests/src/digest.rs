//! [`digest`]: everything a place holds, to compare before and after.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use storage_core::{Capability, ListEntry, Query, Result, Storage};

/// Every object, document and log entry with its version and bytes, as text under its name.
pub(crate) async fn digest(storage: &Storage) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let objects = storage.objects();
    let mut entries = objects.list("");
    while let Some(entry) = entries.try_next().await? {
        if let ListEntry::Object(key, _) = entry {
            let object = objects.read_with(&key, Default::default()).await?;
            all.insert(format!("object {key}"), format!("{object:?}"));
        }
    }
    let has = |capability| storage.declaration().support(capability).is_present();
    if has(Capability::Documents) {
        for name in storage.collections().await? {
            let collection = storage.collection::<storage_core::bson::Document>(&name);
            let mut found = collection.find(Query::all()).await?;
            while let Some(document) = found.next().await? {
                all.insert(
                    format!("document {name}/{}", document.id),
                    format!("{document:?}"),
                );
            }
            if has(Capability::Indexes) {
                all.insert(
                    format!("indexes of {name}"),
                    format!("{:?}", collection.indexes().await?),
                );
            }
        }
    }
    if has(Capability::Logs) {
        for name in storage.logs().await? {
            let mut entries = storage.log(&name).entries(0);
            while let Some(entry) = entries.try_next().await? {
                all.insert(
                    format!("log {name} {:020}", entry.sequence),
                    format!("{:?}", entry.bytes),
                );
            }
            let page = storage.log(&name).read(u64::MAX, 1).await?;
            all.insert(format!("log {name}"), format!("{page:?}"));
        }
    }
    Ok(all)
}
