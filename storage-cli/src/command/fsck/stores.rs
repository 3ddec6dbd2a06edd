//! The stores of executions, key-value entries and versioned files, each judged by its own rules.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::TryStreamExt;
use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::{Error, ErrorKind, Query, ReadRequest, Storage};
use storage_stores::collections::Files;
use storage_stores::executions::{ExecutionOptions, Executions, Listing};
use storage_stores::kv::{Access, Kv, KvOptions};
use storage_stores::quarantine::{Repair, document_aside, object_aside};

use super::{Finding, Report};
use crate::failure::Result;

/// So many lines of output are read at once.
const LINES: usize = 1000;

impl Report {
    /// Programs, executions and their output. A collection of such a name none of whose documents is one is somebody else's.
    pub(super) async fn look_at_executions(&mut self, storage: &Storage, repair: Repair) -> Result<()> {
        let store = Executions::new(storage.clone(), ExecutionOptions::new());
        let (programs, executions) = (store.list_programs().await?, store.list_executions().await?);
        if programs.items.is_empty() && executions.items.is_empty() {
            return Ok(());
        }
        self.stores.push("executions".to_owned());
        self.add_unreadable("programs", &programs);
        self.add_unreadable("executions", &executions);
        if repair == Repair::Quarantine {
            for error in &programs.unreadable {
                let is_damaged =
                    async |id: &str| store.get_program(id).await.is_err_and(|error| is_damage(&error));
                self.document_aside(storage, "programs", error, is_damaged)
                    .await?;
            }
            for error in &executions.unreadable {
                let is_damaged = async |id: &str| {
                    store
                        .get_execution(id)
                        .await
                        .is_err_and(|error| is_damage(&error))
                };
                self.document_aside(storage, "executions", error, is_damaged)
                    .await?;
            }
        }
        for execution in &executions.items {
            let mut from = 0;
            loop {
                match store.read_output(&execution.id, from, LINES).await {
                    Ok(page) if page.lines.is_empty() => break,
                    Ok(page) => from = page.next,
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        let entry = format!("output of {}", execution.id);
                        self.damaged
                            .push(Finding::new("executions", entry, error.message()));
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Moves a document to quarantine that its store cannot read. One that the medium cannot read stays: none of it could be moved.
    async fn document_aside(
        &mut self,
        storage: &Storage,
        collection: &str,
        error: &Error,
        is_damaged: impl AsyncFn(&str) -> bool,
    ) -> Result<()> {
        let key = error.key().unwrap_or_default();
        let Some(id) = key.strip_prefix(collection).and_then(|id| id.strip_prefix('/')) else {
            return Ok(());
        };
        let documents = storage.collection::<RawDocumentBuf>(collection);
        match documents.get(id).await {
            // Looked at after it was read: what moves is what was found damaged, or nothing.
            Ok(Some(document)) if error.kind() == ErrorKind::Corrupt && is_damaged(id).await => {
                self.repaired += u64::from(document_aside(storage, &documents, document).await?);
                Ok(())
            }
            Err(error) if !is_damage(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn add_unreadable<T>(&mut self, collection: &'static str, listing: &Listing<T>) {
        if listing.items.is_empty() {
            return;
        }
        for error in &listing.unreadable {
            self.add_once(Finding::of(collection, collection, error));
        }
    }

    /// What no look at plain documents has found already.
    fn add_once(&mut self, finding: Finding) {
        let is_known = |known: &Finding| {
            let (known, new) = (known.entry.as_str(), finding.entry.as_str());
            known == new || known.ends_with(&format!("/{new}"))
        };
        if !self.damaged.iter().any(is_known) {
            self.damaged.push(finding);
        }
    }

    /// Every value of every namespace; those that are encrypted with the key these options have. Nothing is cleaned up.
    pub(super) async fn look_at_kv(
        &mut self,
        storage: &Storage,
        repair: Repair,
        sealed: &KvOptions,
    ) -> Result<()> {
        let collections = storage.collections().await?;
        let namespaces = collections
            .iter()
            .filter_map(|name| name.as_str().strip_prefix("kv."));
        for namespace in namespaces {
            let access = match repair {
                Repair::Quarantine => Access::ReadWrite,
                _ => Access::ReadOnly,
            };
            let open = async |options: KvOptions| {
                let options = options
                    .namespace(namespace)
                    .access(access)
                    .cleanup_interval(Duration::ZERO);
                Kv::open(storage.clone(), options).await
            };
            let opened = match open(KvOptions::new()).await {
                // Not with the key at once: it would make a plain namespace one whose values ought to be encrypted.
                Err(error) if error.kind() == ErrorKind::Unauthenticated => open(sealed.clone()).await,
                opened => opened,
            };
            let kv = match opened {
                Ok(kv) => kv,
                Err(error) if error.kind() == ErrorKind::Unauthenticated => {
                    self.stores.push(format!(
                        "kv {namespace}, encrypted: its values were not read ({}); KV_STORAGE_ENCRYPTION says where the key is",
                        error.message()
                    ));
                    continue;
                }
                Err(error) if is_damage(&error) => {
                    self.add_once(Finding::of("kv", namespace, &error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.stores.push(format!("kv {namespace}"));
            let found = kv.verify_with(repair).await;
            kv.finish().await?;
            let found = found?;
            self.repaired += found.quarantined;
            for problem in found.problems {
                let entry = format!("{namespace}/{}", problem.key);
                self.damaged.push(Finding::new("kv", entry, problem.problem));
            }
        }
        Ok(())
    }

    /// The files of every project, with every content a version names. A content that is not what its name says goes to quarantine, so
    /// that the right bytes can be stored under it.
    pub(super) async fn look_at_files(&mut self, storage: &Storage, repair: Repair) -> Result<()> {
        let mut found = storage.collection::<Document>("files").find(Query::all()).await?;
        let mut looked_at = BTreeSet::new();
        let mut is_recognised = false;
        loop {
            let document = match found.next().await {
                Ok(Some(document)) => document,
                Ok(None) => return Ok(()),
                // Told where all documents are looked at.
                Err(error) if is_damage(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            let (Ok(project), true) = (
                document.value.get_str("project"),
                document.value.get_array("versions").is_ok(),
            ) else {
                continue;
            };
            if !std::mem::replace(&mut is_recognised, true) {
                self.stores.push("files".to_owned());
            }
            let files = Files::new(storage.clone(), project);
            let versions = match files.versions(&document.id).await {
                Ok(versions) => versions,
                Err(error) if is_damage(&error) => {
                    self.add_once(Finding::new("files", document.id.as_str(), error.message()));
                    continue;
                }
                // Deleted meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            for version in versions {
                if !looked_at.insert(version.hash.clone()) {
                    continue;
                }
                let read = async || {
                    let mut reader = files.read(&document.id, version.number).await?;
                    while reader.try_next().await?.is_some() {}
                    Ok::<_, Error>(())
                };
                match read().await {
                    Err(error) if is_damage(&error) => {
                        let key = error.key().unwrap_or(&version.hash).to_owned();
                        self.add_once(Finding::new("files", key.as_str(), error.message()));
                        if repair == Repair::Nothing {
                            continue;
                        }
                        let object = match storage.objects().read_with(&key, ReadRequest::default()).await {
                            Err(error) if is_damage(&error) => None,
                            read => read?,
                        };
                        // Read again after it: the right bytes may have been stored meanwhile.
                        if let Some(object) = object
                            && read().await.is_err_and(|error| is_damage(&error))
                        {
                            self.repaired += u64::from(object_aside(storage, &key, object).await?);
                        }
                    }
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
        }
    }
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew)
}
