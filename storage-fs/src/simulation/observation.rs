//! What a storage shows: everything a program of ours can read of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use storage_core::{
    Area, Comparison, FieldPath, Filter, FindRequest, ListEntry, ListRequest, ReadRequest, Result,
    StorageAdapter, StorageBackend,
};

use super::operation::{NOW, collection, id, key, log};
use crate::Fs;

/// All that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Bytes and version by key.
    pub(crate) objects: BTreeMap<String, (String, String)>,
    /// Body and version by id.
    documents: BTreeMap<String, (String, String)>,
    /// Those that answer queries.
    indexes: Vec<String>,
    /// Incarnation, entries, and whether it is closed.
    logs: BTreeMap<String, (String, Vec<String>, bool)>,
}

/// An observation, and what is only a trace of the crash.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    pub(crate) shown: Observation,
    pub(crate) torn: bool,
}

/// Everything operations change, each of which is there or not by itself.
pub(crate) const PARTS: [&str; 8] = [
    "object a",
    "object a/b",
    "object a/c",
    "object n/e/w.txt",
    "document x",
    "document y",
    "index by_step",
    "log events",
];

impl Observation {
    /// What is shown of one of the [`PARTS`].
    pub(crate) fn part(&self, part: &str) -> Option<String> {
        let (kind, name) = part.split_once(' ').unwrap_or_default();
        match kind {
            "object" => self.objects.get(name).map(|object| format!("{object:?}")),
            "document" => self.documents.get(name).map(|document| format!("{document:?}")),
            "index" => self.indexes.iter().any(|index| index == name).then(String::new),
            "log" => self.logs.get(name).map(|log| format!("{log:?}")),
            _ => panic!("{part} is no part"),
        }
    }

    /// Without what is random.
    pub(crate) fn without_versions(mut self) -> Self {
        for (_, version) in self.objects.values_mut() {
            version.clear();
        }
        for (_, version) in self.documents.values_mut() {
            version.clear();
        }
        for (incarnation, ..) in self.logs.values_mut() {
            incarnation.clear();
        }
        self
    }
}

/// Reads everything.
///
/// # Errors
/// What does not fit together, in words: every way to read the same thing must give the same.
pub(crate) async fn observe(fs: &Fs) -> Result<Observed, String> {
    let mut observed = Observed {
        shown: Observation::default(),
        torn: false,
    };
    objects(fs, &mut observed.shown)
        .await
        .map_err(told("objects"))??;
    documents(fs, &mut observed.shown)
        .await
        .map_err(told("documents"))??;
    logs(fs, &mut observed).await.map_err(told("logs"))?;
    Ok(observed)
}

fn told(what: &'static str) -> impl Fn(storage_core::Error) -> String {
    move |error| format!("{what} cannot be read: {error:?}")
}

async fn objects(fs: &Fs, shown: &mut Observation) -> Result<Result<(), String>> {
    let mut request = ListRequest::new("");
    request.with_meta = true;
    for entry in fs.list(Area::Objects, request).await?.entries {
        let ListEntry::Object(key, listed) = entry else {
            continue;
        };
        let read = fs.read(Area::Objects, &key, ReadRequest::default()).await?;
        let stat = fs.stat(Area::Objects, &key).await?;
        let Some(read) = read else {
            return Ok(Err(format!("{key} is listed and not there")));
        };
        if listed.as_ref() != Some(&read.meta) || stat.as_ref() != Some(&read.meta) {
            return Ok(Err(format!("{key} is listed and looked at as another")));
        }
        let bytes = String::from_utf8_lossy(&read.bytes).into_owned();
        shown
            .objects
            .insert(key.as_str().to_owned(), (bytes, read.meta.version.to_string()));
    }
    for name in ["a", "a/b", "a/c", "n/e/w.txt"] {
        let there = fs.stat(Area::Objects, &key(name)).await?.is_some();
        if there != shown.objects.contains_key(name) {
            return Ok(Err(format!("{name} is there and not listed")));
        }
    }
    Ok(Ok(()))
}

async fn documents(fs: &Fs, shown: &mut Observation) -> Result<Result<(), String>> {
    for name in ["x", "y"] {
        if let Some(document) = fs.get(&collection(), &id(name), NOW).await? {
            let body = format!("{:?}", document.body);
            shown
                .documents
                .insert(name.to_owned(), (body, document.version.to_string()));
        }
    }
    let ids: BTreeSet<&str> = shown.documents.keys().map(String::as_str).collect();
    let all = Filter::Compare {
        field: FieldPath::from("step"),
        comparison: Comparison::Ge,
        value: 0_i64.into(),
    };
    let mut ways = vec![true];
    for info in fs.indexes(&collection()).await? {
        if info.ready {
            shown.indexes.push(info.index.name);
            ways.push(false);
        }
    }
    for allow_scan in ways {
        let mut request = FindRequest::new(all.clone(), Vec::new(), NOW);
        request.allow_scan = allow_scan;
        let page = fs.find(&collection(), request).await?;
        if let Some(error) = page.unreadable.into_iter().next() {
            return Err(error);
        }
        let found: BTreeSet<&str> = page.documents.iter().map(|found| found.id.as_str()).collect();
        if found != ids {
            return Ok(Err(format!(
                "a query (scanning: {allow_scan}) finds {found:?} where there are {ids:?}"
            )));
        }
    }
    Ok(Ok(()))
}

async fn logs(fs: &Fs, observed: &mut Observed) -> Result<()> {
    for name in fs.logs(None, 10).await? {
        let page = fs.read_log(&name, 0, 100).await?;
        let end = fs.read_log(&name, page.end, 100).await?;
        observed.torn |= page.torn_bytes > 0 || end.torn_bytes > 0;
        let entries = page
            .entries
            .iter()
            .map(|entry| format!("{} {}", entry.sequence, String::from_utf8_lossy(&entry.bytes)))
            .collect();
        let incarnation = page.incarnation.map(|incarnation| incarnation.to_string());
        observed.shown.logs.insert(
            name.as_str().to_owned(),
            (incarnation.unwrap_or_default(), entries, page.closed),
        );
    }
    debug_assert!(observed.shown.logs.keys().all(|name| name == log().as_str()));
    Ok(())
}

/// What stands in the directory of temporaries of a root.
pub(crate) fn temporaries(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root.join(".storage/staging")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
