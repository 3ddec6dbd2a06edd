//! Documents with their indexes, logs, and the store of chunks.

use std::time::Duration;

use storage_core::bson::Document;
use storage_core::{Collection, ErrorKind, IndexInfo, Query, Storage};
use storage_stores::chunks::{ChunkOptions, ChunkStore, ProblemKind};
use storage_stores::quarantine::Repair;

use super::{Finding, Report};
use crate::failure::Result;

/// The collection that says there is a store of chunks.
const CONTENTS: &str = "content_metadata";

/// So many entries of a log are read at once.
const ENTRIES: usize = 1000;

impl Report {
    /// Reads every document, and every index as far as it can be told from them.
    pub(super) async fn look_at_documents(&mut self, storage: &Storage, repair: Repair) -> Result<()> {
        for name in storage.collections().await? {
            self.collections += 1;
            let collection = storage.collection::<Document>(name.as_str());
            let (mut documents, mut is_readable) = (0, true);
            let mut found = collection.find(Query::all()).await?;
            loop {
                match found.next().await {
                    Ok(Some(_)) => documents += 1,
                    Ok(None) => break,
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        is_readable = false;
                        self.damaged.push(Finding::of("document", name.as_str(), &error));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.documents += documents;
            for IndexInfo { index, ready } in collection.indexes().await? {
                self.indexes += 1;
                // Whether an index has every document cannot be told, or put right, while one of them cannot be read.
                if !is_readable {
                    continue;
                }
                let expected = (!index.sparse && !index.each).then_some(documents);
                let Some(why) = wrong_with(&collection, &index.name, ready, expected).await? else {
                    continue;
                };
                let entry = format!("{name}/{}", index.name);
                self.damaged.push(Finding::new("index", entry, why));
                if repair == Repair::Quarantine {
                    collection.rebuild_index(&index.name).await?;
                    self.repaired += 1;
                }
            }
        }
        Ok(())
    }

    /// Reads every entry of every log.
    pub(super) async fn look_at_logs(&mut self, storage: &Storage) -> Result<()> {
        for name in storage.logs().await? {
            self.logs += 1;
            let mut from = 0;
            loop {
                let page = match storage.log(name.as_str()).read(from, ENTRIES).await {
                    Ok(page) => page,
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        self.damaged.push(Finding::of("log", name.as_str(), &error));
                        break;
                    }
                    Err(error) => return Err(error.into()),
                };
                if from == 0 && page.torn_bytes > 0 {
                    let why = format!(
                        "{} bytes of an append that a crash cut short, which nobody was told had succeeded",
                        page.torn_bytes
                    );
                    self.orphaned.push(Finding::new("log", name.as_str(), why));
                }
                self.entries += page.entries.len() as u64;
                match page.entries.last() {
                    Some(last) => from = last.sequence + 1,
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Asks the store of chunks what it finds wrong. Putting right what is left over would delete, so that is left to the store itself.
    pub(super) async fn look_at_chunks(&mut self, storage: &Storage, repair: Repair) -> Result<()> {
        let collections = storage.collections().await?;
        if !collections.iter().any(|name| name.as_str() == CONTENTS) {
            return Ok(());
        }
        let options = ChunkOptions::new().cleanup_interval(Duration::ZERO);
        let store = ChunkStore::open(storage.clone(), options).await?;
        self.stores.push("chunks".to_owned());
        let found = match repair {
            Repair::Quarantine => store.quarantine().await?,
            _ => store.verify().await?,
        };
        self.repaired += found.repaired;
        for problem in found.problems {
            let (findings, why) = match problem.kind {
                ProblemKind::MissingChunk => (&mut self.damaged, "a chunk is gone; send it again"),
                ProblemKind::DamagedChunk => (&mut self.damaged, "the bytes are not those that were sent"),
                ProblemKind::OrphanObject => (&mut self.orphaned, "no record names it"),
                ProblemKind::StrayRecord => (&mut self.orphaned, "its content is gone"),
                ProblemKind::UnfinishedDeletion => (&mut self.orphaned, "its deletion was cut short"),
                _ => (&mut self.damaged, "its record cannot be read"),
            };
            findings.push(Finding::new("chunks", problem.entry, why));
        }
        Ok(())
    }
}

/// What is wrong with an index: damaged, half built, or with fewer entries than documents where each has one. More are harmless: they are
/// left by crashes, and swept.
async fn wrong_with(
    collection: &Collection<Document>,
    index: &str,
    ready: bool,
    expected: Option<u64>,
) -> Result<Option<String>> {
    if !ready {
        return Ok(Some("it was never built to its end".to_owned()));
    }
    match collection.index_stats(index).await {
        Ok(stats) => Ok(expected
            .filter(|documents| stats.total_entries < *documents)
            .map(|documents| format!("it has {} entries for {documents} documents", stats.total_entries))),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Some(error.message().to_owned())),
        Err(error) => Err(error.into()),
    }
}
