use std::collections::HashSet;
use std::sync::Arc;

use storage_core::{Condition, ErrorKind};
use storage_fs::{FsBackend, VersionKeeping};
use tempfile::TempDir;

use super::support::*;

const KEEPINGS: [VersionKeeping; 2] = [VersionKeeping::Attribute, VersionKeeping::ModificationTime];

async fn opened(keeping: VersionKeeping) -> (TempDir, Arc<FsBackend>) {
    let root = TempDir::new().unwrap();
    let backend = FsBackend::open(config(root.path()).versions(keeping))
        .await
        .unwrap();
    (root, Arc::new(backend))
}

#[tokio::test]
async fn no_two_writes_share_a_version() {
    for keeping in KEEPINGS {
        let (_root, backend) = opened(keeping).await;
        let mut seen = HashSet::new();
        for round in 0..500 {
            let version = put(&backend, "same.txt", "same").await;
            assert!(seen.insert(version), "{keeping:?} in round {round}");
        }
    }
}

#[tokio::test]
async fn the_version_of_a_write_is_what_others_and_a_reopen_see() {
    for keeping in KEEPINGS {
        let (root, backend) = opened(keeping).await;
        let version_written = put(&backend, "a.txt", "x").await;
        assert_eq!(
            version(&backend, "a.txt").await.unwrap(),
            version_written,
            "{keeping:?}"
        );
        assert_eq!(
            version(&*open(root.path()).await, "a.txt").await.unwrap(),
            version_written,
            "{keeping:?}"
        );
    }
}

#[tokio::test]
async fn a_foreign_edit_shows_as_a_new_version() {
    for keeping in KEEPINGS {
        let (root, backend) = opened(keeping).await;
        let ours = put(&backend, "a.txt", "one").await;
        std::fs::write(root.path().join("a.txt"), "two").unwrap();
        let theirs = version(&backend, "a.txt").await.unwrap();
        assert_ne!(theirs, ours, "{keeping:?}");
        let lost = put_when(&backend, "a.txt", "three", Condition::IfVersion(ours))
            .await
            .unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::PreconditionFailed, "{keeping:?}");
        assert_eq!(bytes(&backend, "a.txt").await.unwrap(), "two");
        put_when(&backend, "a.txt", "three", Condition::IfVersion(theirs))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_file_of_others_has_a_version_to_swap_on() {
    for keeping in KEEPINGS {
        let (root, backend) = opened(keeping).await;
        std::fs::write(root.path().join("theirs.txt"), "one").unwrap();
        let seen = version(&backend, "theirs.txt").await.unwrap();
        assert_eq!(
            version(&backend, "theirs.txt").await.unwrap(),
            seen,
            "stable while nobody touches it"
        );
        put_when(&backend, "theirs.txt", "two", Condition::IfVersion(seen.clone()))
            .await
            .unwrap();
        let lost = put_when(&backend, "theirs.txt", "three", Condition::IfVersion(seen))
            .await
            .unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::PreconditionFailed, "{keeping:?}");
    }
}

#[tokio::test]
async fn how_versions_are_kept_is_decided_once() {
    let (root, _backend) = opened(VersionKeeping::ModificationTime).await;
    let error = FsBackend::open(config(root.path()).versions(VersionKeeping::Attribute))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    FsBackend::open(config(root.path())).await.unwrap();
}
