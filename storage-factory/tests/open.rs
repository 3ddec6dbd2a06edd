//! URLs open what they say, on real files.
#![cfg(all(feature = "fs", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use std::path::Path;

use storage_core::{Durability, ErrorKind, Storage};
use storage_factory::{Factory, UrlOptionKind};

/// A directory of the test's own, and its path as text.
fn directory() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    (directory, path)
}

async fn open(url: &str) -> Storage {
    Factory::default()
        .open(url)
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"))
}

async fn write_close_reopen(url: &str) {
    let storage = open(url).await;
    storage.objects().write("notes/a.txt", "hello").await.unwrap();
    storage.close().await.unwrap();
    let storage = open(url).await;
    assert_eq!(
        storage.objects().read("notes/a.txt").await.unwrap().as_deref(),
        Some(&b"hello"[..]),
        "{url}"
    );
    storage.close().await.unwrap();
}

#[tokio::test]
async fn each_way_to_write_a_path_opens_the_same_files() {
    let (_keep, path) = directory();
    write_close_reopen(&format!("fs:{path}/a b")).await;
    for url in [
        format!("fs://{path}/a%20b"),
        format!("file:{path}/a b"),
        format!("FILE://{path}/a b/"),
    ] {
        let storage = open(&url).await;
        assert!(storage.objects().exists("notes/a.txt").await.unwrap(), "{url}");
        storage.close().await.unwrap();
    }
    assert!(Path::new(&path).join("a b/notes/a.txt").is_file());

    write_close_reopen(&format!("sqlite:{path}/app.db")).await;
    let storage = open(&format!(
        "sqlite://{path}/app.db?busy_timeout_ms=250&read_connections=1"
    ))
    .await;
    assert!(storage.objects().exists("notes/a.txt").await.unwrap());
    storage.close().await.unwrap();
}

#[tokio::test]
async fn a_database_in_memory_makes_no_file() {
    let storage = open("sqlite::memory:").await;
    storage.objects().write("a", "x").await.unwrap();
    assert_eq!(storage.declaration().objects.durability, Durability::Memory);
    assert!(!Path::new(":memory:").exists());
    storage.close().await.unwrap();
}

#[tokio::test]
async fn durability_is_what_the_url_says() {
    let (_keep, path) = directory();
    for (url, durability) in [
        (format!("fs:{path}/strong"), Durability::PowerLoss),
        (
            format!("fs:{path}/weak?durability=process-crash"),
            Durability::ProcessCrash,
        ),
        (
            format!("sqlite:{path}/strong.db?durability=power-loss"),
            Durability::PowerLoss,
        ),
        (
            format!("sqlite:{path}/weak.db?durability=process-crash"),
            Durability::ProcessCrash,
        ),
    ] {
        let storage = open(&url).await;
        assert_eq!(storage.declaration().objects.durability, durability, "{url}");
        storage.close().await.unwrap();
    }
}

#[tokio::test]
async fn every_option_of_every_scheme_is_taken_with_each_of_its_words_and_refused_with_rubbish() {
    let (_keep, path) = directory();
    let factory = Factory::default();
    for scheme in factory.schemes() {
        for option in scheme.option_table() {
            let url = format!("{}:{path}/{}?{}", scheme.name(), option.name, option.name);
            let words: &[&str] = match option.kind {
                UrlOptionKind::Choice(words) => words,
                UrlOptionKind::Flag => &["true", "false"],
                _ => &["1"],
            };
            for word in words {
                factory.parse(&format!("{url}={word}")).unwrap();
            }
            // Any text is one, but for none.
            let rubbish = match option.kind {
                UrlOptionKind::Text(_) => "",
                _ => "rubbish",
            };
            let error = factory.parse(&format!("{url}={rubbish}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(option.name), "{error}");
        }
    }
}

#[tokio::test]
async fn create_false_opens_nothing_that_is_not_there() {
    let (_keep, path) = directory();
    let url = format!("fs:{path}/none?create=false");
    let error = Factory::default().open(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!Path::new(&path).join("none").exists());
}

#[tokio::test]
async fn a_pair_keeps_objects_in_files_and_documents_in_a_database() {
    let (_keep, path) = directory();
    let variables = |name: &str| match name {
        "STORAGE_OBJECTS_URL" => Some(format!("fs:{path}/objects")),
        "STORAGE_DOCUMENTS_URL" => Some(format!("sqlite:{path}/app.db")),
        _ => None,
    };
    let storage = Factory::default().open_from(variables).await.unwrap();
    assert_eq!(storage.declaration().backend, "fs+sqlite");
    storage.objects().write("a.txt", "x").await.unwrap();
    storage.log("events").append("x").await.unwrap();
    storage.health().await.unwrap();
    storage.close().await.unwrap();

    assert_eq!(
        std::fs::read(Path::new(&path).join("objects/a.txt")).unwrap(),
        b"x"
    );
    let documents = open(&format!("sqlite:{path}/app.db")).await;
    assert_eq!(documents.log("events").len().await.unwrap(), 1);
    assert!(!documents.objects().exists("a.txt").await.unwrap());
    documents.close().await.unwrap();
}

#[tokio::test]
async fn a_pair_whose_second_half_cannot_open_releases_the_first() {
    let (_keep, path) = directory();
    let broken = format!("sqlite:{path}/no/such/directory/app.db");
    Factory::default()
        .open_pair(&format!("sqlite:{path}/objects.db"), &broken)
        .await
        .unwrap_err();
    // A handle that was left open would hold the write-ahead log.
    assert!(!Path::new(&path).join("objects.db-wal").exists());
}

#[tokio::test]
async fn closing_a_pair_closes_both() {
    let (_keep, path) = directory();
    let (objects, documents) = (format!("{path}/objects.db"), format!("{path}/documents.db"));
    let factory = Factory::default();
    let storage = factory
        .open_pair(&format!("sqlite:{objects}"), &format!("sqlite:{documents}"))
        .await
        .unwrap();
    storage.objects().write("a", "x").await.unwrap();
    storage.log("events").append("x").await.unwrap();
    let logs = [format!("{objects}-wal"), format!("{documents}-wal")];
    assert!(
        logs.iter().all(|log| Path::new(log).exists()),
        "an open database has its write-ahead log"
    );
    storage.close().await.unwrap();
    assert!(
        !logs.iter().any(|log| Path::new(log).exists()),
        "a closed one has none"
    );
}

#[tokio::test]
async fn a_data_directory_is_taken_as_it_is() {
    let (_keep, path) = directory();
    let odd = format!("{path}/100%25?x#y");
    let storage = Factory::default()
        .open_from(|name| (name == "STORAGE_DATA_DIR").then(|| odd.clone()))
        .await
        .unwrap();
    storage.objects().write("a.txt", "x").await.unwrap();
    storage.close().await.unwrap();
    assert!(Path::new(&odd).join("a.txt").is_file());
}
