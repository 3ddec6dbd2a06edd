//! The store of chunks as the environment opens it, and the example a newcomer copies.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use std::path::Path;
use std::time::Duration;

use storage_core::ErrorKind;
use storage_factory::{Factory, chunks_from};
use storage_stores::chunks::{ChunkInfo, ChunkOptions, ChunkStore};

#[path = "../examples/upload.rs"]
#[allow(dead_code, reason = "an example has a main of its own")]
mod upload;

/// The store these variables name.
async fn opened(variables: &[(&str, &str)]) -> storage_core::Result<ChunkStore> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let variable = move |name: &'static str| {
        let found = variables.iter().find(|(known, _)| known == name);
        Ok(found.map(|(_, value)| value.clone()))
    };
    chunks_from(variable).await
}

#[tokio::test]
async fn chunks_are_files_beside_their_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sub dir");
    let store = opened(&[("CHUNK_STORAGE_PATH", path.to_str().unwrap())])
        .await
        .unwrap();
    assert_eq!(store.options(), &ChunkOptions::new());
    store
        .save_chunk("data", ChunkInfo::new("Ab", "s", 0, 2))
        .await
        .unwrap();
    store
        .save_chunk("more", ChunkInfo::new("Ab", "s", 1, 2))
        .await
        .unwrap();
    store.close().await.unwrap();
    assert!(path.join("metadata.db").is_file());
    assert_eq!(std::fs::read(path.join("chunks/4162/0.bin")).unwrap(), b"data");
    assert_eq!(std::fs::read(path.join("chunks/4162/1.bin")).unwrap(), b"more");
    let again = opened(&[("CHUNK_STORAGE_PATH", path.to_str().unwrap())])
        .await
        .unwrap();
    assert_eq!(
        again.get_chunk("Ab", 0).await.unwrap().as_deref(),
        Some(&b"data"[..])
    );
    again.close().await.unwrap();
}

#[tokio::test]
async fn without_variables_chunks_are_in_data_sessions() {
    let directory = tempfile::tempdir().unwrap();
    std::env::set_current_dir(directory.path()).unwrap();
    let store = opened(&[]).await.unwrap();
    store
        .save_chunk("data", ChunkInfo::new("c", "s", 0, 1))
        .await
        .unwrap();
    store.close().await.unwrap();
    let root = directory.path().join("data/sessions");
    assert!(root.join("metadata.db").is_file() && root.join("chunks/63/0.bin").is_file());
    std::env::set_current_dir(Path::new("/")).unwrap();
}

/// Whoever names a layer that encrypts must not find plain bytes.
#[cfg(all(feature = "compress", feature = "encrypt"))]
#[tokio::test]
async fn the_layers_of_the_environment_are_over_both() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealed");
    let key = directory.path().join("key");
    std::fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    let layers = format!("compress,encrypt(key_file={}),retry", key.display());
    let sealed = [
        ("CHUNK_STORAGE_PATH", path.to_str().unwrap()),
        ("STORAGE_LAYERS", layers.as_str()),
    ];
    let store = opened(&sealed).await.unwrap();
    for session in ["s", "t"] {
        store
            .save_chunk("very secret", ChunkInfo::new(session, session, 0, 1))
            .await
            .unwrap();
    }
    assert_eq!(
        store.list_content("s", 10, 0).await.unwrap().items.len(),
        1,
        "what is searched for is found"
    );
    store.close().await.unwrap();
    let raw = std::fs::read(path.join("chunks/73/0.bin")).unwrap();
    assert!(!raw.windows(11).any(|part| part == b"very secret"));
    let plain = opened(&sealed[..1]).await.unwrap_err();
    assert_eq!(plain.kind(), ErrorKind::Unauthenticated, "opened without its key");
    let again = opened(&sealed).await.unwrap();
    assert_eq!(
        again.get_chunk("s", 0).await.unwrap().as_deref(),
        Some(&b"very secret"[..])
    );
    again.close().await.unwrap();
    for wrong in ["", "encrpyt", "encrypt,compress"] {
        let refused = opened(&[sealed[0], ("STORAGE_LAYERS", wrong)]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{wrong:?}");
    }
}

#[tokio::test]
async fn each_variable_sets_its_option() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [
        ("CHUNK_STORAGE_PATH", directory.path().to_str().unwrap()),
        ("MAX_ITEMS_PER_SESSION", "7"),
        ("MAX_ITEMS_TO_SEND", "3"),
        ("CLEANUP_INTERVAL", "60000"),
    ];
    let store = opened(&variables).await.unwrap();
    let expected = ChunkOptions::new()
        .max_items_per_session(7)
        .max_items_to_send(3)
        .cleanup_interval(Duration::from_secs(60));
    assert_eq!(store.options(), &expected);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_bad_value_is_an_error_that_names_variable_and_value() {
    let names = ["MAX_ITEMS_PER_SESSION", "MAX_ITEMS_TO_SEND", "CLEANUP_INTERVAL"];
    for name in names {
        for value in ["0", "-1", "abc", "", "1.5", "99999999999999999999"] {
            let error = opened(&[(name, value)]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}={value}");
            let said = error.to_string();
            assert!(
                said.contains(name) && said.contains(&format!("{value:?}")),
                "{said}"
            );
        }
    }
    let error = opened(&[("CHUNK_STORAGE_PATH", "")]).await.unwrap_err();
    assert!(error.to_string().contains("CHUNK_STORAGE_PATH"), "{error}");
}

#[tokio::test]
async fn a_place_that_cannot_be_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let error = opened(&[("CHUNK_STORAGE_PATH", file.to_str().unwrap())])
        .await
        .unwrap_err();
    let chain = format!("{error} {:?}", std::error::Error::source(&error));
    assert!(chain.contains("a-file"), "{chain}");
    assert_eq!(error.context_value("variable"), Some("CHUNK_STORAGE_PATH"));
}

#[tokio::test]
async fn the_example_runs_on_files_on_sqlite_and_on_the_pair() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let factory = Factory::default();
    let options = || ChunkOptions::new().cleanup_interval(Duration::ZERO);
    let fs = factory.open(&format!("fs:{}", at("files"))).await.unwrap();
    let sqlite = factory.open(&format!("sqlite:{}", at("app.db"))).await.unwrap();
    let stores = [
        ChunkStore::open(fs, options()).await.unwrap(),
        ChunkStore::open(sqlite, options()).await.unwrap(),
        opened(&[("CHUNK_STORAGE_PATH", &at("pair"))]).await.unwrap(),
    ];
    for store in stores {
        for _ in 0..2 {
            let said = upload::run(&store).await.unwrap();
            assert_eq!(
                said,
                [
                    "2 of 16 chunks are missing: 2, 5",
                    "holiday.jpg: 1000000 bytes in 16 chunks",
                    "a newcomer is sent 1 item(s)",
                    "the download went on at byte 524288, and is the file",
                ]
            );
        }
        assert_eq!(store.verify().await.unwrap().found, 0);
        store.close().await.unwrap();
    }
}
