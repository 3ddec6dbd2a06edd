//! The database file: who may open it, what people see in it, and that a refusal leaves it alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use rusqlite::Connection;
use storage_core::bson::{RawDocumentBuf, doc};
use storage_core::{
    Applied, DocumentId, Durability, ErrorKind, Name, PutRequest, StorageAdapter, StorageBackend, Timestamp,
};
use storage_sqlite::{Sqlite, SqliteConfig};

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn put(id: &str, body: storage_core::bson::Document) -> PutRequest {
    let body = storage_core::value::canonical(RawDocumentBuf::try_from(&body).unwrap()).unwrap();
    PutRequest::new(DocumentId::new(id).unwrap(), body, NOW)
}

async fn open(path: &Path) -> Sqlite {
    Sqlite::open(SqliteConfig::new(path)).await.unwrap()
}

/// It may hold secrets, and the umask of most systems lets everybody read.
#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_alone_and_one_that_is_there_keeps_its_permissions() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let modes = |path: &Path| -> Vec<u32> {
        let beside = ["", "-wal", "-shm"].map(|end| format!("{}{end}", path.display()));
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        beside.iter().map(mode).collect()
    };
    let path = directory.path().join("app.db");
    let sqlite = open(&path).await;
    sqlite
        .put(&name("c"), put("a", doc! { "n": 1_i64 }))
        .await
        .unwrap();
    assert_eq!(modes(&path), [0o600; 3]);
    sqlite.close().await.unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let sqlite = open(&path).await;
    sqlite
        .put(&name("c"), put("a", doc! { "n": 2_i64 }))
        .await
        .unwrap();
    assert_eq!(modes(&path), [0o640; 3], "the owner's choice, beside it too");
    sqlite.close().await.unwrap();
}

/// That opening fails with this kind and changes neither the file nor what is beside it.
async fn refused_untouched(path: &Path, kind: ErrorKind) -> storage_core::Error {
    let files = |directory: &Path| -> Vec<_> {
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        names
            .into_iter()
            .map(|path| (std::fs::read(&path).unwrap(), path))
            .collect()
    };
    let before = files(path.parent().unwrap());
    let error = Sqlite::open(SqliteConfig::new(path)).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.applied(), Applied::No);
    assert!(
        files(path.parent().unwrap()) == before,
        "the refused file was changed"
    );
    error
}

