//! What is refused before any effect, naming what to do.

use storage_core::ErrorKind;
use storage_core::Index;
use storage_core::bson::{Document, doc};
use storage_stores::collections::{Migration, Step};

use super::migration_basics::ensure_failed;
use super::migration_sample::{all, counting, load, migrations, roles, states};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { migration_refusals:
    smoke [Documents] a_version_is_registered_once = "a second migration of a version is AlreadyExists, and the first stays";
    standard [Documents] versions_are_semantic = "a version that is none, or has build metadata, is InvalidArgument, and so are steps that cannot be";
    smoke [Documents] a_late_one_below_is_refused = "a migration registered below the current version that was never applied is refused by name, never passed over";
    smoke [Documents] a_changed_one_is_refused = "an applied migration whose steps were changed is refused by name; a changed description or way back is not";
    smoke [Documents] newer_data_is_refused = "an applied migration the program does not know is FormatTooNew by name, for runs and ways back; status shows it";
    standard [Documents] a_corrupt_state_is_an_error = "a state that cannot be read is Corrupt and named, for every call, and never written over";
    standard [Documents] a_newer_state_is_refused = "a state of a later format is FormatTooNew, and left as it is";
    standard [Documents] changes_around_another_step_are_refused = "changes of one collection's documents before and after a step between them are refused, with what to do";
}

async fn a_version_is_registered_once(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let mut set = migrations(ctx.storage(), [roles()])?;
    let error = ensure_failed(
        set.register(counting("1.1.0")).map(|_| ()),
        ErrorKind::AlreadyExists,
    )?;
    ensure!(error.contains("1.1.0"), "it names the version: {error}");
    set.migrate().await?;
    let ada = &all(ctx.storage(), "users").await?["ada"];
    ensure!(
        ada.contains_key("role") && !ada.contains_key("times"),
        "the first one ran: {ada}"
    );
    Ok(())
}

async fn versions_are_semantic(ctx: &Ctx) -> Verdict {
    let mut set = migrations(ctx.storage(), [])?;
    for version in [
        "",
        "1",
        "1.0",
        "v1.0.0",
        "1.0.0.0",
        "01.0.0",
        "1.0.0+build",
        "state",
    ] {
        ensure_kind!(
            set.register(Migration::new(version, "")).map(|_| ()),
            ErrorKind::InvalidArgument,
            "version {version:?}"
        );
        ensure_kind!(
            set.migrate_to(version).await,
            ErrorKind::InvalidArgument,
            "migrate_to {version:?}"
        );
    }
    let wrong = [
        Step::add_field("users", "_schema", "9.9.9"),
        Step::drop_field("users", "_schema"),
        Step::rename_field("users", "a.b", "c.d"),
        Step::add_index("users", Index::btree("none", Vec::<String>::new())),
    ];
    for step in wrong {
        let shown = format!("{step:?}");
        ensure_kind!(
            set.register(Migration::new("1.0.0", "").up(step)).map(|_| ()),
            ErrorKind::InvalidArgument,
            "{shown}"
        );
    }
    ensure_kind!(
        set.register(
            Migration::new("1.0.0", "")
                .up(Step::add_field("a", "x", 1_i64))
                .down(Step::drop_field("b", "x"))
        )
        .map(|_| ()),
        ErrorKind::InvalidArgument,
        "a way back over a collection the way there does not touch"
    );
    Ok(())
}

async fn a_late_one_below_is_refused(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    migrations(ctx.storage(), [counting("1.0.0"), counting("1.2.0")])?
        .migrate()
        .await?;
    let before = all(ctx.storage(), "users").await?;
    let set = migrations(
        ctx.storage(),
        [
            counting("1.0.0"),
            counting("1.1.0"),
            counting("1.2.0"),
            counting("1.3.0"),
        ],
    )?;
    for result in [set.migrate().await, set.migrate_to("1.3.0").await] {
        let error = ensure_failed(result, ErrorKind::PreconditionFailed)?;
        ensure!(
            error.contains("1.1.0") && error.contains("1.2.0") && error.contains("storage migrate down"),
            "it names both versions and what to do: {error}"
        );
    }
    ensure_eq!(all(ctx.storage(), "users").await?, before, "nothing was done");
    set.rollback_to("1.0.0").await?;
    set.migrate().await?;
    let times: Vec<_> = all(ctx.storage(), "users")
        .await?
        .values()
        .map(|user| user.get_i64("times").ok())
        .collect();
    ensure_eq!(times, [Some(4), Some(4)], "doing what it says helps");
    Ok(())
}

