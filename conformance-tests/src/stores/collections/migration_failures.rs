//! Runs that fail: what is recorded, what is undone, what goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage_core::bson::{Document, doc};
use storage_core::{ErrorKind, Index};
use storage_stores::collections::{Migration, MigrationOptions, MigrationState, Step};

use super::migration_basics::ensure_failed;
use super::migration_sample::{
    all, counting, failing, load, migrations, roles, states, users, versions, with_options,
};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { migration_failures:
    smoke [Documents] a_failure_is_recorded_and_ends_the_run = "the message is in status, what came before stays applied, what comes after is not begun";
    smoke [Documents] the_backup_is_restored = "with a backup, a failed run leaves every document, index and applied migration as it was, and says so";
    standard [Documents] a_retry_goes_on = "without a backup, what was migrated before the failure stays, and once mended the next run does the rest, each document once";
    smoke [Documents] a_failed_check_undoes_the_run = "when the check after the run fails, the run has failed, and is undone";
    standard [Documents] a_step_of_ones_own_that_fails = "what a run step fails with is told as it is, and undone with the rest";
    standard [UniqueIndexes] an_index_that_does_not_fit = "a unique index over equal values fails the migration, naming it, and is not there";
    standard [Documents] one_that_was_undone_may_be_given_up = "a failed migration that was undone may be left out of the next program; one that was not is asked for";
    standard [Documents] nothing_optional_is_needed = "a run without a listener, a backup or a check makes no backup";
    standard [Documents] what_others_wrote_meanwhile_is_kept_somewhere = "a document written during a run that is undone is in the backup made before the restore";
}

async fn a_failure_is_recorded_and_ends_the_run(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(
        ctx.storage(),
        [
            counting("1.0.0"),
            failing("1.1.0", "no such luck"),
            counting("1.2.0"),
        ],
    )?;
    let error = ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    ensure!(
        error.contains("no such luck") && error.contains("users/ada"),
        "the message: {error}"
    );
    ensure_eq!(
        states(&set).await?,
        [
            ("1.0.0".into(), "applied"),
            ("1.1.0".into(), "failed"),
            ("1.2.0".into(), "pending")
        ],
        "the status"
    );
    let status = set.status().await?;
    let MigrationState::Failed { message } = &status.migrations[1].state else {
        return Err("it failed".into());
    };
    ensure!(
        message.contains("no such luck"),
        "the recorded message: {message}"
    );
    ensure_eq!(
        status.current.map(|version| version.to_string()),
        Some("1.0.0".into()),
        "the current version"
    );
    for (id, user) in all(ctx.storage(), "users").await? {
        ensure_eq!(user.get_i64("times").ok(), Some(1), "how often {id} was migrated");
    }
    Ok(())
}

async fn the_backup_is_restored(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let indexed = ctx.has(storage_core::Capability::Indexes);
    migrations(storage, [counting("1.0.0")])?.migrate().await?;
    let before = all(storage, "users").await?;
    let mut second = Migration::new("1.1.0", "good")
        .up(Step::transform("users", "spoil", |_| Ok(doc! { "spoilt": true })))
        .up(Step::add_field("new", "x", 1_i64));
    if indexed {
        second = second.up(Step::add_index("users", Index::btree("by_spoilt", ["spoilt"])));
    }
    let set = with_options(
        storage,
        MigrationOptions::new(),
        [counting("1.0.0"), second, failing("1.2.0", "no such luck")],
    )?;
    let Err(error) = set.migrate().await else {
        return Err("it fails".into());
    };
    ensure!(
        error.context_value("restored").is_some(),
        "it says what was restored: {error:?}"
    );
    ensure_eq!(
        error.context_value("migration"),
        Some("1.2.0"),
        "which migration failed"
    );
    ensure_eq!(all(storage, "users").await?, before, "every document");
    if indexed {
        ensure_eq!(users(storage).indexes().await?.len(), 0, "no index is left");
    }
    ensure_eq!(
        states(&set).await?,
        [
            ("1.0.0".into(), "applied"),
            ("1.1.0".into(), "pending"),
            ("1.2.0".into(), "failed")
        ],
        "the status"
    );
    ensure_eq!(set.status().await?.restoring, None, "the restore is over");
    Ok(())
}

async fn a_retry_goes_on(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    for n in 0..600_i64 {
        users(storage).put(format!("{n:04}"), &doc! { "n": n }).await?;
    }
    let mended = Arc::new(AtomicBool::new(false));
    let looked = Arc::clone(&mended);
    let step = Step::transform("users", "count, but not the last", move |mut user: Document| {
        if user.get_i64("n").ok() == Some(599) && !looked.load(Ordering::SeqCst) {
            return Err("it is the last".to_owned());
        }
        let times = user.get_i64("times").unwrap_or(0);
        user.insert("times", times + 1);
        Ok(user)
    });
    let set = migrations(storage, [Migration::new("1.0.0", "count").up(step)])?;
    ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    let done = all(storage, "users").await?;
    ensure!(
        done.values().filter(|user| user.contains_key("_schema")).count() >= 500,
        "a page was migrated before the failure"
    );
    mended.store(true, Ordering::SeqCst);
    ensure_eq!(versions(&set.migrate().await?.applied), ["1.0.0"], "the retry");
    for (id, user) in all(storage, "users").await? {
        ensure_eq!(user.get_i64("times").ok(), Some(1), "how often {id} was migrated");
    }
    Ok(())
}

