//! What the first version wrote is read, for good: `golden/1.sql` is a database as it was in the file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use rusqlite::Connection;
use storage_core::bson::{Document, doc};
use storage_core::{ErrorKind, ListRequest, Query, Storage};
use storage_sqlite::{Sqlite, SqliteConfig};
use tempfile::TempDir;

#[tokio::test]
async fn what_the_first_version_wrote_is_read() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.db");
    let first = Connection::open(&path).unwrap();
    first.execute_batch(include_str!("golden/1.sql")).unwrap();
    first.close().unwrap();
    let storage = Storage::new(Sqlite::open(SqliteConfig::new(&path)).await.unwrap());

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
    assert_eq!(old[0].version.to_string(), "dbe0e99bc4bae9b83e81342b69167299");
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
