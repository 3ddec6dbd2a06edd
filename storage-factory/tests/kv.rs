//! The key-value store as the environment opens it, and the example a newcomer copies.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use storage_core::ErrorKind;
use storage_factory::{Factory, kv_from};
use storage_stores::kv::{Kv, KvOptions, KvSettings};

#[allow(dead_code, clippy::print_stdout, reason = "it is a program of its own")]
#[path = "../examples/cache.rs"]
mod cache;

fn settings(variables: &[(&str, &str)]) -> KvSettings {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    KvSettings::from_variables(variables).unwrap()
}

#[tokio::test]
async fn settings_decide_where_and_how() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sub dir");
    let variables = [
        ("KV_STORAGE_PATH", path.to_str().unwrap()),
        ("KV_STORAGE_SIZE_LIMIT", "1 KiB"),
        ("KV_STORAGE_COMPRESSION", "gzip"),
    ];
    let kv = kv_from(settings(&variables), KvOptions::new()).await.unwrap();
    kv.set("k", &"x".repeat(5000)).await.unwrap();
    let info = kv.info("k").await.unwrap().unwrap();
    assert_eq!(info.codec, "gzip");
    let noise: Vec<u64> = (0..1000)
        .map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    let error = kv.set("large", &noise).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    kv.close().await.unwrap();
    assert!(path.is_dir());
}

#[tokio::test]
async fn a_place_that_cannot_be_is_an_error_that_names_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let settings = settings(&[("KV_STORAGE_PATH", file.to_str().unwrap())]);
    let error = kv_from(settings, KvOptions::new()).await.unwrap_err();
    assert_eq!(error.context_value("setting"), Some("storage-path"));
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let kv = kv_from(
        settings(&[("KV_STORAGE_PATH", path.to_str().unwrap())]),
        KvOptions::new(),
    )
    .await
    .unwrap();
    kv.set("small", &1).await.unwrap();
    kv.set("large", &"x".repeat(100_000)).await.unwrap();
    kv.close().await.unwrap();
    let mut directories = vec![path];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        let mode = directory.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", directory.display());
        for entry in std::fs::read_dir(&directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
                continue;
            }
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
            files += 1;
        }
    }
    assert!(files >= 3, "{files} files");
}

#[tokio::test]
async fn the_example_runs_on_files_and_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for url in [format!("fs:{}", at("files")), format!("sqlite:{}", at("app.db"))] {
        let storage = Factory::default().open(&url).await.unwrap();
        let kv = Kv::open(storage, KvOptions::new()).await.unwrap();
        for _ in 0..2 {
            let said = cache::run(&kv).await.unwrap();
            assert_eq!(
                said,
                [
                    "the volume is 75",
                    "2 pages are kept, the first in less than 1000 bytes: true",
                    "5 visits",
                    "2 went, 1 is permanent, 1 is held",
                ]
            );
        }
        assert_eq!(kv.verify().await.unwrap().problems, []);
        kv.close().await.unwrap();
    }
}
