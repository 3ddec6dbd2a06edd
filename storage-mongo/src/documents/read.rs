//! Reading documents by their ids.

use std::collections::{HashMap, HashSet};

use bson::RawDocumentBuf;
use futures::TryStreamExt;
use mongodb::bson::doc;
use storage_core::{DocumentId, Name, Result, StoredDocument, Timestamp};

use super::current;
use crate::body::{self, decode};
use crate::names::collection;
use crate::store::Inner;

/// How many ids one exchange asks for.
const IDS: usize = 1000;

/// Reads one document.
pub(crate) async fn get(
    inner: &Inner,
    name: &Name,
    id: &DocumentId,
    now: Timestamp,
) -> Result<Option<StoredDocument>> {
    let found = current(inner, name, id)
        .await?
        .filter(|stored| stored.is_live(now));
    Ok(found.map(|stored| stored.document))
}

/// Reads many documents, in the order asked.
pub(crate) async fn get_many(
    inner: &Inner,
    name: &Name,
    ids: &[DocumentId],
    now: Timestamp,
) -> Result<Vec<Option<StoredDocument>>> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    let mut found: HashMap<String, RawDocumentBuf> = HashMap::new();
    for some in ids.chunks(IDS) {
        let wanted: Vec<&str> = some.iter().map(DocumentId::as_str).collect();
        let mut cursor = inner
            .read(documents.find(doc! { "_id": { "$in": wanted } }))
            .await?;
        while let Some(document) = inner.read(cursor.try_next()).await? {
            found.insert(body::name_of(&document), document);
        }
    }
    let one = |id: &DocumentId| {
        let stored = found.get(id.as_str()).map(|found| decode(found)).transpose()?;
        let live = stored.filter(|stored| stored.is_live(now));
        Ok(live.map(|stored| stored.document))
    };
    ids.iter().map(one).collect()
}

/// Those of these ids there are documents of, expired or not.
pub(crate) async fn there(inner: &Inner, name: &Name, ids: &[&DocumentId]) -> Result<HashSet<String>> {
    let documents = inner.collection::<RawDocumentBuf>(&collection(name));
    let mut there = HashSet::new();
    for some in ids.chunks(IDS) {
        let wanted: Vec<&str> = some.iter().map(|id| id.as_str()).collect();
        let find = documents
            .find(doc! { "_id": { "$in": wanted } })
            .projection(doc! { "_id": 1 });
        let mut cursor = inner.read(find).await?;
        while let Some(document) = inner.read(cursor.try_next()).await? {
            there.insert(body::name_of(&document));
        }
    }
    Ok(there)
}
