use std::os::unix::fs::symlink;
use std::sync::Arc;

use storage_core::{Area, DeleteRequest, ErrorKind, ListRequest, ReadRequest, StorageBackend, WriteRequest};
use storage_fs::{Confinement, FsBackend};
use tempfile::TempDir;

use super::support::*;

const WAYS: [Confinement; 2] = [Confinement::Kernel, Confinement::Steps];

async fn opened(way: Confinement) -> (TempDir, TempDir, Arc<FsBackend>) {
    let (root, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let backend = FsBackend::open(config(&root.path().join("root")).confinement(way))
        .await
        .unwrap();
    (root, outside, Arc::new(backend))
}

#[tokio::test]
async fn no_key_leaves_the_root() {
    for way in WAYS {
        let (root, _, backend) = opened(way).await;
        for name in [
            "../escaped",
            "..",
            "a/../../escaped",
            "/etc/passwd",
            "//etc//passwd",
            "./../escaped",
            "..\\escaped",
            "a/..",
            "....//x",
            "C:/escaped",
            "\u{202e}../x",
            "%2e%2e/escaped",
            "~/escaped",
            "a/./b/../../../escaped",
        ] {
            put(&backend, name, name.to_owned()).await;
            assert_eq!(bytes(&backend, name).await.unwrap(), name, "{way:?}");
        }
        let beside: Vec<_> = std::fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(beside, ["root"], "{way:?}");
    }
}

#[tokio::test]
async fn a_link_in_the_root_is_never_followed() {
    for way in WAYS {
        let (root, outside, backend) = opened(way).await;
        let root = root.path().join("root");
        std::fs::write(outside.path().join("secret.txt"), "secret").unwrap();
        symlink(outside.path(), root.join("door")).unwrap();
        symlink(outside.path().join("secret.txt"), root.join("link.txt")).unwrap();
        symlink(outside.path().join("nothing.txt"), root.join("dangling.txt")).unwrap();
        put(&backend, "mine.txt", "mine").await;

        for name in ["door/secret.txt", "link.txt", "dangling.txt"] {
            let name = key(name);
            let read = backend.read(Area::Objects, &name, ReadRequest::default()).await;
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt, "{way:?} {name}");
            let write = backend
                .write(Area::Objects, &name, "x".into(), WriteRequest::default())
                .await;
            assert_eq!(write.unwrap_err().kind(), ErrorKind::Corrupt, "{way:?} {name}");
            let delete = backend
                .delete(Area::Objects, &name, DeleteRequest::default())
                .await;
            assert_eq!(delete.unwrap_err().kind(), ErrorKind::Corrupt, "{way:?} {name}");
        }
        let mut with_meta = ListRequest::new("");
        with_meta.with_meta = true;
        assert_eq!(names(&backend, with_meta).await, ["mine.txt"], "{way:?}");
        assert_eq!(tree(outside.path()), ["secret.txt"], "{way:?}");
        assert_eq!(
            std::fs::read(outside.path().join("secret.txt")).unwrap(),
            b"secret"
        );
        assert!(root.join("link.txt").is_symlink() && root.join("dangling.txt").is_symlink());
    }
}

#[tokio::test]
async fn foreign_things_are_ignored_in_listings_and_files_with_fitting_names_are_objects() {
    for way in WAYS {
        let (root, _, backend) = opened(way).await;
        let root = root.path().join("root");
        std::fs::create_dir_all(root.join("notes")).unwrap();
        std::fs::write(root.join("notes/theirs.txt"), "theirs").unwrap();
        for foreign in ["no-dot", "trailing%%", "%41.txt"] {
            std::fs::write(root.join(foreign), "x").unwrap();
        }
        std::fs::create_dir(root.join("directory.txt")).unwrap();
        std::fs::write(root.join("directory.txt/inside.txt"), "x").unwrap();
        assert_eq!(all(&backend).await, ["notes/theirs.txt"]);
        assert_eq!(bytes(&backend, "notes/theirs.txt").await.unwrap(), "theirs");
        let error = backend
            .read(Area::Objects, &key("directory.txt"), ReadRequest::default())
            .await
            .unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Corrupt,
            "a directory where the file would be"
        );
        // A foreign file where a directory would be: nothing is below it, and nothing can be put there.
        assert_eq!(bytes(&backend, "no-dot/x.txt").await, None);
        remove(&backend, "no-dot/x.txt").await;
        let error = put_when(&backend, "no-dot/x.txt", "x", storage_core::Condition::Always)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn the_longest_paths_work_either_way() {
    for way in WAYS {
        let (_root, _, backend) = opened(way).await;
        let name = format!("{}x", "a.b/".repeat(255));
        put(&backend, &name, "deep").await;
        assert_eq!(bytes(&backend, &name).await.unwrap(), "deep", "{way:?}");
        assert_eq!(all(&backend).await, [name]);
    }
}