#[tokio::test]
async fn a_collection_reads_as_a_table_in_the_shell() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = open(&path).await;
    let contents = name("content_metadata");
    sqlite
        .put(
            &contents,
            put("1", doc! { "content_id": "x", "is_complete": true, "size": 5 }),
        )
        .await
        .unwrap();
    sqlite
        .put(
            &contents,
            put(
                "2",
                doc! { "content_id": "o'h \"é\"", "odd.na'me": 1.5, "list": [1] },
            ),
        )
        .await
        .unwrap();
    let shell = Connection::open(&path).unwrap();
    let row = |sql: &str| {
        shell
            .query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
            .unwrap()
    };
    assert_eq!(
        row("SELECT content_id FROM content_metadata WHERE is_complete AND size = 5"),
        "x".to_owned().into()
    );
    assert_eq!(
        row("SELECT content_id FROM content_metadata WHERE id = '2'"),
        "o'h \"é\"".to_owned().into()
    );
    assert_eq!(
        row("SELECT \"odd.na'me\" FROM content_metadata WHERE id = '2'"),
        1.5.into()
    );
    assert_eq!(
        row("SELECT size FROM content_metadata WHERE id = '2'"),
        rusqlite::types::Value::Null
    );
    assert_eq!(
        row("SELECT body FROM content_metadata WHERE id = '1'"),
        r#"{"content_id":"x","is_complete":true,"size":5}"#.to_owned().into()
    );
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn a_view_shows_at_most_100_fields_and_its_own_columns_win() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = open(&path).await;
    let mut many = doc! { "VERSION": 1, "id": 7, "a": 1, "A": 2, "": 3, "q\"": 4 };
    many.extend((0..200).map(|at| (format!("field_{at}"), storage_core::bson::Bson::from(at))));
    sqlite.put(&name("wide"), put("one", many)).await.unwrap();
    sqlite
        .put(&name("wide"), put("two", doc! { "late": 1 }))
        .await
        .unwrap();
    let shell = Connection::open(&path).unwrap();
    let statement = shell.prepare("SELECT * FROM wide").unwrap();
    let columns: Vec<&str> = statement.column_names().collect();
    assert_eq!(columns.len(), 104, "{columns:?}");
    assert_eq!(columns[..3], ["id", "a", "field_0"]);
    assert_eq!(columns[101..], ["version", "expires_at", "body"]);
    let id: String = shell
        .query_row("SELECT id FROM wide LIMIT 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(id, "one");
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn names_that_differ_in_case_or_are_reserved_are_collections_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let names = [
        "Users",
        "users",
        "USERS",
        "users_2",
        "sqlite_master",
        "_storage",
        "_STORAGE_objects",
        "a\"b'; DROP",
        " ",
        "é",
        "É",
    ];
    let sqlite = open(&path).await;
    for (at, collection) in (0_i64..).zip(names) {
        sqlite
            .put(&name(collection), put("same", doc! { "at": at }))
            .await
            .unwrap();
    }
    sqlite.close().await.unwrap();
    let sqlite = open(&path).await;
    let shell = Connection::open(&path).unwrap();
    for (at, collection) in (0_i64..).zip(names) {
        let found = sqlite
            .get(&name(collection), &DocumentId::new("same").unwrap(), NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.body.get_i64("at").unwrap(), at, "{collection}");
        let view: String = shell
            .query_row(
                "SELECT view FROM _storage_collections WHERE name = ?1",
                [collection],
                |row| row.get(0),
            )
            .unwrap();
        let sql = format!("SELECT at FROM \"{}\"", view.replace('"', "\"\""));
        assert_eq!(
            shell.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap(),
            at,
            "{collection} as {view}"
        );
    }
    let mut sorted: Vec<_> = names.iter().map(|collection| name(collection)).collect();
    sorted.sort();
    assert_eq!(sqlite.collections(None, 100).await.unwrap(), sorted);
    assert_eq!(
        sqlite.collections(Some(&sorted[3]), 2).await.unwrap(),
        sorted[4..6]
    );
    sqlite.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    open(&path).await.close().await.unwrap();
    let shell = Connection::open(&path).unwrap();
    shell
        .execute_batch(
            "PRAGMA user_version = 2; UPDATE _storage SET value = '2'; PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .unwrap();
    shell.close().unwrap();
    let error = refused_untouched(&path, ErrorKind::FormatTooNew).await;
    assert!(error.message().contains("upgrade"), "{error}");
}

#[tokio::test]
async fn another_programs_database_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theirs.db");
    let theirs = Connection::open(&path).unwrap();
    theirs
        .execute_batch("CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ada')")
        .unwrap();
    theirs.close().unwrap();
    let error = refused_untouched(&path, ErrorKind::InvalidArgument).await;
    assert_eq!(error.key(), Some(path.to_str().unwrap()));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letter.txt");
    std::fs::write(&path, "Dear Ada, this is long enough to be taken for a header of a hundred bytes, and yet it is none at all.").unwrap();
    refused_untouched(&path, ErrorKind::Corrupt).await;
}

#[tokio::test]
async fn one_missing_directory_is_made_and_two_are_not() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory.path().join("data/app.db"))
        .await
        .close()
        .await
        .unwrap();
    let error = Sqlite::open(SqliteConfig::new(directory.path().join("no/such/app.db")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!directory.path().join("no").exists());
}

