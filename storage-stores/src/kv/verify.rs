//! Reading everything to see whether it can be read.

use serde::Serialize;
use storage_core::{ErrorKind, Query, Result};

use super::entry::{Entry, Found};
use super::store::Kv;

/// What [`Kv::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Values that are as they were written, backups included.
    pub sound: u64,
    /// What cannot be read, or is not what was written. Nothing was changed.
    pub problems: Vec<Problem>,
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
        self.access
            .require_reads()
            .map_err(|error| self.named(error, "verify key-value store", ""))?;
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
                        version: document.version,
                        entry,
                    };
                    self.verify_entry(&found, &mut report).await?;
                }
                Err(error) => report.note(&key, &error),
            }
        }
    }

    async fn verify_entry(&self, found: &Found, report: &mut VerifyReport) -> Result<()> {
        for value in found.entry.values() {
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
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
