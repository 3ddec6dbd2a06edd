//! The stores of executions, key-value entries and versioned files, each judged by its own rules.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::TryStreamExt;
use storage_core::bson::Document;
use storage_core::{Error, ErrorKind, Query, Storage};
use storage_stores::collections::Files;
use storage_stores::executions::{ExecutionOptions, Executions, Listing};
use storage_stores::kv::{Access, Kv, KvOptions};

use super::{Finding, Report};
use crate::failure::Result;

/// So many lines of output are read at once.
const LINES: usize = 1000;

/// Where `--repair` puts files' contents that are not what their names say.
const QUARANTINE: &str = "quarantine/";

impl Report {
    /// Programs, executions and their output. A collection of such a name none of whose documents is one is somebody else's.
    pub(super) async fn look_at_executions(&mut self, storage: &Storage) -> Result<()> {
        let store = Executions::new(storage.clone(), ExecutionOptions::new());
        let (programs, executions) = (store.list_programs().await?, store.list_executions().await?);
        if programs.items.is_empty() && executions.items.is_empty() {
            return Ok(());
        }
        self.stores.push("executions".to_owned());
        self.add_unreadable("programs", &programs);
        self.add_unreadable("executions", &executions);
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

    /// Every value of every namespace that can be read without a key. Nothing is cleaned up.
    pub(super) async fn look_at_kv(&mut self, storage: &Storage) -> Result<()> {
        let collections = storage.collections().await?;
        let namespaces = collections
            .iter()
            .filter_map(|name| name.as_str().strip_prefix("kv."));
        for namespace in namespaces {
            let options = KvOptions::new()
                .namespace(namespace)
                .access(Access::ReadOnly)
                .cleanup_interval(Duration::ZERO);
            let kv = match Kv::open(storage.clone(), options).await {
                Ok(kv) => kv,
                Err(error) if error.kind() == ErrorKind::Unauthenticated => {
                    self.stores.push(format!(
                        "kv {namespace}, encrypted: its values were not read; `storage kv verify` does, with the key"
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
            for problem in kv.verify().await?.problems {
                let entry = format!("{namespace}/{}", problem.key);
                self.damaged.push(Finding::new("kv", entry, problem.problem));
            }
        }
        Ok(())
    }

    /// The files of every project, with every content a version names. A content that is not what its name says goes to quarantine, so
    /// that the right bytes can be stored under it.
    pub(super) async fn look_at_files(&mut self, storage: &Storage, repair: bool) -> Result<()> {
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
                let read = async {
                    let mut reader = files.read(&document.id, version.number).await?;
                    while reader.try_next().await?.is_some() {}
                    Ok::<_, Error>(())
                };
                match read.await {
                    Err(error) if is_damage(&error) => {
                        let key = error.key().unwrap_or(&version.hash).to_owned();
                        self.add_once(Finding::new("files", key.as_str(), error.message()));
                        if repair && set_aside(storage, &key).await? {
                            self.repaired += 1;
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

/// Copies what is there into quarantine and then deletes exactly that where it was; `false` where it is gone, cannot be read, or changed.
/// Where the storage cannot delete exactly what was looked at, it stays where it was too.
async fn set_aside(storage: &Storage, key: &str) -> storage_core::Result<bool> {
    let objects = storage.objects();
    let request = storage_core::ReadRequest::default();
    let object = match objects.read_with(key, request).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(false),
        Err(error) if is_damage(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    // Named by its state, so that another one found there later does not replace it.
    let aside = format!("{QUARANTINE}{key}/{}", object.meta.version);
    objects.write(&aside, object.bytes).await?;
    match objects.delete_if(key, object.meta.version).await {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::PreconditionFailed | ErrorKind::Unsupported
            ) =>
        {
            Err(error)
        }
        _ => Ok(true),
    }
}