#[tokio::test]
async fn many_may_create_the_same_database_at_once() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let opening: Vec<_> = (0..8)
            .map(|_| tokio::spawn(Sqlite::open(SqliteConfig::new(&path))))
            .collect();
        for (at, opening) in opening.into_iter().enumerate() {
            let sqlite = opening.await.unwrap().unwrap();
            sqlite
                .put(&name("c"), put(&at.to_string(), doc! {}))
                .await
                .unwrap();
            sqlite.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_the_configuration_cannot_mean_is_refused() {
    for config in [
        SqliteConfig::new(""),
        SqliteConfig::in_memory().read_connections(0),
        SqliteConfig::in_memory().durability(Durability::Replicated),
    ] {
        assert_eq!(
            Sqlite::open(config).await.unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
}

#[tokio::test]
async fn durability_is_declared_as_it_is_configured() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    for (config, durability) in [
        (SqliteConfig::new(&path), Durability::PowerLoss),
        (
            SqliteConfig::new(&path).durability(Durability::ProcessCrash),
            Durability::ProcessCrash,
        ),
        (SqliteConfig::in_memory(), Durability::Memory),
    ] {
        let sqlite = Sqlite::open(config).await.unwrap();
        let declaration = sqlite.declaration().clone();
        assert_eq!(declaration.objects.durability, durability);
        assert_eq!(declaration.documents.unwrap().durability, durability);
        assert_eq!(declaration.logs.unwrap().durability, durability);
        sqlite.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_closed_database_is_one_file_and_answers_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = open(&path).await;
    sqlite.put(&name("c"), put("a", doc! { "n": 1 })).await.unwrap();
    assert!(
        sqlite
            .get(&name("c"), &DocumentId::new("a").unwrap(), NOW)
            .await
            .unwrap()
            .is_some()
    );
    sqlite.close().await.unwrap();
    sqlite.close().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["app.db"], "the write-ahead log is still there");
    assert_eq!(
        sqlite
            .put(&name("c"), put("a", doc! {}))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Closed
    );
    assert_eq!(
        sqlite.collections(None, 1).await.unwrap_err().kind(),
        ErrorKind::Closed
    );
}

#[tokio::test]
async fn a_body_nobody_can_read_is_corrupt_and_stays_until_it_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let sqlite = open(&path).await;
    let version = sqlite.put(&name("c"), put("bad", doc! { "n": 1 })).await.unwrap();
    sqlite
        .put(&name("c"), put("good", doc! { "n": 2 }))
        .await
        .unwrap();
    sqlite
        .ensure_index(&name("c"), &storage_core::Index::btree("by_n", ["n"]), NOW)
        .await
        .unwrap();
    let shell = Connection::open(&path).unwrap();
    shell
        .execute(
            "UPDATE _storage_documents_1 SET body = '{\"n\":' WHERE id = 'bad'",
            [],
        )
        .unwrap();
    let id = DocumentId::new("bad").unwrap();
    let error = sqlite.get(&name("c"), &id, NOW).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("bad")));
    assert_eq!(
        sqlite
            .put(&name("c"), put("bad", doc! { "n": 3 }))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Corrupt
    );
    let mut delete = storage_core::DeleteDocumentRequest::new(id.clone(), NOW);
    delete.if_version = Some(version);
    assert_eq!(
        sqlite
            .delete_document(&name("c"), delete)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Corrupt
    );
    let kept: String = shell
        .query_row("SELECT body FROM c WHERE id = 'bad'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, "{\"n\":");
    assert!(
        sqlite
            .delete_document(&name("c"), storage_core::DeleteDocumentRequest::new(id, NOW))
            .await
            .unwrap()
    );
    let stats = sqlite.index_stats(&name("c"), &name("by_n"), NOW).await.unwrap();
    assert_eq!(stats.total_entries, 1);
    let entries: i64 = shell
        .query_row("SELECT count(*) FROM _storage_index_1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(entries, 1);
    sqlite.close().await.unwrap();
}
