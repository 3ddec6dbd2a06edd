//! Migrations as they are meant to go.

mod told;

use storage_core::bson::{Document, doc};
use storage_core::{Applied, ErrorKind};
use storage_stores::collections::{Migration, MigrationOptions, Step};

use self::told::{
    progress_is_told_to_the_end, status_is_data, the_plan_says_what_would_be_done,
    the_state_is_one_readable_document,
};
use super::migration_sample::{
    all, counting, emails, load, migrations, roles, states, users, version, versions, with_options,
};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;

cases! { migration_basics:
    smoke [Documents] documents_get_what_they_lack_and_a_stamp = "migrate changes every document of the collection, stamps it with the version, and touches no other collection";
    smoke [Documents] versions_run_in_numeric_order = "1.10.0 runs after 1.2.0 and 1.9.0, a pre-release before its release, whatever the order they were registered in";
    smoke [Documents] status_is_data = "status names every migration with version, description, state and time, before and after, also of another client";
    standard [Documents] nothing_is_done_twice = "a second run, by any client, and after a reopen, applies nothing";
    standard [Documents] a_run_ends_at_a_version = "migrate_to applies what is up to the version and nothing above it; later runs go on from there";
    standard [Documents] the_first_run_needs_nothing_there = "with no collection and no data, migrate and status work and say what was applied";
    standard [Documents] a_document_written_meanwhile_counts_as_old = "a document without a stamp that comes after a run gets everything it lacks with the next migration, one with the stamp only the rest";
    standard [Documents] expiry_is_kept = "a migrated document expires when it did";
    standard [Documents] a_step_of_ones_own_sees_the_storage = "a run step may do anything, in its place among the others";
    standard [Documents] progress_is_told_to_the_end = "the callback hears of every collection, and last that all of it is done";
    standard [Documents] the_plan_says_what_would_be_done = "plan names the steps of what is pending with the documents they would touch, and changes nothing";
    standard [Documents] the_state_is_one_readable_document = "the document migrations/state names the current version and each migration with checksum and time";
    standard [Documents] more_than_a_page = "a collection of more documents than a page is migrated whole, each once";
}

async fn documents_get_what_they_lack_and_a_stamp(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let report = migrations(storage, [roles(), emails()])?.migrate().await?;
    ensure_eq!(versions(&report.applied), ["1.1.0", "1.2.0"], "what was applied");
    let found = all(&ctx.second().await?, "users").await?;
    ensure_eq!(
        found["ada"],
        doc! { "name": "Ada", "email": "ada@x.org", "role": "member", "_schema": "1.2.0" },
        "a document with every field"
    );
    ensure_eq!(
        found["bob"],
        doc! { "name": "Bob", "role": "member", "_schema": "1.2.0" },
        "a document without mail"
    );
    ensure_eq!(
        all(storage, "cities").await?["delft"],
        doc! { "n": 1_i64 },
        "a collection no step is about"
    );
    Ok(())
}

/// Each adds its version to a list.
fn listing(text: &'static str) -> Migration {
    Migration::new(text, "lists").up(Step::transform("users", text, move |mut user| {
        let before = user.get_str("list").unwrap_or("").to_owned();
        user.insert("list", format!("{before} {text}"));
        Ok(user)
    }))
}

async fn versions_run_in_numeric_order(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let registered = ["1.10.0", "1.2.0", "2.0.0", "1.9.0", "2.0.0-rc.2", "2.0.0-rc.10"];
    let order = ["1.2.0", "1.9.0", "1.10.0", "2.0.0-rc.2", "2.0.0-rc.10", "2.0.0"];
    let migrations = migrations(ctx.storage(), registered.map(listing))?;
    let report = migrations.migrate().await?;
    ensure_eq!(versions(&report.applied), order, "the order of the report");
    let ada = all(ctx.storage(), "users")
        .await?
        .remove("ada")
        .unwrap_or_default();
    ensure_eq!(
        ada.get_str("list").unwrap_or("").trim(),
        order.join(" "),
        "the order it was done in"
    );
    ensure_eq!(
        migrations.status().await?.current,
        Some(version("2.0.0")?),
        "the current version"
    );
    Ok(())
}

async fn nothing_is_done_twice(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = || [counting("1.0.0"), counting("1.1.0")];
    migrations(ctx.storage(), set())?.migrate().await?;
    let second = migrations(&ctx.second().await?, set())?;
    ensure_eq!(second.migrate().await?.applied, [], "another client's run");
    let third = migrations(&ctx.reopen().await?, set())?;
    ensure_eq!(third.migrate().await?.applied, [], "a run after a reopen");
    for (id, user) in all(third.storage(), "users").await? {
        ensure_eq!(user.get_i64("times").ok(), Some(2), "how often {id} was migrated");
    }
    Ok(())
}

