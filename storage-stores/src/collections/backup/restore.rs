//! Making everything as it is in a backup.
//!
//! What is to be restored is written into the state of migrations first, and taken out by the write that makes that state what it was
//! in the backup. So whoever comes after a crash finds the restore and finishes it, and nobody takes what is half restored for data.

use std::collections::BTreeSet;

use serde::Serialize;
use storage_core::bson::RawDocumentBuf;
use storage_core::{Capability, Condition, Document, ErrorKind, Found, Query, Result};

use super::manifest::{CollectionEntry, Manifest};
use super::part::Line;
use super::{Backups, Scope};
use crate::collections::migrations::Task;
use crate::collections::migrations::state::{COLLECTION, Record, Restore};
use crate::collections::migrations::turn::{Documents, Turn, while_kept};
use crate::collections::migrations::write::{Action, PAGE, PAGE_BYTES, Write};

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// What was restored.
    pub backup: String,
    /// The backup of what there was before.
    pub safety: String,
    /// Documents that were not as they are in the backup, or not there.
    pub written: u64,
    /// Documents that are not in the backup.
    pub deleted: u64,
    /// Objects that were not as they are in the backup, or not there.
    pub objects_written: u64,
    /// Objects that are not in the backup.
    pub objects_deleted: u64,
    /// Logs that were not as they are in the backup, or not there.
    pub logs_written: u64,
    /// Logs that are not in the backup.
    pub logs_deleted: u64,
}

impl Backups {
    /// Makes everything exactly what it is in the backup: documents, with their expiry, indexes, objects and logs; what is not in the
    /// backup is deleted. The state of migrations becomes what it was, too. Versions of what is written are new, and what is as it is in
    /// the backup is not written. A backup without objects and logs leaves those alone, and backups are left alone by all.
    ///
    /// The whole backup is verified first, and a backup of the present state is made. What others write meanwhile is undone or stays, as
    /// it happens: let nobody write. A restore that was cut short is finished by the next call of this, of
    /// [`create`](Self::create) or of [`migrate`](crate::collections::Migrations::migrate); restoring another backup takes its place.
    ///
    /// # Errors
    /// `NotFound`, naming the backups there are, and `Corrupt` for a damaged one, before any effect; `Unsupported` for
    /// logs where the backend has none; `Conflict` where somebody writes objects meanwhile; `Timeout` where a migrator is at work for too
    /// long; those of the medium.
    pub async fn restore(&self, name: &str) -> Result<RestoreReport> {
        let (mut turn, mut keep) = Turn::take(&self.storage, &self.options).await?;
        let done = while_kept(&mut keep, self.restore_within(&mut turn, name, None)).await;
        turn.end().await;
        done.map_err(|error| self.named(error, "restore backup", Some(name)))
    }

    /// Restores a backup, after which this migration has failed.
    pub(crate) async fn restore_within(
        &self,
        turn: &mut Turn,
        name: &str,
        failed: Option<Record>,
    ) -> Result<RestoreReport> {
        let manifest = self.checked(name).await?;
        if manifest.logs.is_some_and(|logs| logs.count > 0) {
            self.storage.require(&[Capability::Logs])?;
        }
        let scope = match manifest.objects {
            Some(_) => Scope::Everything,
            None => Scope::Documents,
        };
        let safety = match turn.state().restore.clone() {
            // What is there is half restored; what was there before that is kept already.
            Some(begun) => begun.safety,
            None => self.create_within(turn, None, "before-restore", scope).await?,
        };
        let restore = Restore {
            backup: name.to_owned(),
            safety,
            failed,
        };
        turn.record(|state| state.restore = Some(restore)).await?;
        self.finish_restore(turn).await
    }

    /// Finishes the restore that was begun.
    pub(crate) async fn finish_restore(&self, turn: &mut Turn) -> Result<RestoreReport> {
        let Some(restore) = turn.state().restore.clone() else {
            return Ok(RestoreReport::default());
        };
        let manifest = self.checked(&restore.backup).await.map_err(|error| {
            let safety = &restore.safety;
            error.with_context(
                "what to do",
                format!("restore another backup, such as {safety:?}, which was made right before"),
            )
        })?;
        let mut report = RestoreReport {
            backup: restore.backup,
            safety: restore.safety,
            ..RestoreReport::default()
        };
        // Before the documents, which refer to them.
        if let Some(objects) = &manifest.objects {
            self.restore_objects(turn, &manifest.name, objects, &mut report)
                .await?;
        }
        if let Some(logs) = &manifest.logs {
            self.restore_logs(turn, &manifest.name, logs, &mut report).await?;
        }
        let present = self.storage.collections().await?;
        let mut names: BTreeSet<&str> = present.iter().map(storage_core::Name::as_str).collect();
        names.extend(manifest.collections.iter().map(|entry| entry.name.as_str()));
        names.remove(COLLECTION);
        for name in names {
            self.collection(turn, &manifest, name, &mut report).await?;
        }
        let state = match restore.failed {
            Some(failed) => {
                let mut state = manifest.state.unwrap_or_default();
                state.put(failed);
                Some(state)
            }
            None => manifest.state,
        };
        turn.replace_state(state).await?;
        Ok(report)
    }

