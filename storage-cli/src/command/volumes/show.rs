//! `storage volume get`, `ls`, `log`.

use clap::Args;
use serde::Serialize;
use storage_core::Storage;
use storage_stores::volumes::{Change, Entry, Hash};

use super::Place;
use crate::failure::{Failure, Result};
use crate::output::Output;

#[derive(Debug, Args)]
pub(super) struct Get {
    /// The name
    name: String,
    /// As it was in the snapshot of this label
    #[arg(long, value_name = "LABEL")]
    snapshot: Option<String>,
}

impl Get {
    pub(super) async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let volume = place.volume(storage).await?;
        let bytes = match &self.snapshot {
            None => volume.get(&self.name).await?,
            Some(label) => {
                let snapshot = volume.read_snapshot(label).await?;
                let snapshot = snapshot.ok_or_else(|| Failure::NotFound(format!("snapshot {label:?}")))?;
                match snapshot.entry(&self.name) {
                    Some(entry) => volume.store().blocks().get(&entry.block).await?,
                    None => None,
                }
            }
        };
        let bytes = bytes.ok_or_else(|| Failure::NotFound(format!("name {:?} in the volume", self.name)))?;
        output.bytes(&bytes)
    }
}

#[derive(Debug, Args)]
pub(super) struct Ls {
    /// Only names that begin so
    #[arg(default_value = "")]
    prefix: String,
    /// As they were in the snapshot of this label
    #[arg(long, value_name = "LABEL")]
    snapshot: Option<String>,
}

#[derive(Serialize)]
struct NameLine<'a> {
    name: &'a str,
    bytes: u64,
    block: Hash,
}

impl<'a> From<&'a Entry> for NameLine<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            name: &entry.name,
            bytes: entry.size,
            block: entry.block,
        }
    }
}

impl Ls {
    pub(super) async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let volume = place.volume(storage).await?;
        let Some(label) = &self.snapshot else {
            for entry in volume.list(&self.prefix) {
                output.json(&NameLine::from(&entry))?;
            }
            return Ok(());
        };
        let snapshot = volume.read_snapshot(label).await?;
        let snapshot = snapshot.ok_or_else(|| Failure::NotFound(format!("snapshot {label:?}")))?;
        let matching = snapshot
            .entries()
            .filter(|entry| entry.name.starts_with(&self.prefix));
        for entry in matching {
            output.json(&NameLine::from(entry))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct ChangeLine<'a> {
    event: Hash,
    parents: &'a [Hash],
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<Hash>,
}

/// The changes in order; then what was found on the way, to a person.
pub(super) async fn log(place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
    let volume = place.volume(storage).await?;
    let found = volume.refresh().await?;
    for (event, change) in &volume.log() {
        let (change, name, block) = match change {
            Some(Change::Put { name, block, .. }) => ("put", Some(name), Some(*block)),
            Some(Change::Delete { name }) => ("delete", Some(name), None),
            Some(Change::Snapshot { label, block, .. }) => ("snapshot", Some(label), Some(*block)),
            Some(Change::Forget { label }) => ("forget", Some(label), None),
            _ => ("other", None, None),
        };
        output.json(&ChangeLine {
            event: event.hash(),
            parents: event.parents(),
            change,
            name: name.map(String::as_str),
            block,
        })?;
    }
    output.flush()?;
    for stray in &found.strays {
        eprintln!("storage: skipped what is no event: {stray}");
    }
    for refused in &found.refused {
        eprintln!("storage: refused {}: {}", refused.key, refused.reason);
    }
    for (event, _) in &found.waiting {
        eprintln!("storage: {event} waits for an event that is not there yet");
    }
    Ok(())
}
