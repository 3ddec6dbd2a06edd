//! Reading a backup again, every byte of it.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use storage_core::{DocumentId, Error, Result};

use super::content::Described;
use super::logs::LogLine;
use super::manifest::{CollectionEntry, Contents, Manifest, Part};
use super::objects::ObjectLine;
use super::part::{Line, read_line};
use super::{BackupInfo, Backups};

impl Backups {
    /// Reads a whole backup and checks it against its manifest.
    ///
    /// # Errors
    /// `NotFound`, naming the backups there are; `Corrupt` naming the object that is damaged or missing; `FormatTooNew` for a
    /// backup of a later library.
    pub async fn verify(&self, name: &str) -> Result<BackupInfo> {
        let checked = self.checked(name).await;
        let manifest = checked.map_err(|error| self.named(error, "verify backup", Some(name)))?;
        Ok(manifest.info())
    }

    /// The manifest of a backup that is whole.
    pub(super) async fn checked(&self, name: &str) -> Result<Manifest> {
        let manifest = self.manifest(name).await?;
        for entry in &manifest.collections {
            let mut last: Option<DocumentId> = None;
            let mut documents = 0;
            for part in &entry.parts {
                for line in self.read_part(part).await? {
                    in_order(part, last.as_ref(), &line)?;
                    last = Some(line.id);
                    documents += 1;
                }
            }
            check_count(name, entry, documents)?;
        }
        if let Some(objects) = &manifest.objects {
            self.check_contents::<ObjectLine>(name, objects).await?;
        }
        if let Some(logs) = &manifest.logs {
            self.check_contents::<LogLine>(name, logs).await?;
        }
        Ok(manifest)
    }

    /// Reads every object, or every log, in a backup.
    async fn check_contents<L>(&self, name: &str, contents: &Contents) -> Result<()>
    where
        L: Described + DeserializeOwned + Send + Sync,
    {
        let (mut last, mut count, mut bytes) = (None::<String>, 0, 0);
        for part in &contents.parts {
            for line in self.read_descriptions::<L>(part).await? {
                if last.is_some_and(|last| last.as_str() >= line.name()) {
                    return Err(Error::corrupt(
                        &part.key,
                        format!("{:?} is out of order", line.name()),
                    ));
                }
                self.check_content(&part.key, line.content()).await?;
                last = Some(line.name().to_owned());
                count += 1;
                bytes += line.content().bytes;
            }
        }
        if (contents.count, contents.bytes) == (count, bytes) {
            return Ok(());
        }
        Err(Error::corrupt(
            name,
            format!(
                "its parts tell of {count} with {bytes} bytes, and the manifest of {} with {}",
                contents.count, contents.bytes
            ),
        ))
    }

    /// The documents of a part that is whole.
    pub(super) async fn read_part(&self, part: &Part) -> Result<Vec<Line>> {
        self.read_lines(part, read_line).await
    }

    /// What a part that is whole tells of objects or logs.
    pub(super) async fn read_descriptions<L: DeserializeOwned + Send>(&self, part: &Part) -> Result<Vec<L>> {
        self.read_lines(part, |line| {
            serde_json::from_str(line)
                .map_err(|error| Error::corrupt("", "it is no line of a backup").with_source(error))
        })
        .await
    }

    async fn read_lines<L: Send>(
        &self,
        part: &Part,
        read: impl Fn(&str) -> Result<L> + Send,
    ) -> Result<Vec<L>> {
        let corrupt = |message: String| Error::corrupt(&part.key, message);
        let bytes = self.read_whole(&part.key, part.bytes, &part.blake3).await?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| corrupt("it is not UTF-8".to_owned()).with_source(error))?;
        let lines: Vec<L> = text
            .lines()
            .enumerate()
            .map(|(at, line)| {
                read(line).map_err(|error| corrupt(format!("line {}: {}", at + 1, error.message())))
            })
            .collect::<Result<_>>()?;
        if lines.len() as u64 == part.documents {
            return Ok(lines);
        }
        Err(corrupt(format!(
            "it has {} lines, and the manifest says {}",
            lines.len(),
            part.documents
        )))
    }
}

impl Backups {
    /// An object of a backup, compared with what is known about it.
    pub(super) async fn read_whole(&self, key: &str, bytes: u64, blake3: &str) -> Result<Bytes> {
        let Some(found) = self.place.objects().read(key).await? else {
            return Err(Error::corrupt(key, "this part of the backup is missing"));
        };
        if found.len() as u64 != bytes || blake3::hash(&found).to_hex().as_str() != blake3 {
            let message = "this part of the backup was changed since it was written";
            return Err(Error::corrupt(key, message));
        }
        Ok(found)
    }
}

/// A restore goes through the documents in the order of their ids.
fn in_order(part: &Part, last: Option<&DocumentId>, line: &Line) -> Result<()> {
    if last.is_none_or(|last| *last < line.id) {
        return Ok(());
    }
    Err(Error::corrupt(
        &part.key,
        format!("document {:?} is out of order", line.id.as_str()),
    ))
}

fn check_count(name: &str, entry: &CollectionEntry, documents: u64) -> Result<()> {
    if entry.documents == documents {
        return Ok(());
    }
    Err(Error::corrupt(
        name,
        format!(
            "collection {:?} has {documents} documents in its parts, and the manifest says {}",
            entry.name, entry.documents
        ),
    ))
}
