//! What the first version wrote is read, for good: `golden/1` is a root as it was on the disk, without the attributes that copies of a
//! root lose.

use std::path::Path;

use storage_core::bson::{Document, doc};
use storage_core::{ErrorKind, ListRequest, Query, Storage};
use storage_fs::Fs;
use tempfile::TempDir;

use super::support::*;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::write(to, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn what_the_first_version_wrote_is_read() {
    let root = TempDir::new().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/1");
    copy(&golden, root.path());
    let storage = Storage::new(Fs::open(config(root.path())).await.unwrap());

    let objects = storage.objects();
    assert_eq!(
        objects
            .list_page(ListRequest::new(""))
            .await
            .unwrap()
            .entries
            .len(),
        2
    );
    for key in ["a", "notes/a.txt"] {
        assert_eq!(objects.read(key).await.unwrap().unwrap(), "hello");
    }

    let users = storage.collection::<Document>("users");
    assert_eq!(users.indexes().await.unwrap().len(), 3);
    let old = users.find(Query::ge("age", 40_i64)).await.unwrap();
    let old = old.collect().await.unwrap();
    assert_eq!(old.len(), 1);
    assert_eq!(old[0].version.to_string(), "1225a1ba68a90445c0657fee3c5145f4");
    assert_eq!(old[0].value.get_str("name").unwrap(), "Grace");
    assert!(old[0].value.get_datetime("seen").is_ok());
    assert_eq!(users.count(Query::eq("tags", "y")).await.unwrap(), 2);
    let refused = users.put("eve", &doc! { "name": "Ada" }).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::UniqueViolation);
    users
        .put("ada", &doc! { "name": "Ada", "age": 50_i64 })
        .await
        .unwrap();
    assert_eq!(users.count(Query::ge("age", 40_i64)).await.unwrap(), 2);

    let log = storage.log("program/run");
    assert_eq!(log.read(0, 10).await.unwrap().entries[1].bytes, "second line");
    assert_eq!(log.append("third line").await.unwrap().first, 2);
    let closed = storage.log("closed").append("more").await;
    assert_eq!(closed.unwrap_err().kind(), ErrorKind::LogClosed);
    storage.close().await.unwrap();
}
