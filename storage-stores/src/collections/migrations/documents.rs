//! Migrating the documents of a collection, page by page, beside other writers.

use storage_core::bson::{Bson, Document as Fields, RawDocument, RawDocumentBuf, doc};
use storage_core::{Condition, Document, Error, ErrorKind, Query, Result, Timestamp};

use super::Migrations;
use super::definitions::Outcome;
use super::options::Task;
use super::state::Counted;
use super::turn::{Documents, Turn};
use super::write::{Action, Kept, PAGE, PAGE_BYTES, REMOVED, Write};
use crate::collections::schema::{SchemaVersion, raw_stamp};

/// Which way the documents go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// How often a document is tried that others keep changing.
const ATTEMPTS: usize = 100;

impl Migrations {
    /// Brings every document of a collection to this version, or back from it.
    pub(super) async fn documents(
        &self,
        turn: &mut Turn,
        version: &SchemaVersion,
        collection: &str,
        way: Way,
    ) -> Result<()> {
        let task = match way {
            Way::Up => Task::Migrate(version.clone()),
            Way::Down => Task::RollBack(version.clone()),
        };
        let documents: Documents = turn.storage().collection(collection);
        let total = documents.count(Query::all()).await?;
        let mut found = documents.find(Query::all()).await?;
        let mut counted = Counted {
            collection: collection.to_owned(),
            done: 0,
            total,
        };
        let (mut writes, mut bytes) = (Vec::new(), 0);
        let mut last = false;
        while !last {
            match found.next().await? {
                Some(document) => {
                    counted.done += 1;
                    if let Some(write) = self.write_of(turn, version, collection, way, &document)? {
                        bytes += write.size();
                        writes.push(write);
                    }
                }
                None => last = true,
            }
            if writes.len() >= PAGE || bytes >= PAGE_BYTES || (last && !writes.is_empty()) {
                bytes = 0;
                let progress = counted.clone();
                let conflicts = turn
                    .write(&documents, std::mem::take(&mut writes), |state| {
                        state.count(version, progress)
                    })
                    .await?;
                for id in conflicts {
                    self.again(turn, version, &documents, way, id.as_str()).await?;
                }
                self.options.tell(&task, collection, counted.done, total);
            }
        }
        self.options.tell(&task, collection, counted.done, total);
        Ok(())
    }

    /// One document that somebody else changed at the same moment.
    async fn again(
        &self,
        turn: &Turn,
        version: &SchemaVersion,
        documents: &Documents,
        way: Way,
        id: &str,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            turn.check_held()?;
            let Some(document) = documents.get(id).await? else {
                return Ok(());
            };
            let Some(write) = self.write_of(turn, version, documents.name(), way, &document)? else {
                return Ok(());
            };
            if turn.single(documents, write).await?.is_none() {
                return Ok(());
            }
        }
        let message = "others changed the document each time before it could be migrated; run it again";
        Err(Error::new(ErrorKind::Conflict, message).with_key(format!("{}/{id}", documents.name())))
    }

    /// What has to be written of a document, if anything.
    fn write_of(
        &self,
        turn: &Turn,
        version: &SchemaVersion,
        collection: &str,
        way: Way,
        document: &Document<RawDocumentBuf>,
    ) -> Result<Option<Write>> {
        let named = |error: Error| error.with_key(format!("{collection}/{}", document.id));
        let stamp = raw_stamp(&document.value).map_err(named)?;
        let concerned = match way {
            Way::Up => self.definitions.lacks(collection, stamp.as_ref(), version),
            Way::Down => stamp.as_ref().is_some_and(|stamp| stamp >= version),
        };
        if !concerned {
            return Ok(None);
        }
        let fields = fields_of(&document.value).map_err(named)?;
        let outcome = match way {
            Way::Up => self.definitions.upgraded(collection, &fields, version),
            Way::Down => {
                let was_applied = |version: &SchemaVersion| turn.state().record(version).is_some();
                self.definitions
                    .downgraded(collection, &fields, version, was_applied)
            }
        };
        let action = match outcome.map_err(named)? {
            Outcome::Kept => return Ok(None),
            Outcome::Changed(changed) => Action::Put {
                body: raw(&changed).map_err(named)?,
                expires_at: document.expires_at,
                condition: Condition::IfVersion(document.version.clone()),
            },
            Outcome::Removed(by) => Action::Move {
                version: document.version.clone(),
                kept: kept(turn.storage().now(), collection, &by, document, fields).map_err(named)?,
            },
        };
        let id = document.id.clone();
        Ok(Some(Write { id, action }))
    }

    /// Puts back what filters of this migration removed. What is there under the same id by now stays, and so does what was removed.
    pub(super) async fn put_back(
        &self,
        turn: &Turn,
        version: &SchemaVersion,
        collection: &str,
    ) -> Result<()> {
        let removed: Documents = turn.storage().collection(REMOVED);
        let documents: Documents = turn.storage().collection(collection);
        let mut found = removed.find(Query::all()).await?;
        while let Some(record) = found.next().await? {
            let damaged = || Error::corrupt(format!("{REMOVED}/{}", record.id), "it is no removed document");
            let fields = fields_of(&record.value)?;
            let text = |name: &str| fields.get_str(name).map_err(|_| damaged());
            if text("collection")? != collection || text("migration")? != version.to_string() {
                continue;
            }
            turn.check_held()?;
            let body = raw(fields.get_document("document").map_err(|_| damaged())?)?;
            let expires_at = match fields.get("expires_at") {
                None => None,
                Some(Bson::Int64(time)) => Some(Timestamp::from_millis(*time)),
                Some(_) => return Err(damaged()),
            };
            let id = storage_core::DocumentId::new(text("id")?).map_err(|_| damaged())?;
            let write = Write {
                id: id.clone(),
                action: Action::Put {
                    body: body.clone(),
                    expires_at,
                    condition: Condition::IfAbsent,
                },
            };
            let there = match turn.single(&documents, write).await? {
                None => true,
                // By this very step, before a crash, or by somebody else.
                Some(_) => documents.get(&id).await?.is_some_and(|now| now.value == body),
            };
            if there {
                removed.delete(&record.id).await?;
            }
        }
        Ok(())
    }
}

/// What is kept of a removed document, under an id of fixed length.
fn kept(
    now: Timestamp,
    collection: &str,
    by: &SchemaVersion,
    document: &Document<RawDocumentBuf>,
    fields: Fields,
) -> Result<Kept> {
    let mut hasher = blake3::Hasher::new();
    for part in [by.to_string().as_str(), collection, document.id.as_str()] {
        // No part contains NUL: neither names nor ids may.
        hasher.update(part.as_bytes()).update(b"\0");
    }
    let mut record = doc! {
        "collection": collection,
        "id": document.id.as_str(),
        "migration": by.to_string(),
        "removed_at": now.as_millis(),
    };
    if let Some(time) = document.expires_at {
        record.insert("expires_at", time.as_millis());
    }
    record.insert("document", fields);
    Ok(Kept {
        id: hasher.finalize().to_hex().to_string(),
        record: raw(&record)?,
    })
}

pub(super) fn fields_of(body: &RawDocument) -> Result<Fields> {
    Fields::try_from(body).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "the document is not well-formed BSON").with_source(error)
    })
}

pub(super) fn raw(fields: &Fields) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(fields).map_err(|error| {
        Error::invalid_argument("what the migration makes of the document cannot be stored")
            .with_source(error)
    })
}
