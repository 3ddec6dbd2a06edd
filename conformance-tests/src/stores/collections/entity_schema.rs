//! Entities that are migrated when they are read.

use serde::{Deserialize, Serialize};
use storage_core::bson::{Document, doc};
use storage_core::{ErrorKind, Query, Storage};
use storage_stores::collections::{Entities, Entity, EntityOptions, Migration, Migrations, Step};

use super::sample::there;
use crate::case::{Failure, Verdict, cases, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { entity_schema:
    standard [Documents] an_old_entity_reads_as_a_new_one = "with migrations, an entity of an older program is read, listed and found in the present shape, and nothing is written by that";
    standard [Documents] written_back_it_stays_migrated = "an update stores what the migration made, with its stamp, and migrate leaves it alone";
    standard [Documents] new_entities_count_as_migrated = "what is created has the stamp of the last migration, and no migration touches it";
    standard [Documents] what_a_migration_removes_is_not_there = "an entity that a filter of a migration removes is neither read nor listed";
    standard [Documents] a_later_programs_entity_is_refused = "an entity with a later stamp is FormatTooNew, and is not overwritten";
}

/// In the shape of version 1.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Task {
    title: String,
    priority: i64,
}

impl Entity for Task {
    const COLLECTION: &'static str = "tasks";
}

fn task(title: &str, priority: i64) -> Task {
    Task {
        title: title.to_owned(),
        priority,
    }
}

fn migrations(storage: &Storage) -> Result<Migrations, Failure> {
    let mut migrations = Migrations::new(storage.clone());
    migrations.register(
        Migration::new("1.1.0", "tasks have a priority, and those without a title go")
            .up(Step::filter("tasks", "titled", |task| {
                task.get_str("title").ok() != Some("")
            }))
            .up(Step::add_field("tasks", "priority", 3_i64)),
    )?;
    Ok(migrations)
}

/// With the migrations, and what an older program stored: `old`, and `untitled` if asked for.
async fn tasks(ctx: &Ctx, untitled: bool) -> Result<Entities<Task>, Failure> {
    let raw = raw(ctx);
    raw.put(
        "old",
        &doc! { "title": "old", "created": 1_i64, "updated": 2_i64 },
    )
    .await?;
    if untitled {
        raw.put(
            "untitled",
            &doc! { "title": "", "created": 1_i64, "updated": 2_i64 },
        )
        .await?;
    }
    let options = EntityOptions::new().migrations(migrations(ctx.storage())?);
    Ok(Entities::with_options(ctx.storage().clone(), options))
}

fn raw(ctx: &Ctx) -> storage_core::Collection<Document> {
    ctx.storage().collection("tasks")
}

async fn stored(ctx: &Ctx, id: &str) -> Result<Document, Failure> {
    let read = raw(ctx).get(id).await?;
    read.map(|read| read.value)
        .ok_or_else(|| Failure::new("the document is not there"))
}

async fn an_old_entity_reads_as_a_new_one(ctx: &Ctx) -> Verdict {
    let tasks = tasks(ctx, false).await?;
    let before = stored(ctx, "old").await?;
    for round in ["from the medium", "from the cache"] {
        ensure_eq!(
            there(tasks.get_by_id("old").await?)?.value,
            task("old", 3),
            "read {round}"
        );
    }
    let listed = tasks.list().await?.collect().await?;
    ensure_eq!(listed.len(), 1, "how many are listed");
    ensure_eq!(listed[0].value, task("old", 3), "what is listed");
    let query = Query::eq("title", "old").allow_scan();
    if ctx.has(storage_core::Capability::Indexes) {
        let found = tasks.find(query).await?.collect().await?;
        ensure_eq!(found, listed, "what is found");
    }
    ensure_eq!(stored(ctx, "old").await?, before, "what is stored");
    Ok(())
}

async fn written_back_it_stays_migrated(ctx: &Ctx) -> Verdict {
    let tasks = tasks(ctx, false).await?;
    let updated = there(tasks.update("old", |task| task.priority += 1).await?)?;
    ensure_eq!(
        there(tasks.get_by_id("old").await?)?,
        updated,
        "what is read then"
    );
    let after = stored(ctx, "old").await?;
    ensure_eq!(after.get_str("_schema").ok(), Some("1.1.0"), "its stamp");
    ensure_eq!(after.get_i64("created").ok(), Some(1), "when it was created");
    migrations(ctx.storage())?.migrate().await?;
    ensure_eq!(stored(ctx, "old").await?, after, "after the migration ran");
    Ok(())
}

async fn new_entities_count_as_migrated(ctx: &Ctx) -> Verdict {
    let tasks = tasks(ctx, false).await?;
    tasks.create_with_id("new", task("new", 7)).await?;
    for created in tasks.create_many([task("", 1)]).await {
        // The filter would remove it, were it an old one.
        let created = created?;
        ensure_eq!(
            there(tasks.get_by_id(&created.id).await?)?,
            created,
            "one of many"
        );
    }
    let new = stored(ctx, "new").await?;
    ensure_eq!(new.get_str("_schema").ok(), Some("1.1.0"), "its stamp");
    migrations(ctx.storage())?.migrate().await?;
    ensure_eq!(stored(ctx, "new").await?, new, "after the migration ran");
    ensure_eq!(tasks.count(Query::all()).await?, 3, "how many there are");
    Ok(())
}

async fn what_a_migration_removes_is_not_there(ctx: &Ctx) -> Verdict {
    let tasks = tasks(ctx, true).await?;
    ensure_eq!(tasks.get_by_id("untitled").await?, None, "read");
    ensure_eq!(
        tasks.update("untitled", |task| task.priority = 1).await?,
        None,
        "updated"
    );
    let listed = tasks.list().await?.collect().await?;
    ensure_eq!(listed.len(), 1, "how many are listed");
    let page = tasks.list_page(10, None).await?;
    ensure_eq!(
        (page.entities.len(), page.unreadable.len()),
        (1, 0),
        "how many are on a page"
    );
    ensure_eq!(
        stored(ctx, "untitled").await?.get_str("title").ok(),
        Some(""),
        "it waits for the migration"
    );
    Ok(())
}

async fn a_later_programs_entity_is_refused(ctx: &Ctx) -> Verdict {
    let tasks = tasks(ctx, false).await?;
    let later = doc! { "title": "later", "importance": 1_i64, "created": 1_i64, "updated": 2_i64, "_schema": "2.0.0" };
    raw(ctx).put("later", &later).await?;
    ensure_kind!(tasks.get_by_id("later").await, ErrorKind::FormatTooNew, "a read");
    ensure_kind!(
        tasks.update("later", |_| ()).await,
        ErrorKind::FormatTooNew,
        "an update"
    );
    ensure_eq!(stored(ctx, "later").await?, later, "what is stored");
    let page = tasks.list_page(10, None).await?;
    ensure_eq!((page.entities.len(), page.unreadable.len()), (1, 1), "a page");
    Ok(())
}