async fn a_changed_one_is_refused(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    migrations(ctx.storage(), [roles()])?.migrate().await?;
    let changed = Migration::new("1.1.0", "users have a role").up(Step::add_field("users", "role", "guest"));
    let set = migrations(ctx.storage(), [changed, counting("1.2.0")])?;
    let before = all(ctx.storage(), "users").await?;
    for result in [set.migrate().await, set.rollback_to("0.0.0").await] {
        let error = ensure_failed(result, ErrorKind::PreconditionFailed)?;
        ensure!(
            error.contains("1.1.0") && error.contains("storage migrate status"),
            "it names the version and what to do: {error}"
        );
    }
    ensure_eq!(all(ctx.storage(), "users").await?, before, "nothing was done");
    let same = Migration::new("1.1.0", "said otherwise")
        .up(Step::add_field("users", "role", "member"))
        .down(Step::drop_field("users", "role"))
        .down(Step::add_field("users", "back", true));
    ensure_eq!(
        migrations(ctx.storage(), [same])?.migrate().await?.applied,
        [],
        "the same steps"
    );
    Ok(())
}

async fn newer_data_is_refused(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    migrations(ctx.storage(), [roles(), counting("1.2.0")])?
        .migrate()
        .await?;
    let old = migrations(ctx.storage(), [roles()])?;
    let before = all(ctx.storage(), "users").await?;
    for result in [old.migrate().await, old.rollback_to("1.1.0").await] {
        let error = ensure_failed(result, ErrorKind::FormatTooNew)?;
        ensure!(error.contains("1.2.0"), "it names the version: {error}");
    }
    ensure_kind!(
        old.upgrade("users", before["ada"].clone()),
        ErrorKind::FormatTooNew,
        "a document that a later program migrated"
    );
    ensure_eq!(all(ctx.storage(), "users").await?, before, "nothing was done");
    ensure_eq!(
        states(&old).await?,
        [("1.1.0".into(), "applied"), ("1.2.0".into(), "applied")],
        "its status"
    );
    let registered: Vec<bool> = old
        .status()
        .await?
        .migrations
        .iter()
        .map(|info| info.registered)
        .collect();
    ensure_eq!(registered, [true, false], "what it knows");
    Ok(())
}

async fn a_corrupt_state_is_an_error(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(ctx.storage(), [roles()])?;
    let states = ctx.storage().collection::<Document>("migrations");
    for damaged in [
        doc! {},
        doc! { "format": 1_i64, "current_version": null, "migrations": "none" },
        doc! { "format": 1_i64, "current_version": "one", "migrations": [] },
        doc! { "format": 1_i64, "current_version": null, "migrations": [], "more": true },
    ] {
        states.put("state", &damaged).await?;
        let results = [
            set.migrate().await.map(|_| ()),
            set.rollback_to("0.0.0").await.map(|_| ()),
            set.status().await.map(|_| ()),
            set.plan().await.map(|_| ()),
            set.backup(None).await.map(|_| ()),
        ];
        for result in results {
            let error = ensure_failed(result, ErrorKind::Corrupt)?;
            ensure!(error.contains("migrations/state"), "it names the state: {error}");
        }
        ensure_eq!(
            states.get("state").await?.map(|state| state.value),
            Some(damaged),
            "the state"
        );
    }
    let ada = &all(ctx.storage(), "users").await?["ada"];
    ensure!(!ada.contains_key("role"), "nothing was done: {ada}");
    Ok(())
}

async fn a_newer_state_is_refused(ctx: &Ctx) -> Verdict {
    let states = ctx.storage().collection::<Document>("migrations");
    let newer = doc! { "format": 2_i64, "anything": true };
    states.put("state", &newer).await?;
    let set = migrations(ctx.storage(), [roles()])?;
    ensure_failed(set.migrate().await, ErrorKind::FormatTooNew)?;
    ensure_failed(set.status().await, ErrorKind::FormatTooNew)?;
    ensure_eq!(
        states.get("state").await?.map(|state| state.value),
        Some(newer),
        "the state"
    );
    Ok(())
}

async fn changes_around_another_step_are_refused(ctx: &Ctx) -> Verdict {
    let mut set = migrations(ctx.storage(), [])?;
    let add = |collection: &str, field: &str| Step::add_field(collection, field, 1_i64);
    let between = [
        Step::run("anything", |_| async { Ok(()) }),
        Step::add_index("users", Index::btree("by_a", ["a"])),
    ];
    for step in between {
        let shown = format!("{step:?}");
        let migration = Migration::new("1.0.0", "")
            .up(add("users", "a"))
            .up(step)
            .up(add("users", "b"));
        let error = ensure_failed(set.register(migration).map(|_| ()), ErrorKind::InvalidArgument)?;
        ensure!(
            error.contains("migration of its own"),
            "{shown}: it says what to do: {error}"
        );
    }
    let apart = Migration::new("1.0.0", "")
        .up(add("users", "a"))
        .up(add("cities", "a"))
        .up(Step::add_index("cities", Index::btree("by_a", ["a"])))
        .up(add("users", "b"));
    set.register(apart)?;
    Ok(())
}
