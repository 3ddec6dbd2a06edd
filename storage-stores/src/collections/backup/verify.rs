//! Reading a backup again, every byte of it.

use storage_core::{DocumentId, Error, Result};

use super::manifest::{CollectionEntry, Manifest, Part};
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
        Ok(manifest)
    }

    /// The documents of a part that is whole.
    pub(super) async fn read_part(&self, part: &Part) -> Result<Vec<Line>> {
        let corrupt = |message: String| Error::corrupt(&part.key, message);
        let Some(bytes) = self.place.objects().read(&part.key).await? else {
            return Err(corrupt("this part of the backup is missing".to_owned()));
        };
        if bytes.len() as u64 != part.bytes || blake3::hash(&bytes).to_hex().as_str() != part.blake3 {
            return Err(corrupt(
                "this part of the backup was changed since it was written".to_owned(),
            ));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| corrupt("it is not UTF-8".to_owned()).with_source(error))?;
        let lines: Vec<Line> = text
            .lines()
            .enumerate()
            .map(|(at, line)| {
                read_line(line).map_err(|error| corrupt(format!("line {}: {}", at + 1, error.message())))
            })
            .collect::<Result<_>>()?;
        if lines.len() as u64 == part.documents {
            return Ok(lines);
        }
        Err(corrupt(format!(
            "it has {} documents, and the manifest says {}",
            lines.len(),
            part.documents
        )))
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
