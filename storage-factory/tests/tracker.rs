//! The example of the tracker does what it says, on files and in SQLite.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

#[allow(dead_code, clippy::print_stdout, reason = "it is a program of its own")]
#[path = "../examples/tracker.rs"]
mod tracker;

use storage_factory::storage_core::Query;
use storage_factory::storage_core::bson::Document;

async fn check(url: &str) {
    let storage = storage_factory::open(url).await.unwrap();
    tracker::run(&storage).await.unwrap();
    storage.close().await.unwrap();
    let storage = storage_factory::open(url).await.unwrap();
    let tasks = storage.collection::<Document>("tasks");
    let tasks = tasks.find(Query::all()).await.unwrap().collect().await.unwrap();
    let titles: Vec<&str> = tasks
        .iter()
        .map(|task| task.value.get_str("title").unwrap())
        .collect();
    assert_eq!(titles, ["paint the door green", "sweep", "rest"]);
    assert!(tasks.iter().all(|task| !task.value.contains_key("priority")));
    assert!(tracker::version_1_0(&storage).await.is_err(), "home is taken");
    storage.close().await.unwrap();
}

#[tokio::test]
async fn it_runs_on_files() {
    let directory = tempfile::tempdir().unwrap();
    check(&format!("fs://{}", directory.path().display())).await;
}

#[tokio::test]
async fn it_runs_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    check(&format!("sqlite://{}", directory.path().join("app.db").display())).await;
}
