//! Backups as they are meant to go.

mod elsewhere;

use std::time::Duration;

use storage_core::bson::{
    Binary, Bson, DateTime, Document, RawDocumentBuf, doc, oid::ObjectId, spec::BinarySubtype,
};
use storage_core::{Capability, ErrorKind, Index, PutOptions, Query, Storage};
use storage_stores::collections::Backups;

use self::elsewhere::{a_backup_moves_data_elsewhere, a_backup_on_another_storage};
use super::migration_basics::ensure_failed;
use super::migration_sample::{all, counting, load, migrations, roles, states, users};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { backup_basics:
    smoke [Documents] everything_comes_back = "after a restore every collection is exactly what it was: documents of every type, their expiry, what was added is gone";
    standard [Indexes] indexes_come_back = "after a restore the indexes are what they were, and answer queries";
    standard [UniqueIndexes] exchanged_values_come_back = "values of a unique index that documents exchanged since are exchanged back";
    smoke [Documents] the_state_of_migrations_comes_back = "a restore from before a migration makes it pending again, and it can be applied again";
    standard [Documents] names_are_the_callers_or_the_time = "a backup has the name asked for, once, or backup- and the time; other names are refused";
    smoke [Documents] a_missing_one_is_named_with_those_there_are = "restoring, verifying what is not there is NotFound naming the backups there are; deleting it says so";
    standard [Documents] lists_say_what_is_in_them = "list gives every finished backup by name with its counts; a deleted one is gone with all its objects";
    standard [Documents] a_restore_writes_only_what_differs = "a document that is as it is in the backup is not written, and keeps its version";
    standard [Documents] a_restore_is_undone_by_its_safety_backup = "the backup a restore makes first brings everything back";
    standard [Documents] a_backup_on_another_storage = "a backup kept on another storage restores this one, and leaves nothing here";
    standard [Documents] a_backup_moves_data_elsewhere = "a backup restored on another storage makes it the same";
    standard [Documents] large_collections_have_many_parts = "a collection larger than a part is split, and comes back whole";
    standard [Documents] nothing_at_all_is_a_backup = "a backup of an empty storage restores to an empty storage";
}

/// A document with a value of each type, and names that JSON takes for something else.
fn every_type() -> Document {
    doc! {
        "null": Bson::Null, "bool": true, "int": i64::MIN, "float": 1.0, "nan": f64::NAN, "text": "ü\n\"",
        "binary": Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 255, 7] },
        "date": DateTime::from_millis(-1), "id": ObjectId::from_bytes([9; 12]), "array": [1_i64, [2_i64], {}],
        "$date": { "$literal": "x" }, ",\"document\":{": { "": {} },
    }
}

/// Every document of every collection, byte for byte.
async fn everything(storage: &Storage) -> Result<Vec<(String, String, RawDocumentBuf)>, Failure> {
    let mut everything = Vec::new();
    for name in storage.collections().await? {
        let mut found = storage.collection(&name).find(Query::all()).await?;
        while let Some(document) = found.next().await? {
            everything.push((name.to_string(), document.id.to_string(), document.value));
        }
    }
    Ok(everything)
}

async fn everything_comes_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let mut deep = doc! {};
    for _ in 1..storage_core::value::MAX_DEPTH {
        deep = doc! { "$d": deep };
    }
    users(storage).put("deep", &deep).await?;
    let every = RawDocumentBuf::try_from(&every_type()).map_err(|error| error.to_string())?;
    let raw = storage.collection::<RawDocumentBuf>("users");
    for id in [",\"document\":{}", "../../evil", "constructor", "\u{1}", "ü"] {
        raw.put(id, &every).await?;
    }
    let expiring = ctx.has(Capability::Expiry);
    let at = storage.now().after(Duration::from_secs(600));
    if expiring {
        users(storage)
            .put_with("expiring", &doc! {}, PutOptions::new().expires_at(at))
            .await?;
    }
    let before = everything(storage).await?;
    let backups = Backups::new(storage.clone());
    let info = backups.create(Some("b")).await?;
    ensure_eq!(info.documents, before.len() as u64, "how many are in it");
    ensure_eq!(backups.verify("b").await?, info, "what verify says");

    users(storage).put("ada", &doc! { "changed": true }).await?;
    users(storage).delete("bob").await?;
    users(storage).put("added", &doc! {}).await?;
    if expiring {
        users(storage).put("expiring", &doc! {}).await?;
    }
    storage.collection::<Document>("cities").delete("delft").await?;
    storage.collection::<Document>("new").put("x", &doc! {}).await?;

    let second = Backups::new(ctx.second().await?);
    let report = second.restore("b").await?;
    ensure_eq!(everything(storage).await?, before, "after the restore");
    ensure_eq!(report.written, 3 + u64::from(expiring), "what was written");
    ensure_eq!(report.deleted, 2, "what was deleted");
    if expiring {
        let there = users(storage).get("expiring").await?.ok_or("it is there")?;
        ensure_eq!(there.expires_at, Some(at), "when it expires");
    }
    Ok(())
}