async fn a_failed_check_undoes_the_run(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let before = all(storage, "users").await?;
    let options = || {
        MigrationOptions::new().post_check(|storage| async move {
            let ada = storage
                .collection::<Document>("users")
                .get("ada")
                .await?
                .ok_or("Ada is there")?;
            match ada.value.get_str("role") {
                Ok("member") => Err("nobody may be a member".into()),
                _ => Ok(()),
            }
        })
    };
    let set = with_options(storage, options(), [roles()])?;
    let error = ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    ensure!(error.contains("nobody may be a member"), "the message: {error}");
    ensure_eq!(all(storage, "users").await?, before, "every document");
    ensure_eq!(states(&set).await?, [("1.1.0".into(), "failed")], "the status");
    let guests = Migration::new("1.1.0", "guests").up(Step::add_field("users", "role", "guest"));
    let set = with_options(storage, options(), [guests])?;
    ensure_eq!(
        versions(&set.migrate().await?.applied),
        ["1.1.0"],
        "a mended one, with the check content"
    );
    Ok(())
}

async fn a_step_of_ones_own_that_fails(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let before = all(storage, "users").await?;
    let step = Step::run("write and fail", |storage| async move {
        let users = storage.collection::<Document>("users");
        users.put("carol", &doc! {}).await?;
        users.insert("ada", &doc! {}).await?;
        Ok(())
    });
    let set = with_options(
        storage,
        MigrationOptions::new(),
        [Migration::new("1.0.0", "own").up(step)],
    )?;
    let error = ensure_failed(set.migrate().await, ErrorKind::AlreadyExists)?;
    ensure!(error.contains("users/ada"), "it is told as it is: {error}");
    ensure_eq!(
        all(storage, "users").await?,
        before,
        "what the step wrote is undone"
    );
    Ok(())
}

async fn an_index_that_does_not_fit(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    users(storage).put("a", &doc! { "n": 1_i64 }).await?;
    users(storage).put("b", &doc! { "n": 1_i64 }).await?;
    let unique = Index::btree("by_n", ["n"]).unique();
    let set = with_options(
        storage,
        MigrationOptions::new(),
        [Migration::new("1.0.0", "unique")
            .up(Step::add_field("users", "x", 1_i64))
            .up(Step::add_index("users", unique))],
    )?;
    ensure_failed(set.migrate().await, ErrorKind::UniqueViolation)?;
    ensure_eq!(users(storage).indexes().await?.len(), 0, "the index");
    ensure_eq!(
        all(storage, "users").await?["a"],
        doc! { "n": 1_i64 },
        "the documents"
    );
    Ok(())
}

async fn one_that_was_undone_may_be_given_up(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let set = with_options(
        storage,
        MigrationOptions::new(),
        [counting("1.0.0"), failing("1.1.0", "no")],
    )?;
    ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    let next = migrations(storage, [counting("1.0.0"), counting("1.2.0")])?;
    ensure_eq!(
        versions(&next.migrate().await?.applied),
        ["1.0.0", "1.2.0"],
        "without it"
    );
    next.rollback_to("0.0.0").await?;
    let stuck = migrations(storage, [counting("1.0.0"), failing("1.3.0", "no")])?;
    ensure_failed(stuck.migrate().await, ErrorKind::InvalidArgument)?;
    ensure_failed(next.migrate().await, ErrorKind::FormatTooNew)?;
    Ok(())
}

async fn nothing_optional_is_needed(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(ctx.storage(), [counting("1.0.0")])?;
    let report = set.migrate().await?;
    ensure_eq!(report.backup, None, "no backup was made");
    ensure_eq!(set.backups().list().await?.backups.len(), 0, "no backup is there");
    Ok(())
}

async fn what_others_wrote_meanwhile_is_kept_somewhere(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let step = Step::run("somebody writes", |storage| async move {
        storage
            .collection::<Document>("users")
            .put("late", &doc! { "name": "Late" })
            .await?;
        Ok(())
    });
    let migration = Migration::new("1.0.0", "fails").up(step);
    let set = with_options(
        storage,
        MigrationOptions::new(),
        [migration, failing("1.1.0", "no")],
    )?;
    ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    ensure!(!all(storage, "users").await?.contains_key("late"), "it is undone");
    let backups = set.backups();
    let list = backups.list().await?.backups;
    let safety = list
        .iter()
        .find(|info| info.name.starts_with("before-restore"))
        .ok_or("there is one")?;
    backups.restore(&safety.name).await?;
    ensure!(
        all(storage, "users").await?.contains_key("late"),
        "it is in the backup made before"
    );
    Ok(())
}