async fn a_run_ends_at_a_version(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(
        ctx.storage(),
        [counting("1.0.0"), counting("1.1.0"), counting("1.2.0")],
    )?;
    ensure_eq!(
        versions(&set.migrate_to("1.1.0").await?.applied),
        ["1.0.0", "1.1.0"],
        "to 1.1.0"
    );
    ensure_eq!(
        states(&set).await?,
        [
            ("1.0.0".into(), "applied"),
            ("1.1.0".into(), "applied"),
            ("1.2.0".into(), "pending")
        ],
        "after migrate_to"
    );
    ensure_eq!(set.migrate_to("1.1.0").await?.applied, [], "to where it is");
    let error = ensure_failed(set.migrate_to("1.3.0").await, ErrorKind::NotFound)?;
    ensure!(
        error.contains("1.0.0, 1.1.0, 1.2.0"),
        "it names those there are: {error}"
    );
    let error = ensure_failed(set.migrate_to("1.0.0").await, ErrorKind::InvalidArgument)?;
    ensure!(
        error.contains("storage migrate down --to 1.0.0"),
        "it names the command: {error}"
    );
    ensure_eq!(versions(&set.migrate().await?.applied), ["1.2.0"], "the rest");
    Ok(())
}

/// The message of an error of this kind.
pub(super) fn ensure_failed<R: std::fmt::Debug>(
    result: storage_core::Result<R>,
    kind: ErrorKind,
) -> Result<String, crate::case::Failure> {
    match result {
        Err(error) if error.kind() == kind && error.applied() == Applied::No => Ok(error.to_string()),
        other => Err(crate::case::Failure::new(format!(
            "expected {kind}, got {other:?}"
        ))),
    }
}

async fn the_first_run_needs_nothing_there(ctx: &Ctx) -> Verdict {
    let none = migrations(ctx.storage(), [])?;
    ensure_eq!(none.migrate().await?.applied, [], "without migrations");
    ensure_eq!(none.status().await?.migrations, [], "its status");
    ensure_eq!(none.plan().await?.migrations, [], "its plan");
    let set = with_options(ctx.storage(), MigrationOptions::new(), [roles()])?;
    let report = set.migrate().await?;
    ensure_eq!(versions(&report.applied), ["1.1.0"], "without documents");
    ensure!(
        report.backup.is_some(),
        "a backup of nothing is a backup: {report:?}"
    );
    ensure_eq!(
        all(ctx.storage(), "users").await?.len(),
        0,
        "no documents came to be"
    );
    Ok(())
}

async fn a_document_written_meanwhile_counts_as_old(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    migrations(storage, [counting("1.0.0")])?.migrate().await?;
    users(storage).put("old", &doc! { "name": "Old" }).await?;
    users(storage)
        .put("new", &doc! { "name": "New", "times": 1_i64, "_schema": "1.0.0" })
        .await?;
    let set = migrations(storage, [counting("1.0.0"), counting("1.1.0")])?;
    ensure_eq!(set.remaining().await?["users"], 4, "what remains before");
    set.migrate().await?;
    for (id, user) in all(storage, "users").await? {
        ensure_eq!(user.get_i64("times").ok(), Some(2), "how often {id} was migrated");
    }
    ensure_eq!(set.remaining().await?["users"], 0, "what remains after");
    Ok(())
}

async fn expiry_is_kept(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    if !ctx.has(storage_core::Capability::Expiry) {
        return Ok(());
    }
    let at = storage.now().after(std::time::Duration::from_secs(60));
    let options = storage_core::PutOptions::new().expires_at(at);
    users(storage).put_with("a", &doc! {}, options).await?;
    let set = migrations(storage, [roles()])?;
    set.migrate().await?;
    let there = users(storage).get("a").await?.ok_or("it is there")?;
    ensure_eq!(there.expires_at, Some(at), "when it expires, after migrating");
    set.rollback_to("0.0.0").await?;
    let there = users(storage).get("a").await?.ok_or("it is there")?;
    ensure_eq!(there.expires_at, Some(at), "when it expires, after going back");
    Ok(())
}

async fn a_step_of_ones_own_sees_the_storage(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let step = Step::run("count users", |storage| async move {
        let users = storage.collection::<Document>("users");
        let with_role = users
            .get("ada")
            .await?
            .ok_or("Ada is there")?
            .value
            .get_str("role")
            .is_ok();
        storage
            .collection::<Document>("facts")
            .put("users", &doc! { "with_role": with_role })
            .await?;
        Ok(())
    });
    let migration = roles().up(step);
    migrations(ctx.storage(), [migration])?.migrate().await?;
    ensure_eq!(
        all(ctx.storage(), "facts").await?["users"],
        doc! { "with_role": true },
        "what the step saw and wrote"
    );
    Ok(())
}

async fn more_than_a_page(ctx: &Ctx) -> Verdict {
    let documents: Vec<(String, Document)> = (0..1_203)
        .map(|n| (format!("{n:05}"), doc! { "n": i64::from(n) }))
        .collect();
    for chunk in documents.chunks(200) {
        for result in users(ctx.storage())
            .put_many(chunk.iter().map(|(id, value)| (id, value)))
            .await?
        {
            result?;
        }
    }
    let set = migrations(ctx.storage(), [counting("1.0.0")])?;
    set.migrate().await?;
    let found = all(ctx.storage(), "users").await?;
    ensure_eq!(found.len(), 1_203, "how many there are");
    for (id, user) in &found {
        ensure_eq!(user.get_i64("times").ok(), Some(1), "how often {id} was migrated");
    }
    set.rollback_to("0.0.0").await?;
    let found = all(ctx.storage(), "users").await?;
    ensure!(
        found
            .values()
            .all(|user| user.get_i64("times").ok() == Some(0) && !user.contains_key("_schema")),
        "all went back"
    );
    Ok(())
}