async fn indexes_come_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let (kept, dropped, added) = (
        Index::btree("kept", ["name"]),
        Index::btree("same_name", ["mail"]).sparse(),
        Index::hash("added", ["name"]),
    );
    users(storage).ensure_index(kept.clone()).await?;
    users(storage).ensure_index(dropped.clone()).await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    users(storage).drop_index("same_name").await?;
    users(storage)
        .ensure_index(Index::btree("same_name", ["other"]))
        .await?;
    users(storage).ensure_index(added).await?;
    backups.restore("b").await?;
    let there: Vec<Index> = users(storage)
        .indexes()
        .await?
        .into_iter()
        .map(|info| info.index)
        .collect();
    ensure_eq!(there, [kept, dropped], "the indexes");
    let found = users(storage)
        .find(storage_core::Query::eq("name", "Bob"))
        .await?
        .collect()
        .await?;
    ensure_eq!(found.len(), 1, "what an index finds");
    Ok(())
}

async fn exchanged_values_come_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    users(storage)
        .ensure_index(Index::btree("by_n", ["n"]).unique())
        .await?;
    users(storage).put("a", &doc! { "n": 1_i64 }).await?;
    users(storage).put("b", &doc! { "n": 2_i64 }).await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    users(storage).delete("a").await?;
    users(storage).put("b", &doc! { "n": 1_i64 }).await?;
    users(storage).put("a", &doc! { "n": 2_i64 }).await?;
    backups.restore("b").await?;
    let found = all(storage, "users").await?;
    ensure_eq!(
        (&found["a"], &found["b"]),
        (&doc! { "n": 1_i64 }, &doc! { "n": 2_i64 }),
        "the values"
    );
    ensure_kind!(
        users(storage).put("c", &doc! { "n": 1_i64 }).await,
        ErrorKind::UniqueViolation,
        "the unique index"
    );
    Ok(())
}

async fn the_state_of_migrations_comes_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let set = migrations(storage, [counting("1.0.0"), counting("1.1.0")])?;
    set.backup(Some("untouched")).await?;
    set.migrate_to("1.0.0").await?;
    let info = set.backup(Some("first")).await?;
    ensure_eq!(
        info.version.map(|version| version.to_string()),
        Some("1.0.0".into()),
        "the version of the backup"
    );
    set.migrate().await?;
    set.restore("first").await?;
    ensure_eq!(
        states(&set).await?,
        [("1.0.0".into(), "applied"), ("1.1.0".into(), "pending")],
        "after the first"
    );
    set.restore("untouched").await?;
    ensure_eq!(
        states(&set).await?,
        [("1.0.0".into(), "pending"), ("1.1.0".into(), "pending")],
        "after the other"
    );
    ensure_eq!(
        all(storage, "users").await?["bob"],
        doc! { "name": "Bob" },
        "the documents"
    );
    set.migrate().await?;
    ensure_eq!(
        all(storage, "users").await?["bob"].get_i64("times").ok(),
        Some(2),
        "migrated again"
    );
    Ok(())
}

async fn names_are_the_callers_or_the_time(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let backups = Backups::new(ctx.storage().clone());
    backups.create(Some("mine")).await?;
    let error = ensure_failed(backups.create(Some("mine")).await, ErrorKind::AlreadyExists)?;
    ensure!(error.contains("mine"), "it names it: {error}");
    for name in ["", "a/b", "../x/y", "a\0b", "line\nbreak", &"x".repeat(201)] {
        ensure_kind!(
            backups.create(Some(name)).await,
            ErrorKind::InvalidName,
            "create {name:?}"
        );
        ensure_kind!(
            backups.restore(name).await,
            ErrorKind::InvalidName,
            "restore {name:?}"
        );
        ensure_kind!(
            backups.delete(name).await,
            ErrorKind::InvalidName,
            "delete {name:?}"
        );
    }
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(backups.create(None).await?.name);
    }
    names.dedup();
    ensure_eq!(names.len(), 3, "names are never taken twice");
    for name in names {
        let time = name.strip_prefix("backup-").ok_or("it begins with backup-")?;
        ensure!(
            !time.contains([':', '.']) && time.contains('T'),
            "the time of {name}"
        );
    }
    Ok(())
}

