//! Migrations by processes that are killed or meet, and over many documents.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod many;
mod processes;

use std::path::Path;
use std::sync::Arc;

use storage_core::bson::Document;
use storage_core::{Storage, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::collections::{Migration, MigrationOptions, Migrations, Step};

/// Storage of this backend in a directory.
async fn open(backend: &str, directory: &Path) -> Storage {
    let adapter: Arc<dyn StorageAdapter> = match backend {
        "fs" => Arc::new(Fs::open(FsConfig::new(directory.join("data"))).await.unwrap()),
        _ => Arc::new(
            Sqlite::open(SqliteConfig::new(directory.join("app.db")))
                .await
                .unwrap(),
        ),
    };
    Storage::from_arc(adapter)
}

/// Two migrations that count how often they are done to a document.
fn counting(storage: &Storage, backup: bool) -> Migrations {
    let count = |version: &str| {
        let up = |mut user: Document| {
            let times = user.get_i64("times").unwrap_or(0);
            user.insert("times", times + 1);
            Ok(user)
        };
        Migration::new(version, "counts").up(Step::transform("users", "count", up))
    };
    let options = MigrationOptions::new().backup(backup);
    let mut migrations = Migrations::with_options(storage.clone(), options);
    for version in ["1.0.0", "1.1.0"] {
        migrations.register(count(version)).unwrap();
    }
    migrations
}

/// Writes this many users.
async fn load(storage: &Storage, users: usize) {
    let documents = storage.collection::<Document>("users");
    for begin in (0..users).step_by(1000) {
        let page: Vec<(String, Document)> = (begin..users.min(begin + 1000))
            .map(|n| {
                let mut user = Document::new();
                user.insert("name", format!("user {n}"));
                user.insert("text", "x".repeat(200));
                (format!("{n:08}"), user)
            })
            .collect();
        let results = documents.put_many(page.iter().map(|(id, user)| (id, user))).await;
        for result in results.unwrap() {
            result.unwrap();
        }
    }
}

/// Every user was migrated by both, once.
async fn assert_counted(storage: &Storage, users: usize) {
    let documents = storage.collection::<Document>("users");
    let mut found = documents.find(storage_core::Query::all()).await.unwrap();
    let mut seen = 0;
    while let Some(user) = found.next().await.unwrap() {
        assert_eq!(user.value.get_i64("times").ok(), Some(2), "{}", user.id);
        seen += 1;
    }
    assert_eq!(seen, users);
}