    async fn collection(
        &self,
        turn: &mut Turn,
        manifest: &Manifest,
        name: &str,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let documents: Documents = self.storage.collection(name);
        let entry = manifest.collection(name);
        let wanted = entry.map_or(&[][..], |entry| &entry.indexes);
        for index in self.indexes(&documents).await? {
            if !wanted.contains(&index) {
                turn.check_held()?;
                documents.drop_index(&index.name).await?;
            }
        }
        match self
            .documents(turn, &documents, &manifest.name, entry, report)
            .await
        {
            // Values are exchanged between documents: on the way there, two would have the same.
            Err(error) if error.kind() == ErrorKind::UniqueViolation => {
                for index in wanted.iter().filter(|index| index.unique) {
                    turn.check_held()?;
                    documents.drop_index(&index.name).await?;
                }
                self.documents(turn, &documents, &manifest.name, entry, report)
                    .await?;
            }
            done => done?,
        }
        for index in wanted {
            turn.check_held()?;
            documents.ensure_index(index.clone()).await?;
        }
        Ok(())
    }

    /// Goes through what is there and what is to be there side by side, both in the order of ids.
    async fn documents(
        &self,
        turn: &mut Turn,
        documents: &Documents,
        backup: &str,
        entry: Option<&CollectionEntry>,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let mut difference = Difference {
            found: documents.find(Query::all()).await?,
            present: None,
            writes: Vec::new(),
            bytes: 0,
        };
        difference.advance().await?;
        let task = Task::Restore(backup.to_owned());
        let total = entry.map_or(0, |entry| entry.documents);
        let mut done = 0;
        for part in entry.into_iter().flat_map(|entry| &entry.parts) {
            for line in self.read_part(part).await? {
                difference.meet(line).await?;
                done += 1;
                if difference.is_full() {
                    difference.write(turn, documents, report).await?;
                    self.options.tell(&task, documents.name(), done, total);
                }
            }
        }
        while difference.present.is_some() {
            difference.delete_present().await?;
            if difference.is_full() {
                difference.write(turn, documents, report).await?;
            }
        }
        difference.write(turn, documents, report).await?;
        self.options.tell(&task, documents.name(), done, total);
        Ok(())
    }
}

/// What has to be written to make one side the other.
struct Difference {
    found: Found<RawDocumentBuf>,
    /// The next document that is there.
    present: Option<Document<RawDocumentBuf>>,
    writes: Vec<Write>,
    bytes: usize,
}

impl Difference {
    async fn advance(&mut self) -> Result<()> {
        self.present = self.found.next().await?;
        Ok(())
    }

    /// A document that is to be there, after all those before it.
    async fn meet(&mut self, line: Line) -> Result<()> {
        while self.present.as_ref().is_some_and(|present| present.id < line.id) {
            self.delete_present().await?;
        }
        if let Some(present) = self.present.take_if(|present| present.id == line.id) {
            self.advance().await?;
            if present.value == line.body && present.expires_at == line.expires_at {
                return Ok(());
            }
        }
        self.push(Write {
            id: line.id,
            action: Action::Put {
                body: line.body,
                expires_at: line.expires_at,
                condition: Condition::Always,
            },
        });
        Ok(())
    }

    async fn delete_present(&mut self) -> Result<()> {
        if let Some(present) = self.present.take() {
            self.push(Write {
                id: present.id,
                action: Action::Delete,
            });
        }
        self.advance().await
    }

    fn push(&mut self, write: Write) {
        self.bytes += write.size();
        self.writes.push(write);
    }

    const fn is_full(&self) -> bool {
        self.writes.len() >= PAGE || self.bytes >= PAGE_BYTES
    }

    async fn write(
        &mut self,
        turn: &mut Turn,
        documents: &Documents,
        report: &mut RestoreReport,
    ) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let writes = std::mem::take(&mut self.writes);
        self.bytes = 0;
        let deleted = writes
            .iter()
            .filter(|write| matches!(write.action, Action::Delete))
            .count() as u64;
        let written = writes.len() as u64 - deleted;
        turn.write(documents, writes, |_| {}).await?;
        report.deleted += deleted;
        report.written += written;
        Ok(())
    }
}
