use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use storage_core::{
    Area, Condition, DeleteRequest, Key, ListEntry, ListRequest, ReadRequest, Result, StorageBackend,
    Version, WriteRequest,
};
use storage_fs::{FsBackend, FsConfig};
use tempfile::TempDir;

/// Every way a backend can be configured that its promises must not depend on. Unsynced: what survives a crash is not what these
/// tests look at.
pub(crate) fn config(root: &Path) -> FsConfig {
    FsConfig::new(root).durability(storage_core::Durability::ProcessCrash)
}

pub(crate) async fn open(root: &Path) -> Arc<FsBackend> {
    Arc::new(FsBackend::open(config(root)).await.unwrap())
}

pub(crate) async fn fresh() -> (TempDir, Arc<FsBackend>) {
    let root = TempDir::new().unwrap();
    let backend = open(root.path()).await;
    (root, backend)
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) async fn put(backend: &FsBackend, name: &str, bytes: impl Into<Bytes>) -> Version {
    backend
        .write(Area::Objects, &key(name), bytes.into(), WriteRequest::default())
        .await
        .unwrap()
}

pub(crate) async fn put_when(
    backend: &FsBackend,
    name: &str,
    bytes: &str,
    condition: Condition,
) -> Result<Version> {
    backend
        .write(
            Area::Objects,
            &key(name),
            Bytes::from(bytes.to_owned()),
            WriteRequest::when(condition),
        )
        .await
}

pub(crate) async fn bytes(backend: &FsBackend, name: &str) -> Option<Bytes> {
    backend
        .read(Area::Objects, &key(name), ReadRequest::default())
        .await
        .unwrap()
        .map(|object| object.bytes)
}

pub(crate) async fn version(backend: &FsBackend, name: &str) -> Option<Version> {
    backend
        .stat(Area::Objects, &key(name))
        .await
        .unwrap()
        .map(|meta| meta.version)
}

pub(crate) async fn remove(backend: &FsBackend, name: &str) {
    backend
        .delete(Area::Objects, &key(name), DeleteRequest::default())
        .await
        .unwrap();
}

/// All pages of a listing.
pub(crate) async fn names(backend: &FsBackend, mut request: ListRequest) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = backend.list(Area::Objects, request.clone()).await.unwrap();
        names.extend(page.entries.iter().map(ListEntry::name).map(str::to_owned));
        match page.next {
            Some(next) => request.start_after = Some(next),
            None => return names,
        }
    }
}

pub(crate) async fn all(backend: &FsBackend) -> Vec<String> {
    names(backend, ListRequest::new("")).await
}

/// Has every directory look as if nothing came or went in it for a long time.
pub(crate) fn settle(root: &Path) {
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60 * 60);
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
        let directory = std::fs::File::open(directory).unwrap();
        directory.set_modified(long_ago).unwrap();
    }
}

/// Every file under a directory, as paths from it, sorted; what is ours left out.
pub(crate) fn tree(root: &Path) -> Vec<String> {
    fn visit(directory: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name == ".storage" {
                continue;
            }
            if path.is_dir() {
                visit(&path, root, found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    visit(root, root, &mut found);
    found.sort();
    found
}

/// How many temporaries there are.
pub(crate) fn temporaries(root: &Path) -> usize {
    std::fs::read_dir(root.join(".storage/staging")).unwrap().count()
}