async fn a_missing_one_is_named_with_those_there_are(ctx: &Ctx) -> Verdict {
    let backups = Backups::new(ctx.storage().clone());
    let error = ensure_failed(backups.restore("none").await, ErrorKind::NotFound)?;
    ensure!(
        error.contains("Backup not found: none"),
        "where there is none: {error}"
    );
    backups.create(Some("one")).await?;
    backups.create(Some("two")).await?;
    for error in [
        ensure_failed(backups.restore("three").await, ErrorKind::NotFound)?,
        ensure_failed(backups.verify("three").await, ErrorKind::NotFound)?,
    ] {
        ensure!(
            error.contains("Backup not found: three") && error.contains("one, two"),
            "it names those there are: {error}"
        );
    }
    ensure!(!backups.delete("three").await?, "there was nothing to delete");
    Ok(())
}

async fn lists_say_what_is_in_them(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let backups = Backups::new(ctx.storage().clone());
    let second = backups.create(Some("b")).await?;
    let first = backups.create(Some("a")).await?;
    let between = backups.create(Some("a-2")).await?;
    let list = backups.list().await?;
    ensure_eq!(list.backups, [first.clone(), between, second], "the list");
    ensure_eq!(list.unreadable.len(), 0, "what cannot be read");
    ensure_eq!((first.collections, first.documents), (2, 3), "what is in one");
    ensure!(backups.delete("a").await?, "it was there");
    ensure_eq!(backups.list().await?.backups.len(), 2, "the list after");
    let page = ctx
        .storage()
        .objects()
        .list_page(storage_core::ListRequest::new("backups/a/"))
        .await?;
    ensure_eq!(page.entries.len(), 0, "what is left of it");
    Ok(())
}

async fn a_restore_writes_only_what_differs(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let backups = Backups::new(storage.clone());
    backups.create(Some("b")).await?;
    let ada = users(storage).get("ada").await?;
    users(storage).delete("bob").await?;
    let report = backups.restore("b").await?;
    ensure_eq!(
        (report.written, report.deleted),
        (1, 0),
        "what was written and deleted"
    );
    ensure_eq!(users(storage).get("ada").await?, ada, "what did not change");
    let report = backups.restore("b").await?;
    ensure_eq!(
        (report.written, report.deleted),
        (0, 0),
        "what a second restore does"
    );
    Ok(())
}

async fn a_restore_is_undone_by_its_safety_backup(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let backups = Backups::new(storage.clone());
    backups.create(Some("empty")).await?;
    load(storage).await?;
    migrations(storage, [roles()])?.migrate().await?;
    let before = everything(storage).await?;
    let report = backups.restore("empty").await?;
    ensure_eq!(everything(storage).await?, [], "after the restore");
    backups.restore(&report.safety).await?;
    ensure_eq!(
        everything(storage).await?,
        before,
        "after the restore of what there was before"
    );
    Ok(())
}

async fn large_collections_have_many_parts(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let text = "x".repeat(300_000);
    for n in 0..30_i64 {
        users(storage)
            .put(format!("{n:03}"), &doc! { "n": n, "text": &text })
            .await?;
    }
    let backups = Backups::new(storage.clone());
    let info = backups.create(Some("b")).await?;
    ensure!(info.bytes > 9_000_000, "its size: {}", info.bytes);
    let parts = storage
        .objects()
        .list_page(storage_core::ListRequest::new("backups/b/"))
        .await?;
    ensure!(
        parts.entries.len() >= 4,
        "its parts and the manifest: {}",
        parts.entries.len()
    );
    for n in 0..30_i64 {
        users(storage)
            .put(format!("{n:03}"), &doc! { "n": n + 1 })
            .await?;
    }
    backups.restore("b").await?;
    let found = all(storage, "users").await?;
    ensure_eq!(found.len(), 30, "how many came back");
    for (n, user) in (0_i64..).zip(found.values()) {
        ensure_eq!(user.get_i64("n").ok(), Some(n), "which one");
        ensure_eq!(
            user.get_str("text").map(str::len).ok(),
            Some(300_000),
            "the text of {n}"
        );
    }
    Ok(())
}

async fn nothing_at_all_is_a_backup(ctx: &Ctx) -> Verdict {
    let backups = Backups::new(ctx.storage().clone());
    let info = backups.create(None).await?;
    ensure_eq!(
        (info.collections, info.documents, info.version.clone()),
        (0, 0, None),
        "what is in it"
    );
    load(ctx.storage()).await?;
    backups.restore(&info.name).await?;
    ensure_eq!(everything(ctx.storage()).await?, [], "after the restore");
    Ok(())
}
