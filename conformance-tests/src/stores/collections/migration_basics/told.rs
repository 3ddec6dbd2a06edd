//! What migrations say: status, plan, progress, and the document of their state.

use storage_core::ErrorKind;
use storage_core::bson::{Document, doc};
use storage_stores::collections::{MigrationOptions, MigrationState, Progress, Task};

use super::super::migration_sample::{
    Told, all, emails, load, migrations, roles, users, version, with_options,
};
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

pub(super) async fn status_is_data(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let first = migrations(ctx.storage(), [emails(), roles()])?;
    let before = first.status().await?;
    ensure_eq!(before.current, None, "the current version before the first");
    ensure!(
        before.migrations.iter().all(|info| {
            info.state == MigrationState::Pending && info.applied_at.is_none() && info.registered
        }),
        "all are pending: {before:?}"
    );
    let begun = ctx.storage().now();
    first.migrate_to("1.1.0").await?;
    let second = migrations(&ctx.second().await?, [roles(), emails()])?
        .status()
        .await?;
    ensure_eq!(second.current, Some(version("1.1.0")?), "the current version");
    ensure_eq!(second, first.status().await?, "what both clients see");
    let [applied, pending] = second.migrations.as_slice() else {
        return Err("there are two migrations".into());
    };
    ensure_eq!(
        (&applied.version, applied.description.as_str(), &applied.state),
        (&version("1.1.0")?, "users have a role", &MigrationState::Applied),
        "the applied one"
    );
    ensure!(
        applied
            .applied_at
            .is_some_and(|at| at >= begun && at <= ctx.storage().now()),
        "it was applied now: {applied:?}"
    );
    ensure_eq!(
        (&pending.version, &pending.state, pending.applied_at),
        (&version("1.2.0")?, &MigrationState::Pending, None),
        "the pending one"
    );
    Ok(())
}

pub(super) async fn progress_is_told_to_the_end(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let told: Told<Progress> = Told::new();
    let listener = told.clone();
    let options = MigrationOptions::new().progress(move |progress| listener.tell(progress.clone()));
    with_options(ctx.storage(), options, [roles()])?.migrate().await?;
    let told = told.all();
    let backed_up: Vec<&str> = told
        .iter()
        .filter(|progress| matches!(progress.task, Task::BackUp(_)) && progress.done == progress.total)
        .map(|progress| progress.collection.as_str())
        .collect();
    ensure_eq!(backed_up, ["cities", "users"], "what was backed up");
    let last = told.last().ok_or("it was told something")?;
    ensure_eq!(
        (&last.task, last.collection.as_str(), last.done, last.total),
        (&Task::Migrate(version("1.1.0")?), "users", 2, 2),
        "the last thing told"
    );
    Ok(())
}

pub(super) async fn the_plan_says_what_would_be_done(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let set = migrations(storage, [roles(), emails()])?;
    let before = all(storage, "users").await?;
    let plan = set.plan().await?;
    let steps: Vec<(String, &str, Option<u64>)> = plan
        .migrations
        .iter()
        .flat_map(|planned| {
            planned
                .steps
                .iter()
                .map(|step| (planned.version.to_string(), step))
        })
        .map(|(version, step)| (version, step.step.as_str(), step.documents))
        .collect();
    let add = r#"{"add_field":{"collection":"users","field":"role","value":"member"}}"#;
    let rename = r#"{"rename_field":{"collection":"users","from":"mail","to":"email"}}"#;
    ensure_eq!(
        steps,
        [("1.1.0".into(), add, Some(2)), ("1.2.0".into(), rename, Some(2))],
        "the plan before"
    );
    ensure_eq!(all(storage, "users").await?, before, "a plan changes no document");
    ensure_eq!(
        all(storage, "migrations").await?.len(),
        0,
        "a plan writes no state"
    );
    set.migrate_to("1.1.0").await?;
    ensure_eq!(set.plan().await?.migrations.len(), 1, "what is left to plan");
    let back = set.plan_to("0.0.0").await?;
    ensure_eq!(
        back.migrations[0].steps[0].step,
        r#"{"drop_field":{"collection":"users","field":"role"}}"#,
        "the plan of the way back"
    );
    ensure_eq!(back.migrations[0].steps[0].documents, Some(2), "its documents");
    Ok(())
}

pub(super) async fn the_state_is_one_readable_document(ctx: &Ctx) -> Verdict {
    migrations(ctx.storage(), [roles()])?.migrate().await?;
    let state = all(ctx.storage(), "migrations")
        .await?
        .remove("state")
        .ok_or("it is there")?;
    ensure_eq!(
        state.get_str("current_version").ok(),
        Some("1.1.0"),
        "the current version"
    );
    let records = state.get_array("migrations").map_err(|error| error.to_string())?;
    let record = records[0].as_document().ok_or("a record is a document")?;
    ensure_eq!(
        record.get_str("state").ok(),
        Some("applied"),
        "the state of the first"
    );
    ensure_eq!(
        record.get_str("description").ok(),
        Some("users have a role"),
        "its description"
    );
    ensure_eq!(
        record.get_str("checksum").map(str::len).ok(),
        Some(64),
        "its checksum"
    );
    ensure!(record.get_i64("applied_at").is_ok(), "its time: {record}");
    let again = users(ctx.storage()).insert("state", &doc! {}).await;
    ensure!(again.is_ok(), "users may have any id");
    ensure_kind!(
        ctx.storage()
            .collection::<Document>("migrations")
            .insert("state", &doc! {})
            .await,
        ErrorKind::AlreadyExists,
        "there is one state"
    );
    Ok(())
}
