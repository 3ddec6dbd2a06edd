//! Migrating documents when they are read, from the same definitions.

use storage_core::ErrorKind;
use storage_core::bson::{Document, doc};
use storage_stores::collections::{Migration, Step};

use super::migration_sample::{all, counting, emails, load, migrations, roles, users, version};
use crate::case::{Verdict, cases, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { migration_lazy:
    smoke [Documents] a_document_is_upgraded_in_memory = "upgrade gives what migrate would make of the document, from any stamp, and writes nothing";
    standard [Documents] eager_and_lazy_meet = "documents that readers upgraded and wrote back are left alone by migrate, and count as done in remaining";
    standard [Documents] going_back_from_where_readers_were = "documents that readers took beyond what was run go back all the way";
    standard [Documents] latest_is_the_stamp_of_new_documents = "latest is the highest version that changes the collection's documents, and None where none does";
    standard [Documents] what_cannot_be_upgraded_says_why = "a stamp that is none is Corrupt, a document a step refuses InvalidArgument, one a filter removes None";
}

async fn a_document_is_upgraded_in_memory(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(ctx.storage(), [roles(), emails(), counting("1.3.0")])?;
    let before = all(ctx.storage(), "users").await?;
    let upgraded = set.upgrade("users", before["ada"].clone())?;
    let partly = set.upgrade("users", doc! { "mail": "m", "role": "admin", "_schema": "1.1.0" })?;
    ensure_eq!(
        partly,
        Some(doc! { "email": "m", "role": "admin", "_schema": "1.3.0", "times": 1_i64 }),
        "from a stamp in between"
    );
    ensure_eq!(all(ctx.storage(), "users").await?, before, "nothing was written");
    set.migrate().await?;
    let eager = all(ctx.storage(), "users").await?.remove("ada");
    ensure_eq!(upgraded, eager, "lazy and eager");
    ensure_eq!(
        set.upgrade("users", eager.clone().unwrap_or_default())?,
        eager,
        "what lacks nothing"
    );
    ensure_eq!(
        set.upgrade("cities", doc! { "n": 1_i64 })?,
        Some(doc! { "n": 1_i64 }),
        "another collection"
    );
    Ok(())
}

async fn eager_and_lazy_meet(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(ctx.storage(), [counting("1.0.0"), counting("1.1.0")])?;
    ensure_eq!(set.remaining().await?["users"], 2, "what remains at first");
    let ada = users(ctx.storage()).get("ada").await?.ok_or("she is there")?;
    let upgraded = set.upgrade("users", ada.value)?.ok_or("she stays")?;
    users(ctx.storage()).put_if("ada", &upgraded, ada.version).await?;
    ensure_eq!(
        set.remaining().await?["users"],
        1,
        "what remains after one was read"
    );
    set.migrate().await?;
    ensure_eq!(set.remaining().await?["users"], 0, "what remains at last");
    for (id, user) in all(ctx.storage(), "users").await? {
        ensure_eq!(user.get_i64("times").ok(), Some(2), "how often {id} was migrated");
    }
    Ok(())
}

async fn going_back_from_where_readers_were(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(ctx.storage(), [counting("1.0.0"), emails(), counting("1.3.0")])?;
    set.migrate_to("1.0.0").await?;
    let ada = users(ctx.storage()).get("ada").await?.ok_or("she is there")?;
    let upgraded = set.upgrade("users", ada.value)?.ok_or("she stays")?;
    users(ctx.storage()).put("ada", &upgraded).await?;
    set.rollback_to("0.0.0").await?;
    let found = all(ctx.storage(), "users").await?;
    ensure_eq!(
        found["ada"],
        doc! { "name": "Ada", "mail": "ada@x.org", "times": 0_i64 },
        "one that a reader upgraded"
    );
    ensure_eq!(
        found["bob"],
        doc! { "name": "Bob", "times": 0_i64 },
        "one that was only run over"
    );
    Ok(())
}

async fn latest_is_the_stamp_of_new_documents(ctx: &Ctx) -> Verdict {
    let cities = Migration::new("1.9.0", "cities").up(Step::add_field("cities", "x", 1_i64));
    let nothing = Migration::new("2.0.0", "no documents").up(Step::run("nothing", |_| async { Ok(()) }));
    let set = migrations(ctx.storage(), [emails(), cities, roles(), nothing])?;
    ensure_eq!(set.latest("users"), Some(version("1.2.0")?), "users");
    ensure_eq!(set.latest("cities"), Some(version("1.9.0")?), "cities");
    ensure_eq!(set.latest("others"), None, "others");
    let new = doc! { "email": "e", "role": "r", "_schema": "1.2.0" };
    users(ctx.storage()).put("new", &new).await?;
    set.migrate().await?;
    ensure_eq!(
        all(ctx.storage(), "users").await?["new"],
        new,
        "a new document is left alone"
    );
    Ok(())
}

async fn what_cannot_be_upgraded_says_why(ctx: &Ctx) -> Verdict {
    let named = Migration::new("1.0.0", "named only")
        .up(Step::transform("users", "refuse", |user: Document| {
            if user.contains_key("bad") {
                Err("it is bad".to_owned())
            } else {
                Ok(user)
            }
        }))
        .up(Step::filter("users", "named", |user: &Document| {
            user.contains_key("name")
        }));
    let set = migrations(ctx.storage(), [named])?;
    ensure_eq!(set.upgrade("users", doc! {})?, None, "what a filter removes");
    ensure_kind!(
        set.upgrade("users", doc! { "bad": 1_i64 }),
        ErrorKind::InvalidArgument,
        "what a step refuses"
    );
    ensure_kind!(
        set.upgrade("users", doc! { "_schema": 7_i64 }),
        ErrorKind::Corrupt,
        "a stamp of another type"
    );
    ensure_kind!(
        set.upgrade("users", doc! { "_schema": "x" }),
        ErrorKind::Corrupt,
        "a stamp that is no version"
    );
    users(ctx.storage()).put("odd", &doc! { "_schema": "x" }).await?;
    ensure_kind!(
        set.migrate().await,
        ErrorKind::Corrupt,
        "such a document in a run"
    );
    Ok(())
}
