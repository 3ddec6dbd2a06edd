//! Objects, and the stores of volumes among them.

use futures::TryStreamExt;
use storage_core::{ErrorKind, ListEntry, Storage};
use storage_stores::quarantine::Repair;
use storage_stores::volumes::{VolumeOptions, VolumeStore};

use super::{Finding, Report};
use crate::failure::Result;

/// What a store of volumes says about itself, and what stands before it in its directory.
const RECORD: &str = "volumes.json";

impl Report {
    /// Reads every object to its end; the directories of the stores of volumes.
    pub(super) async fn look_at_objects(&mut self, storage: &Storage) -> Result<Vec<String>> {
        let mut stores = Vec::new();
        let mut objects = storage.objects().list("");
        while let Some(entry) = objects.try_next().await? {
            let ListEntry::Object(key, _) = entry else {
                continue;
            };
            let key = key.as_str();
            if let Some(directory) = key.strip_suffix(RECORD)
                && (directory.is_empty() || directory.ends_with('/'))
            {
                stores.push(directory.trim_end_matches('/').to_owned());
            }
            self.objects += 1;
            match read(storage, key).await {
                Ok(bytes) => self.bytes += bytes,
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    self.damaged.push(Finding::of("object", key, &error));
                }
                // Replaced or deleted while it was read.
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(stores)
    }

    pub(super) async fn look_at_volumes(
        &mut self,
        storage: &Storage,
        stores: &[String],
        repair: Repair,
    ) -> Result<()> {
        for directory in stores {
            let options = VolumeOptions::new().directory(directory);
            let store = match VolumeStore::open(storage.clone(), options).await {
                Ok(store) => store,
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew) => {
                    self.damaged.push(Finding::of("volumes", directory, &error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.stores.push(if directory.is_empty() {
                "volumes".to_owned()
            } else {
                format!("volumes in {directory}")
            });
            let found = store.verify_all(repair).await?;
            self.repaired += found.quarantined;
            add(
                &mut self.damaged,
                found.damaged,
                "it is not what its name says, or not signed by its channel",
            );
            add(
                &mut self.foreign,
                found.foreign,
                "no block and no event has such a name",
            );
            add(
                &mut self.foreign,
                found.unknown,
                "it has a newer format, or a signature nobody here can check",
            );
            for channel in store.channels().await? {
                let waiting = store.channel(channel).refresh().await?.waiting;
                for (event, _) in waiting {
                    let why = "it waits for an event that is not there";
                    self.orphaned
                        .push(Finding::new("volumes", event.to_string(), why));
                }
            }
        }
        Ok(())
    }
}

/// Findings in a store of volumes, which names them `replica: key`.
fn add(findings: &mut Vec<Finding>, places: Vec<String>, why: &str) {
    for place in places {
        let key = place.split_once(": ").map_or(place.as_str(), |(_, key)| key);
        findings.push(Finding::new("volumes", key, why));
    }
}

async fn read(storage: &Storage, key: &str) -> storage_core::Result<u64> {
    let mut bytes = 0;
    if let Some(mut reader) = storage.objects().reader(key).await? {
        while let Some(piece) = reader.try_next().await? {
            bytes += piece.len() as u64;
        }
    }
    Ok(bytes)
}
