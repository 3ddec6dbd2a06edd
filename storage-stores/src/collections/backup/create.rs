//! Writing a backup.

use storage_core::bson::{DateTime, RawDocumentBuf};
use storage_core::{Capability, Collection, Error, ErrorKind, Query, Result, Timestamp, random_u128};

use super::manifest::{CollectionEntry, FORMAT, FORMAT_OF_DOCUMENTS, Manifest};
use super::part::{PartWriter, write_line};
use super::{Backups, MANIFEST, Scope, directory};
use crate::collections::migrations::Task;
use crate::collections::migrations::state::COLLECTION;
use crate::collections::migrations::turn::Turn;

/// After how many documents the progress is told.
pub(super) const TELL_EVERY: u64 = 1000;

impl Backups {
    /// Makes a backup, and gives its name: the one asked for, or one made of `kind` and the time.
    pub(crate) async fn create_within(
        &self,
        turn: &mut Turn,
        name: Option<&str>,
        kind: &str,
        scope: Scope,
    ) -> Result<String> {
        let created_at = self.storage.now();
        let name = match name {
            Some(name) => {
                if self.find_manifest(name).await?.is_some() {
                    return Err(taken(name));
                }
                name.to_owned()
            }
            None => self.free_name(kind, created_at).await?,
        };
        // Two attempts under one name never touch each other's parts.
        let attempt = format!("{}{:032x}", directory(&name)?, random_u128());
        let mut collections = Vec::new();
        for collection in self.storage.collections().await? {
            if collection.as_str() != COLLECTION {
                let parts = format!("{attempt}/{:05}", collections.len());
                collections.push(self.back_up(turn, &name, collection.as_str(), &parts).await?);
            }
        }
        // After the documents: what one refers to was there before it, so it is in the backup too.
        let (objects, logs) = match scope {
            Scope::Documents => (None, None),
            Scope::Everything => (
                Some(self.back_up_objects(turn, &name, &attempt).await?),
                self.back_up_logs(turn, &name, &attempt).await?,
            ),
        };
        let state = turn.state();
        let manifest = Manifest {
            format: match scope {
                Scope::Documents => FORMAT_OF_DOCUMENTS,
                Scope::Everything => FORMAT,
            },
            name: name.clone(),
            created_at,
            backend: self.storage.declaration().backend.to_string(),
            version: state.current().cloned(),
            state: (!state.migrations.is_empty()).then(|| state.clone()),
            collections,
            objects,
            logs,
            blake3: String::new(),
        };
        let key = format!("{}{MANIFEST}", directory(&name)?);
        let objects = self.place.objects();
        turn.check_held()?;
        let can_create = self.place.declaration().support(Capability::CreateIfAbsent);
        let written = if can_create.is_present() {
            objects.create(&key, manifest.write()?).await
        } else {
            objects.write(&key, manifest.write()?).await
        };
        match written {
            Ok(_) => Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(taken(&name)),
            Err(error) => Err(error),
        }
    }

    async fn back_up(
        &self,
        turn: &Turn,
        name: &str,
        collection: &str,
        parts: &str,
    ) -> Result<CollectionEntry> {
        let documents: Collection<RawDocumentBuf> = self.storage.collection(collection);
        let task = Task::BackUp(name.to_owned());
        let total = documents.count(Query::all()).await?;
        let mut found = documents.find(Query::all()).await?;
        let mut lines = PartWriter::new(&self.place, turn, parts.to_owned());
        let mut done = 0;
        while let Some(document) = found.next().await? {
            lines.push(|text| write_line(text, &document)).await?;
            done += 1;
            if done % TELL_EVERY == 0 {
                self.options.tell(&task, collection, done, total);
            }
        }
        self.options.tell(&task, collection, done, total);
        Ok(CollectionEntry {
            name: collection.to_owned(),
            documents: done,
            indexes: self.indexes(&documents).await?,
            parts: lines.finish().await?,
        })
    }

    /// The definitions of a collection's indexes.
    pub(super) async fn indexes(
        &self,
        documents: &Collection<RawDocumentBuf>,
    ) -> Result<Vec<storage_core::Index>> {
        let declared = self.storage.declaration().support(Capability::Indexes);
        if !declared.is_present() {
            return Ok(Vec::new());
        }
        let infos = documents.indexes().await?;
        Ok(infos.into_iter().map(|info| info.index).collect())
    }

    /// A name nobody has: the time, and a number where that is taken.
    async fn free_name(&self, kind: &str, now: Timestamp) -> Result<String> {
        let time = sortable(now);
        let mut name = format!("{kind}-{time}");
        let mut number = 1;
        while self.find_manifest(&name).await?.is_some() {
            number += 1;
            name = format!("{kind}-{time}-{number}");
        }
        Ok(name)
    }
}

/// The time in a name: names sort as times do, so every one has its milliseconds.
fn sortable(time: Timestamp) -> String {
    let Ok(text) = DateTime::from_millis(time.as_millis()).try_to_rfc3339_string() else {
        return time.as_millis().to_string();
    };
    let text = text.trim_end_matches('Z');
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{}-{fraction:0<3}Z", seconds.replace(':', "-"))
}

fn taken(name: &str) -> Error {
    let message = format!(
        "there is a backup {name:?} already; choose another name, or delete it with `storage backup rm {name}`"
    );
    Error::new(ErrorKind::AlreadyExists, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_times_do() {
        assert_eq!(sortable(Timestamp::from_millis(0)), "1970-01-01T00-00-00-000Z");
        assert_eq!(sortable(Timestamp::from_millis(120)), "1970-01-01T00-00-00-120Z");
        assert!(sortable(Timestamp::from_millis(120)) < sortable(Timestamp::from_millis(121)));
    }
}
