//! Reading everything to see whether it can be read.

use futures::TryStreamExt;
use serde::Serialize;
use storage_core::bson::RawDocumentBuf;
use storage_core::{Document, ErrorKind, ListEntry, Query, ReadRequest, Result};

use super::entry::{Entry, Found};
use super::names;
use super::store::Kv;
use crate::quarantine::{QUARANTINE, Repair, document_aside, object_aside};

const OPERATION: &str = "quarantine value";

/// What [`Kv::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Values that are as they were written, backups included.
    pub sound: u64,
    /// What cannot be read, or is not what was written.
    pub problems: Vec<Problem>,
    /// How much of it went to quarantine.
    pub quarantined: u64,
}

/// One entry that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// Its key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

impl Kv {
    /// Reads every value, backups and expired ones included, and compares it with what was written. Changes nothing.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium.
    pub async fn verify(&self) -> Result<VerifyReport> {
        self.verify_with(Repair::Nothing).await
    }

    /// The same, and moves what is damaged to [quarantine](crate::quarantine) where asked to. The object of a value goes, and reading the
    /// entry is `Corrupt` until it is written anew; an entry whose value is damaged in its document goes whole, with copies of its objects,
    /// and is then not there. What is encrypted under another key, or in a newer format, is not damaged and stays, as does an entry with a
    /// [data key](super::KvOptions::data_keys), which would go with it.
    ///
    /// # Errors
    /// `PermissionDenied`; those of the medium; what went to quarantine stays there.
    pub async fn verify_with(&self, repair: Repair) -> Result<VerifyReport> {
        self.access
            .require_reads()
            .map_err(|error| self.named(error, "verify key-value store", ""))?;
        if repair == Repair::Quarantine {
            self.admit_writes(OPERATION, "")?;
        }
        self.store_waiting().await?;
        let mut report = VerifyReport::default();
        let mut documents = self.entries().find(Query::all()).await?;
        loop {
            let document = match documents.next().await {
                Ok(Some(document)) => document,
                Ok(None) => return Ok(report),
                Err(error)
                    if error.kind() == ErrorKind::Corrupt && error.context_value("document").is_some() =>
                {
                    let key = error.context_value("document").unwrap_or_default().to_owned();
                    report.note(&key, &error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let key = document.id.as_str().to_owned();
            match Entry::read(&key, &document.value) {
                Ok(entry) => {
                    let found = Found {
                        key,
                        version: document.version.clone(),
                        entry,
                    };
                    let goes = self.verify_entry(&found, repair, &mut report).await?;
                    if goes && found.entry.data_keys().next().is_none() {
                        let charged = found.entry.charge(&found.key);
                        if self.entry_aside(document).await? {
                            self.shared.ledger.release(charged, 1);
                            report.quarantined += 1;
                        }
                    }
                }
                Err(error) => {
                    report.note(&key, &error);
                    if repair == Repair::Quarantine && error.kind() == ErrorKind::Corrupt {
                        report.quarantined += u64::from(self.entry_aside(document).await?);
                    }
                }
            }
        }
    }

    /// Whether the entry is to go to quarantine whole.
    async fn verify_entry(&self, found: &Found, repair: Repair, report: &mut VerifyReport) -> Result<bool> {
        let mut goes = false;
        for (at, value) in found.entry.values().enumerate() {
            match self.bytes_of(found, value).await {
                Ok(Some(_)) => report.sound += 1,
                // It was replaced meanwhile.
                Ok(None) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Corrupt
                            | ErrorKind::FormatTooNew
                            | ErrorKind::LimitExceeded
                            | ErrorKind::NotFound
                            | ErrorKind::Unauthenticated
                    ) =>
                {
                    report.note(&found.key, &error);
                    // What was stored before everything had to be encrypted is refused, and as it was written.
                    let damaged = error.kind() == ErrorKind::Corrupt
                        && self
                            .plain_of(found, value)
                            .await
                            .is_err_and(|error| error.kind() == ErrorKind::Corrupt);
                    if repair == Repair::Nothing || !damaged {
                        continue;
                    }
                    match &value.object {
                        Some(object) => {
                            report.quarantined += u64::from(self.value_aside(found, object).await?)
                        }
                        // A backup is no reason to take away the value itself.
                        None => goes |= at == 0 && found.entry.value.is_some(),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(goes)
    }

    /// Moves the object of a value to quarantine. It has a name of its own, under which nothing else is ever written.
    async fn value_aside(&self, found: &Found, object: &str) -> Result<bool> {
        Box::pin(self.recorded("quarantine", &found.key, async {
            match self.objects().read_with(object, ReadRequest::default()).await {
                Ok(Some(read)) => object_aside(self.storage(), object, read).await,
                Ok(None) => Ok(false),
                // A layer below knows it for damaged, and gives none of it.
                Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
                Err(error) => Err(error),
            }
        }))
        .await
    }

    /// Moves an entry to quarantine: copies of its objects first, which nobody names once the document is gone and the next cleanup takes.
    async fn entry_aside(&self, document: Document<RawDocumentBuf>) -> Result<bool> {
        let key = document.id.as_str().to_owned();
        Box::pin(self.recorded("quarantine", &key, async {
            let mut objects = self.objects().list(names::objects_of(self.namespace(), &key));
            while let Some(entry) = objects.try_next().await? {
                let ListEntry::Object(object, _) = entry else {
                    continue;
                };
                match self.objects().read(object.as_str()).await {
                    Ok(Some(bytes)) => drop(
                        self.objects()
                            .write(format!("{QUARANTINE}{object}"), bytes)
                            .await?,
                    ),
                    Ok(None) => {}
                    // The next cleanup would take what cannot be copied.
                    Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            let writing = self.shared.memory.writing(&key);
            let moved = document_aside(self.storage(), &self.entries(), document).await?;
            if moved {
                writing.deleted();
            }
            Ok(moved)
        }))
        .await
    }
}

impl VerifyReport {
    fn note(&mut self, key: &str, error: &storage_core::Error) {
        self.problems.push(Problem {
            key: key.to_owned(),
            problem: error.message().to_owned(),
        });
    }
}
