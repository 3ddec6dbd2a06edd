//! What the suite cannot see, because one process has the file: that everything is there when it is opened again.

use storage_core::{ErrorKind, Overlay, Storage};
use storage_redb::Redb;
use tempfile::TempDir;

#[tokio::test]
async fn everything_is_there_when_the_file_is_opened_again() {
    let directory = TempDir::new().expect("a directory");
    let open = || Redb::open(directory.path().join("app.redb"));
    let storage = Storage::new(Overlay::new(open().expect("creates the file")));
    let version = storage
        .objects()
        .write("notes/a.txt", "hello")
        .await
        .expect("writes");
    storage.log("events").append("one").await.expect("appends");
    storage.close().await.expect("closes");
    drop(storage);

    let storage = Storage::new(Overlay::new(open().expect("opens the file")));
    let meta = storage
        .objects()
        .stat("notes/a.txt")
        .await
        .expect("looks")
        .expect("is there");
    assert_eq!((meta.size, meta.version), (5, version));
    assert_eq!(storage.log("events").len().await.expect("reads"), 1);
    let in_the_way = open().expect_err("one process, one handle");
    assert_eq!(in_the_way.kind(), ErrorKind::Conflict);
}

#[test]
fn what_is_no_database_is_refused_untouched() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("notes.txt");
    let text = "not a database, and somebody's only copy. ".repeat(200);
    std::fs::write(&path, &text).expect("writes");
    Redb::open(&path).expect_err("it is text");
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), text);
}
