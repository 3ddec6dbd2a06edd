//! The example of volumes a newcomer copies.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use storage_factory::Factory;

#[path = "../examples/vault.rs"]
#[allow(dead_code, reason = "an example has a main of its own")]
mod vault;

#[tokio::test]
async fn the_example_runs_on_files_and_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let factory = Factory::default();
    for url in [format!("fs:{}", at("files")), format!("sqlite:{}", at("app.db"))] {
        let storage = factory.open(&url).await.unwrap();
        let copy = factory.open(&format!("fs:{}", at(&url[..2]))).await.unwrap();
        for _ in 0..2 {
            let said = vault::run(&storage, &copy).await.unwrap();
            assert_eq!(
                said,
                [
                    "the laptop sees notes/shopping.txt",
                    "on monday there were 2 names",
                    "the copy has 1 name(s)",
                    "the copy alone says Corrupt",
                    "together they say milk, bread",
                    "the copy is whole again",
                ],
                "{url}"
            );
        }
        storage.close().await.unwrap();
        copy.close().await.unwrap();
    }
}
