//! Writing a backup.

use storage_core::bson::{DateTime, RawDocumentBuf};
use storage_core::{Capability, Collection, Error, ErrorKind, Query, Result, Timestamp, random_u128};

use super::manifest::{CollectionEntry, FORMAT, Manifest, Part};
use super::part::write_line;
use super::{Backups, MANIFEST, directory};
use crate::collections::migrations::Task;
use crate::collections::migrations::state::COLLECTION;
use crate::collections::migrations::turn::Turn;
use crate::collections::migrations::walk::Walk;

/// How large a part grows before the next one is begun: what is held in memory.
const PART_BYTES: usize = 4 * 1024 * 1024;
/// After how many documents the progress is told.
const TELL_EVERY: u64 = 1000;

impl Backups {
    /// Makes a backup, and gives its name: the one asked for, or one made of `kind` and the time.
    pub(crate) async fn create_within(
        &self,
        turn: &mut Turn,
        name: Option<&str>,
        kind: &str,
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
        let state = turn.state();
        let manifest = Manifest {
            format: FORMAT,
            name: name.clone(),
            created_at,
            backend: self.storage.declaration().backend.to_string(),
            version: state.current().cloned(),
            state: (!state.migrations.is_empty()).then(|| state.clone()),
            collections,
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
        let mut entry = CollectionEntry {
            name: collection.to_owned(),
            documents: 0,
            indexes: self.indexes(&documents).await?,
            parts: Vec::new(),
        };
        let task = Task::BackUp(name.to_owned());
        let total = documents.count(Query::all()).await?;
        let mut found = Walk::over(&documents);
        let (mut text, mut lines) = (Vec::new(), 0);
        loop {
            let next = found.next().await?;
            let last = next.is_none();
            if let Some(document) = next {
                write_line(&mut text, &document)?;
                lines += 1;
                entry.documents += 1;
            }
            if text.len() >= PART_BYTES || (last && lines > 0) {
                let part = Part {
                    key: format!("{parts}-{:05}.jsonl", entry.parts.len()),
                    bytes: text.len() as u64,
                    documents: std::mem::take(&mut lines),
                    blake3: blake3::hash(&text).to_hex().to_string(),
                };
                turn.check_held()?;
                self.place
                    .objects()
                    .write(&part.key, std::mem::take(&mut text))
                    .await?;
                entry.parts.push(part);
            }
            if last || entry.documents.is_multiple_of(TELL_EVERY) {
                self.options.tell(&task, collection, entry.documents, total);
            }
            if last {
                return Ok(entry);
            }
        }
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
