use std::collections::HashSet;

use storage_core::{Area, Durability, ErrorKind, ListRequest, ReadRequest, StorageBackend, WriteRequest};
use storage_fs::{FsBackend, FsConfig};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::support::*;

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let root = TempDir::new().unwrap();
    std::fs::create_dir(root.path().join(".storage")).unwrap();
    let file = root.path().join(".storage/format.json");
    std::fs::write(&file, r#"{"format":2,"anything":"else"}"#).unwrap();
    let error = FsBackend::open(config(root.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FormatTooNew);
    let left: Vec<_> = std::fs::read_dir(root.path().join(".storage"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["format.json"], "nothing was created");
    std::fs::write(&file, "{").unwrap();
    assert_eq!(
        FsBackend::open(config(root.path())).await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_opened_by_many_at_once_is_one_root() {
    for _ in 0..10 {
        let root = TempDir::new().unwrap();
        let mut opens = JoinSet::new();
        for _ in 0..8 {
            opens.spawn(FsBackend::open(config(&root.path().join("a/b"))));
        }
        let backends: Vec<FsBackend> = opens.join_all().await.into_iter().map(Result::unwrap).collect();
        put(&backends[0], "a.txt", "x").await;
        let mut versions = HashSet::new();
        for backend in &backends {
            backend.health().await.unwrap();
            versions.insert(version(backend, "a.txt").await.unwrap());
        }
        assert_eq!(versions.len(), 1);
    }
}

#[tokio::test]
async fn a_root_that_cannot_be_one_is_refused_clearly() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = FsBackend::open(config(&path)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }
    let error = FsBackend::open(config(&root.path().join("missing")).create(false))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!root.path().join("missing").exists());
    let error = FsBackend::open(FsConfig::new(root.path().join("new")).durability(Durability::Replicated))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!root.path().join("new").exists());
}

#[tokio::test]
async fn a_root_that_was_removed_is_an_error_and_never_empty() {
    let (root, backend) = fresh().await;
    put(&backend, "a.txt", "x").await;
    std::fs::remove_dir_all(root.path()).unwrap();
    let kinds = [
        backend
            .list(Area::Objects, ListRequest::new(""))
            .await
            .unwrap_err()
            .kind(),
        backend
            .list(Area::Objects, ListRequest::new("deep/down/"))
            .await
            .unwrap_err()
            .kind(),
        backend
            .read(Area::Objects, &key("a.txt"), ReadRequest::default())
            .await
            .unwrap_err()
            .kind(),
        backend
            .stat(Area::Objects, &key("a.txt"))
            .await
            .unwrap_err()
            .kind(),
        backend.health().await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Unavailable; 5]);
    assert!(
        backend
            .write(Area::Objects, &key("a.txt"), "x".into(), WriteRequest::default())
            .await
            .is_err()
    );
    assert!(!root.path().exists(), "nothing was created anew");
}

#[tokio::test]
async fn another_root_in_its_place_is_not_healthy() {
    let above = TempDir::new().unwrap();
    let path = above.path().join("root");
    let backend = open(&path).await;
    std::fs::rename(&path, above.path().join("moved")).unwrap();
    open(&path).await;
    assert_eq!(backend.health().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_closed_backend_refuses_everything() {
    let (_root, backend) = fresh().await;
    backend.close().await.unwrap();
    assert_eq!(
        backend.stat(Area::Objects, &key("a")).await.unwrap_err().kind(),
        ErrorKind::Closed
    );
}
