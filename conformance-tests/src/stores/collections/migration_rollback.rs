//! Going back.

use std::collections::BTreeMap;

use storage_core::ErrorKind;
use storage_core::bson::{Document, doc};
use storage_stores::collections::{Migration, MigrationOptions, Step};

use super::migration_basics::ensure_failed;
use super::migration_sample::{
    all, counting, emails, load, migrations, roles, states, users, versions, with_options,
};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { migration_rollback:
    smoke [Documents] there_and_back_is_where_it_began = "rolling back in descending order leaves every document, stamp and state as before, from any version to any";
    smoke [Documents] one_without_a_way_back_is_refused = "a migration that cannot be undone is refused by name before anything is undone, also one below others that can";
    standard [Documents] only_what_was_migrated_goes_back = "a document without the stamp is not changed by going back";
    standard [Documents] a_way_back_of_ones_own_wins = "steps given for the way back are done in place of the inverses";
    standard [Documents] a_failed_way_back_is_undone = "a step that fails on the way back restores the backup: the migration is applied as before";
    standard [Documents] a_failed_migration_can_be_rolled_back = "one that failed half way is rolled back by what it did to each document";
}

/// Every document and the state, but for times.
async fn everything(ctx: &Ctx) -> Result<BTreeMap<String, Document>, crate::case::Failure> {
    let mut everything = all(ctx.storage(), "users").await?;
    everything.extend(all(ctx.storage(), "migrations.removed").await?);
    Ok(everything)
}

async fn there_and_back_is_where_it_began(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let filter =
        Migration::new("1.10.0", "mail only").up(Step::filter("users", "with email", |user: &Document| {
            user.contains_key("email")
        }));
    let set = migrations(ctx.storage(), [roles(), emails(), counting("1.9.0"), filter])?;
    let mut stages = vec![("0.0.0", everything(ctx).await?)];
    for target in ["1.1.0", "1.2.0", "1.9.0", "1.10.0"] {
        set.migrate_to(target).await?;
        stages.push((target, everything(ctx).await?));
    }
    for (target, expected) in stages.iter().rev() {
        set.rollback_to(target).await?;
        // Of what is counted, zero is what is left.
        ensure_eq!(
            without_zero(everything(ctx).await?),
            without_zero(expected.clone()),
            "back at {target}"
        );
    }
    set.migrate().await?;
    let report = set.rollback_to("1.1.0").await?;
    ensure_eq!(
        versions(&report.rolled_back),
        ["1.10.0", "1.9.0", "1.2.0"],
        "the order of the way back"
    );
    ensure_eq!(
        without_zero(everything(ctx).await?),
        without_zero(stages[1].1.clone()),
        "over several at once"
    );
    ensure_eq!(
        set.rollback_to("1.1.0").await?.rolled_back,
        [],
        "where it is already"
    );
    Ok(())
}

fn without_zero(mut documents: BTreeMap<String, Document>) -> BTreeMap<String, Document> {
    for document in documents.values_mut() {
        if document.get_i64("times").ok() == Some(0) {
            document.remove("times");
        }
        if let Ok(kept) = document.get_document_mut("document") {
            kept.remove("times");
        }
        document.remove("removed_at");
    }
    documents
}

async fn one_without_a_way_back_is_refused(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let dropped = Migration::new("1.2.0", "names go").up(Step::drop_field("users", "name"));
    let set = migrations(ctx.storage(), [roles(), dropped, counting("1.3.0")])?;
    set.migrate().await?;
    let before = all(ctx.storage(), "users").await?;
    let error = ensure_failed(set.rollback_to("1.1.0").await, ErrorKind::Unsupported)?;
    ensure!(
        error.contains("Migration 1.2.0 does not support rollback"),
        "it names the migration: {error}"
    );
    ensure_eq!(all(ctx.storage(), "users").await?, before, "nothing was undone");
    ensure_eq!(
        states(&set).await?,
        [
            ("1.1.0".into(), "applied"),
            ("1.2.0".into(), "applied"),
            ("1.3.0".into(), "applied")
        ],
        "the status"
    );
    ensure_eq!(
        versions(&set.rollback_to("1.2.0").await?.rolled_back),
        ["1.3.0"],
        "down to it"
    );
    Ok(())
}

async fn only_what_was_migrated_goes_back(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(ctx.storage(), [counting("1.0.0")])?;
    set.migrate().await?;
    users(ctx.storage()).put("new", &doc! { "times": 5_i64 }).await?;
    set.rollback_to("0.0.0").await?;
    let found = all(ctx.storage(), "users").await?;
    ensure_eq!(
        found["new"],
        doc! { "times": 5_i64 },
        "a document without the stamp"
    );
    ensure_eq!(found["ada"].get_i64("times").ok(), Some(0), "a document with it");
    Ok(())
}

async fn a_way_back_of_ones_own_wins(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let migration = roles().down(Step::rename_field("users", "role", "old_role"));
    let set = migrations(ctx.storage(), [migration])?;
    set.migrate().await?;
    set.rollback_to("0.0.0").await?;
    ensure_eq!(
        all(ctx.storage(), "users").await?["bob"],
        doc! { "name": "Bob", "old_role": "member" },
        "after going back"
    );
    Ok(())
}

async fn a_failed_way_back_is_undone(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let stuck = roles().down(Step::transform("users", "cannot", |user: Document| {
        if user.get_str("name").ok() == Some("Bob") {
            return Err("Bob stays".to_owned());
        }
        Ok(user)
    }));
    let set = with_options(storage, MigrationOptions::new(), [stuck, counting("1.2.0")])?;
    set.migrate().await?;
    let before = all(storage, "users").await?;
    let error = ensure_failed(set.rollback_to("0.0.0").await, ErrorKind::InvalidArgument)?;
    ensure!(error.contains("Bob stays"), "the message: {error}");
    ensure_eq!(all(storage, "users").await?, before, "every document");
    ensure_eq!(
        states(&set).await?,
        [("1.1.0".into(), "applied"), ("1.2.0".into(), "applied")],
        "the status"
    );
    Ok(())
}

async fn a_failed_migration_can_be_rolled_back(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    for n in 0..600_i64 {
        users(storage).put(format!("{n:04}"), &doc! { "n": n }).await?;
    }
    let up = |mut user: Document| {
        if user.get_i64("n").ok() == Some(599) {
            return Err("it is the last".to_owned());
        }
        user.insert("times", 1_i64);
        Ok(user)
    };
    let migration = Migration::new("1.0.0", "count")
        .up(Step::transform("users", "count", up))
        .down(Step::drop_field("users", "times"));
    let set = migrations(storage, [migration])?;
    ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    set.rollback_to("0.0.0").await?;
    for (id, user) in all(storage, "users").await? {
        ensure!(user.len() == 1, "{id} is as it was: {user}");
    }
    ensure_eq!(states(&set).await?, [("1.0.0".into(), "pending")], "the status");
    Ok(())
}
