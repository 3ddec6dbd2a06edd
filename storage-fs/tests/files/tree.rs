use std::os::unix::fs::PermissionsExt;

use storage_core::{Area, StorageBackend, WriteRequest};
use storage_fs::FsBackend;

use super::support::*;

#[tokio::test]
async fn objects_stand_at_the_paths_a_person_expects() {
    let (root, backend) = fresh().await;
    let block = format!("blocks/{}.bin", "0f".repeat(32));
    let event = format!("channels/04{}/{}.bin", "ab".repeat(64), "cd".repeat(32));
    let mut keys = [block.as_str(), event.as_str(), "notes/a.txt", "ein Wort/Übung.md"];
    for key in keys {
        put(&backend, key, key.to_owned()).await;
    }
    keys.sort_unstable();
    assert_eq!(tree(root.path()), keys);
    for key in keys {
        assert_eq!(std::fs::read(root.path().join(key)).unwrap(), key.as_bytes());
    }
}

#[tokio::test]
async fn documents_stand_as_json_files() {
    let (root, backend) = fresh().await;
    for (key, path) in [
        ("documents/users/ada", ".storage/documents/users/ada.json"),
        ("catalog/users", ".storage/catalog/users%"),
        (
            "entries/0a1/value/ada/02E",
            ".storage/entries/0a1/value/ada%2F02E%",
        ),
        ("claims/0a1/value", ".storage/claims/0a1/value%"),
    ] {
        backend
            .write(
                Area::Overlay,
                &super::support::key(key),
                "{}".into(),
                WriteRequest::default(),
            )
            .await
            .unwrap();
        assert!(root.path().join(path).is_file(), "{path}");
    }
    assert_eq!(
        all(&backend).await,
        Vec::<String>::new(),
        "the overlay's keys are no objects"
    );
}

#[tokio::test]
async fn only_the_owner_may_look() {
    let (root, backend) = fresh().await;
    put(&backend, "secret/a.txt", "x").await;
    let mode = |path: &str| {
        std::fs::metadata(root.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("secret/a.txt"), 0o600);
    assert_eq!(mode("secret"), 0o700);
    assert_eq!(mode(".storage"), 0o700);
}

#[tokio::test]
async fn every_awkward_key_is_written_read_listed_and_deleted() {
    let (_root, backend) = fresh().await;
    let mut keys: Vec<String> = [
        "a",
        "a/b",
        "a/b/c",
        "a.d",
        "a.d/e",
        "%",
        "%25",
        ".",
        "..",
        "../x",
        "./y",
        "/",
        "//",
        "/abs",
        "tail/",
        "CON",
        "nul.txt",
        ".storage",
        ".storage/format.json",
        ".storage/locks/00",
        "C:\\dir",
        "end.",
        "end ",
        " ",
        "Ä/ö",
        "tab\there",
        "A",
        "B/a",
    ]
    .map(str::to_owned)
    .to_vec();
    // The longest keys, as one segment and as many.
    keys.extend([
        "x".repeat(1024),
        "/".repeat(1024),
        "./".repeat(512),
        "%".repeat(1024),
        "ü".repeat(512),
    ]);
    for key in &keys {
        put(&backend, key, key.clone()).await;
    }
    for key in &keys {
        assert_eq!(
            bytes(&backend, key).await.as_deref(),
            Some(key.as_bytes()),
            "{key:?}"
        );
    }
    keys.sort_unstable();
    assert_eq!(all(&backend).await, keys);
    for key in &keys {
        remove(&backend, key).await;
        assert_eq!(bytes(&backend, key).await, None, "{key:?}");
    }
    assert_eq!(all(&backend).await, Vec::<String>::new());
}

#[tokio::test]
async fn on_a_disk_that_folds_case_names_that_differ_in_case_differ_otherwise() {
    let root = tempfile::TempDir::new().unwrap();
    let backend = FsBackend::open(config(root.path()).case_folding(true))
        .await
        .unwrap();
    for key in ["Readme.md", "readme.md", "README.md", "É.md", "é.md"] {
        put(&backend, key, key.to_owned()).await;
    }
    let mut lower: Vec<String> = tree(root.path()).iter().map(|name| name.to_lowercase()).collect();
    lower.dedup();
    assert_eq!(lower.len(), 5);
    assert_eq!(
        all(&backend).await,
        ["README.md", "Readme.md", "readme.md", "É.md", "é.md"]
    );
    // Recorded: another handle that does not ask for it does the same.
    assert_eq!(
        bytes(&*open(root.path()).await, "README.md").await.unwrap(),
        "README.md"
    );
}
