//! What is there of the documents a transaction looks at.

use std::collections::{HashMap, HashSet};

use bson::RawDocumentBuf;
use futures::FutureExt;
use mongodb::ClientSession;
use mongodb::bson::{Bson, doc};
use storage_core::{DocumentId, Error, ErrorKind, Name, Result, Timestamp, Version};

use super::super::raw;
use super::{Attempt, Place, guard, place};
use crate::body::{decode, is_live, name_of};
use crate::names::collection;

/// How many documents one exchange asks for.
const IDS: usize = 1000;

/// A document as far as conditions look at it.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) version: Version,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) foreign: bool,
}

impl Attempt {
    /// What is there of everything the operations look at.
    pub(super) async fn states(&self, session: &mut ClientSession) -> Result<HashMap<Place, Result<State>>> {
        let mut wanted: HashMap<Name, HashSet<DocumentId>> = HashMap::new();
        for entry in self.operations.iter() {
            let (name, id) = place(entry);
            wanted.entry(name).or_default().insert(id);
            if let Some(guard) = guard(&entry.1) {
                wanted
                    .entry(guard.collection.clone())
                    .or_default()
                    .insert(guard.id.clone());
            }
        }
        let mut states = HashMap::new();
        for (name, ids) in wanted {
            let ids: Vec<&str> = ids.iter().map(DocumentId::as_str).collect();
            for some in ids.chunks(IDS) {
                self.read(session, &name, some, &mut states).boxed().await?;
            }
        }
        Ok(states)
    }

    async fn read(
        &self,
        session: &mut ClientSession,
        name: &Name,
        ids: &[&str],
        states: &mut HashMap<Place, Result<State>>,
    ) -> Result<()> {
        // Heads of at most 1,000 documents fit into one answer many times over.
        let command = doc! {
            "find": &*collection(name),
            "filter": { "_id": { "$in": ids } },
            "projection": { "_storage": 1 },
            "batchSize": i64::try_from(IDS).unwrap_or(i64::MAX),
            "singleBatch": true,
        };
        let run = self.inner.database.run_command(command).session(&mut *session);
        let answer = self.inner.read(run).await?;
        let found = answer
            .get_document("cursor")
            .and_then(|cursor| cursor.get_array("firstBatch"))
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the server answered without a cursor").with_source(error)
            })?;
        let documents = self.inner.collection::<RawDocumentBuf>(&collection(name));
        for document in found.iter().filter_map(Bson::as_document) {
            let mut document = raw(document)?;
            let id = name_of(&document);
            if document.get("_storage").is_ok_and(|system| system.is_none()) {
                // The version of another program's document is that of its whole content.
                let find = documents.find_one(doc! { "_id": &id }).session(&mut *session);
                match self.inner.read(find).await? {
                    Some(whole) => document = whole,
                    None => continue,
                }
            }
            let state = decode(&document).map(|stored| State {
                version: stored.document.version,
                expires_at: stored.document.expires_at,
                foreign: stored.foreign.is_some(),
            });
            states.insert((name.clone(), DocumentId::new(&id)?), state);
        }
        Ok(())
    }
}

/// What is there and not expired.
pub(super) fn live(
    states: &HashMap<Place, Result<State>>,
    place: &Place,
    now: Timestamp,
) -> Result<Option<State>> {
    match states.get(place) {
        None => Ok(None),
        Some(Ok(state)) => Ok(is_live(state.expires_at, now).then(|| state.clone())),
        Some(Err(error)) => {
            Err(Error::new(error.kind(), error.message().to_owned()).with_key(place.1.as_str()))
        }
    }
}
